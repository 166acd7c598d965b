"""What the role of a key may do: the table of the contract. Pure."""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Role(Enum):
    """What a key is for."""

    CHECKOUT = "checkout"
    BILLING = "billing"
    PORTAL = "portal"
    SUPPORT = "support"
    MARKETER = "marketer"
    ANALYST = "analyst"
    ADMIN = "admin"


class Right(Enum):
    """What a route asks for; every route of `/v1` names one."""

    REPORT_PURCHASES = "purchases.report"
    READ_PURCHASES = "purchases.read"
    REPORT_ACTIVITIES = "activities.report"
    READ_ACTIVITIES = "activities.read"
    ENROL_CUSTOMERS = "customers.enrol"
    READ_CUSTOMERS = "customers.read"
    LIST_CUSTOMERS = "customers.list"
    READ_BALANCES = "balances.read"
    READ_HISTORY = "history.read"
    MERGE_CUSTOMERS = "customers.merge"
    ERASE_CUSTOMERS = "customers.erase"
    EXPORT_CUSTOMERS = "customers.export"
    READ_SUPPRESSIONS = "suppressions.read"
    SUPPRESS = "customers.suppress"
    REDEEM = "points.redeem"
    ADJUST = "points.adjust"
    READ_ADJUSTMENTS = "adjustments.read"
    APPROVE_ADJUSTMENTS = "adjustments.approve"
    IMPORT_BALANCES = "balances.import"
    READ_REWARDS = "rewards.read"
    MANAGE_REWARDS = "rewards.manage"
    READ_RULES = "rules.read"
    MANAGE_RULES = "rules.manage"
    CLAIM_REFERRALS = "referrals.claim"
    READ_CUSTOMER_REFERRALS = "customers.referral"
    """A customer's codes, and what became of them."""
    TELL_REFERRALS_ASKED = "referrals.asked"
    """That a customer was asked for one: of those who talk to customers."""
    READ_REFERRALS = "referrals.read"
    LIST_REFERRALS = "referrals.list"
    """All of a program's, with what speaks against them."""
    REVIEW_REFERRALS = "referrals.review"
    MANAGE_REFERRAL_OFFERS = "referral_offers.manage"
    MANAGE_REFERRAL_CODES = "referral_codes.manage"
    REPORT_INVOICES = "invoices.report"
    """Invoices, payments, their reversals, credit notes, and what is agreed with a customer."""
    READ_INVOICES = "invoices.read"
    READ_CAMPAIGNS = "campaigns.read"
    MANAGE_CAMPAIGNS = "campaigns.manage"
    READ_FAIRNESS = "fairness.read"
    """How draws came about, for anybody to recompute."""
    PLAY = "games.play"
    GRANT_PLAYS = "games.grant"
    READ_SURPRISES = "surprises.read"
    """A customer's gifts, once they are revealed."""
    READ_REPORTS = "reports.read"
    """Numbers of all customers together, without names."""
    READ_VOUCHERS = "vouchers.read"
    USE_VOUCHERS = "vouchers.use"
    READ_PROGRAM = "program.read"
    CHANGE_PROGRAM = "program.change"
    MANAGE_KEYS = "keys.manage"
    MANAGE_SIGNING_KEYS = "signing_keys.manage"
    """Keys with which a partner's server signs tokens of customers."""
    OPEN_PORTAL = "portal.open"
    """Get a token with which a customer sees the own data."""
    READ_EVENTS = "events.read"
    MANAGE_WEBHOOKS = "webhooks.manage"


_READS: Final = frozenset(
    {
        Right.READ_PURCHASES,
        Right.READ_ACTIVITIES,
        Right.READ_CUSTOMERS,
        Right.LIST_CUSTOMERS,
        Right.READ_SUPPRESSIONS,
        Right.READ_BALANCES,
        Right.READ_HISTORY,
        Right.READ_ADJUSTMENTS,
        Right.READ_REWARDS,
        Right.READ_VOUCHERS,
        Right.READ_RULES,
        Right.READ_CUSTOMER_REFERRALS,
        Right.READ_REFERRALS,
        Right.LIST_REFERRALS,
        Right.READ_INVOICES,
        Right.READ_CAMPAIGNS,
        Right.READ_FAIRNESS,
        Right.READ_SURPRISES,
    }
)

RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.CHECKOUT: frozenset(
        {
            Right.REPORT_PURCHASES,
            Right.READ_PURCHASES,
            Right.REPORT_ACTIVITIES,
            Right.READ_ACTIVITIES,
            Right.ENROL_CUSTOMERS,
            Right.READ_BALANCES,
            Right.READ_HISTORY,
            Right.REDEEM,
            Right.READ_REWARDS,
            Right.READ_VOUCHERS,
            Right.USE_VOUCHERS,
            Right.CLAIM_REFERRALS,
            Right.READ_CUSTOMER_REFERRALS,
            Right.TELL_REFERRALS_ASKED,
            Right.READ_REFERRALS,
            Right.READ_FAIRNESS,
            Right.PLAY,
            Right.GRANT_PLAYS,
            Right.READ_SURPRISES,
        }
    ),
    Role.BILLING: frozenset(
        {
            Right.ENROL_CUSTOMERS,
            Right.READ_BALANCES,
            Right.READ_EVENTS,
            Right.REPORT_INVOICES,
            Right.READ_INVOICES,
            Right.READ_FAIRNESS,
        }
    ),
    Role.PORTAL: frozenset(
        {
            Right.OPEN_PORTAL,
            Right.READ_CUSTOMERS,
            Right.READ_BALANCES,
            Right.READ_HISTORY,
            Right.READ_REWARDS,
            Right.READ_CUSTOMER_REFERRALS,
            Right.TELL_REFERRALS_ASKED,
            Right.READ_INVOICES,
            Right.READ_FAIRNESS,
            Right.READ_SURPRISES,
        }
    ),
    Role.SUPPORT: _READS | {Right.ADJUST, Right.SUPPRESS, Right.EXPORT_CUSTOMERS},
    Role.MARKETER: _READS
    - {
        Right.READ_PURCHASES,
        Right.READ_ACTIVITIES,
        Right.READ_VOUCHERS,
        Right.READ_ADJUSTMENTS,
        Right.READ_INVOICES,
    }
    | {
        Right.ENROL_CUSTOMERS,
        Right.SUPPRESS,
        Right.MANAGE_REWARDS,
        Right.MANAGE_RULES,
        Right.READ_EVENTS,
        Right.REVIEW_REFERRALS,
        Right.MANAGE_REFERRAL_OFFERS,
        Right.MANAGE_REFERRAL_CODES,
        Right.MANAGE_CAMPAIGNS,
        Right.GRANT_PLAYS,
        Right.READ_REPORTS,
        Right.TELL_REFERRALS_ASKED,
    },
    Role.ANALYST: _READS | {Right.READ_REPORTS, Right.EXPORT_CUSTOMERS, Right.READ_PROGRAM, Right.READ_EVENTS},
    Role.ADMIN: frozenset(Right),
}

PORTAL_REDEEMS: Final = frozenset({Right.REDEEM, Right.READ_VOUCHERS})
"""What keys of the role `portal` may do besides, where the program lets customers redeem there."""
PORTAL_PLAYS: Final = frozenset({Right.PLAY})
"""Likewise, where it lets them play."""
