"""What schemathesis may find: the answers that are right although the OpenAPI document can't tell why.

Schemathesis loads this module into its own process (`SCHEMATHESIS_HOOKS`); test_schemathesis.py starts it.
"""

import json
import os
import re
from dataclasses import dataclass
from typing import Any, Final, cast
from zoneinfo import available_timezones

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.core.failures import Failure

from service.events.handlers import GREATEST_WAIT
from service.openapi import EXAMPLES as EXAMPLES_OF_BODIES
from service.platform.http.docs import DOCUMENT

KEPT_KEYS: Final = "LOYALTY_KEPT_KEYS"
"""In the environment: the ids of the keys that the run itself calls with."""
THINGS: Final = "LOYALTY_THINGS"
"""In the environment, as JSON: for operations, the ids of things that there are, in place of the examples'."""
TOKENS: Final = "LOYALTY_TOKENS"
"""In the environment, as JSON: for the header of each key, that of a token of a customer in the same program."""
_REWARD: Final = json.loads(EXAMPLES_OF_BODIES.read_text(encoding="utf-8"))["redeemMyReward"]["request"]["reward_id"]
_NO_KEY: Final = "key_00000000000070008000000000000000"
EXAMPLES: Final = {
    "key_id": "key_019c1f5d8a3b7c4e9f00112233445566",
    "earning_rule_id": "birthday-week",
    "activity_type_id": "webinar",
    "activity_id": "review-7",
    "tier_id": "gold",
    "reward_id": "rwd_019aa5f0601c7b3e8d11223344556677",
    "transaction_id": "txn_019aa5f04c457794b35e1e8ee8f3acee",
    "redemption_id": "hold_019aa5f0601c7b3e8d11223344556677",
    "code": "7K3M-9QXA-2PHT",
    "referral_id": "ref_019aa5f0601c7b3e8d11223344556677",
    "referral_offer_id": "friends",
    "adjustment_id": "adj_019aa5f0601c7b3e8d11223344556677",
    "customer_id": "c-42",
    "reason": "open_case",
    "webhook_id": "whk_019aa5f0601c7b3e8d11223344556677",
    "event_id": "evt_019aa5f0601c7b3e8d11223344556677",
    "invoice_id": "inv-1001",
    "payment_id": "pay-1",
    "campaign_id": "cmp_019aa5f0601c7b3e8d11223344556677",
    "signing_key_id": "sgk_019aa5f0601c7b3e8d11223344556677",
    "surprise_id": "sur_019aa5f0601c7b3e8d11223344556677",
}

_REPORT: Final = "POST /v1/purchases"
_BATCH: Final = "POST /v1/purchases/batch"
_CUSTOMER: Final = "PUT /v1/customers/{customer_id}"
_PROGRAM: Final = "PATCH /v1/program"
_VOUCHER: Final = "GET /v1/vouchers/{code}"
_REDEEM: Final = "POST /v1/vouchers/{code}/redeem"
_CANCEL: Final = "POST /v1/vouchers/{code}/cancel"
_LOAD: Final = "POST /v1/rewards/{reward_id}/codes"
_REDEMPTION: Final = "POST /v1/redemptions"
_CAPTURE: Final = "POST /v1/redemptions/{redemption_id}/capture"
_RELEASE: Final = "POST /v1/redemptions/{redemption_id}/release"
_REFUND: Final = "POST /v1/purchases/{purchase_id}/refunds"
_ADJUST: Final = "POST /v1/customers/{customer_id}/adjustments"
_APPROVE: Final = "POST /v1/adjustments/{adjustment_id}/approve"
_REFUSE: Final = "POST /v1/adjustments/{adjustment_id}/refuse"
REFERRAL: Final = "/v1/referrals/{referral_id}"
_CLAIM: Final = "POST /v1/referrals"
_CLICK: Final = "POST /v1/referrals/clicks"
_REVIEWS: Final = (f"POST {REFERRAL}/approve", f"POST {REFERRAL}/refuse")
_CODE: Final = "POST /v1/customers/{customer_id}/referral/code"
ASKED: Final = "POST /v1/customers/{customer_id}/referral/asked"
_CODES: Final = (_CODE, f"{_CODE}/close")
_MARKS: Final = "PUT /v1/customers/{customer_id}/marks"
OFFER: Final = "/v1/referral-offers/{referral_offer_id}"
_OFFERS: Final = ("POST /v1/referral-offers", f"PATCH {OFFER}")
MERGE: Final = "POST /v1/customers/{customer_id}/merge"
CAMPAIGN: Final = "/v1/campaigns/{campaign_id}"
_CAMPAIGNS: Final = ("POST /v1/campaigns", f"PATCH {CAMPAIGN}")
_PLAYS: Final = (f"POST {CAMPAIGN}/plays", f"POST {CAMPAIGN}/play-grants")
SUPPRESSIONS: Final = "/v1/customers/{customer_id}/suppressions"
_SUPPRESS: Final = f"POST {SUPPRESSIONS}"
_OPENING: Final = "POST /v1/opening-balances"
_EVENTS: Final = "GET /v1/events"
_ACTIVITY: Final = "POST /v1/activities"
_FACTS: Final = (_REPORT, _REFUND, _ACTIVITY)
INVOICE: Final = "/v1/invoices/{invoice_id}"
BOUNCE: Final = f"POST {INVOICE}/payments/{{payment_id}}/reverse"
PAYMENT_TERMS: Final = "/v1/customers/{customer_id}/payment-terms"
_BILL: Final = f"PUT {INVOICE}"
_AGREE: Final = f"PUT {PAYMENT_TERMS}"
_PAY: Final = f"POST {INVOICE}/payments"
_PAY_MANY: Final = "POST /v1/payments"
_CREDIT: Final = f"POST {INVOICE}/credit-notes"
_PAYMENTS: Final = (_PAY, _PAY_MANY)
_OF_INVOICES: Final = (_BILL, *_PAYMENTS, _CREDIT)
ME: Final = "/v1/me"
MY_REDEMPTION: Final = f"POST {ME}/redemptions"
MY_PLAY: Final = f"POST {ME}/games/{{campaign_id}}/plays"
_MINE: Final = (
    f"GET {ME}",
    *(f"GET {ME}/{each}" for each in ("pending", "expiring", "ways", "rewards", "vouchers", "transactions")),
    *(f"GET {ME}/{each}" for each in ("referral", "invoices", "games", "surprises")),
    MY_REDEMPTION,
    MY_PLAY,
)
_COMMANDS: Final = (
    *(_REDEEM, _CANCEL, _REDEMPTION, _CAPTURE, _RELEASE, _ADJUST, _APPROVE, _REFUSE, MERGE),
    *(_CLAIM, *_REVIEWS, *_CODES, ASKED),
    BOUNCE,
    *_PLAYS,
    MY_REDEMPTION,
    MY_PLAY,
    "POST /v1/purchases/{purchase_id}/confirm",
)
WEBHOOK: Final = "/v1/webhooks/{webhook_id}"
RESEND: Final = f"POST {WEBHOOK}/deliveries/{{event_id}}/resend"
_URLS: Final = ("POST /v1/webhooks", f"PATCH {WEBHOOK}")
_OF_WEBHOOKS: Final = (
    *(f"POST {WEBHOOK}/{each}" for each in ("secrets", "test", "enable", "disable", "resend")),
    RESEND,
)
_REWARDS: Final = ("POST /v1/rewards", "PATCH /v1/rewards/{reward_id}")
RULE: Final = "/v1/earning-rules/{earning_rule_id}"
TYPE: Final = "/v1/activity-types/{activity_type_id}"
TIER: Final = "/v1/tiers/{tier_id}"
_TIERS: Final = ("POST /v1/tiers", f"PATCH {TIER}")
_TYPES: Final = ("POST /v1/activity-types", f"PATCH {TYPE}")
_RULES: Final = ("POST /v1/earning-rules", f"PATCH {RULE}")
_SIMULATE: Final = "POST /v1/earning-rules/simulate"
_TAKES_KEYS: Final = (
    _BATCH,
    _OPENING,
    _SUPPRESS,
    "POST /v1/earning-rules",
    "POST /v1/activity-types",
    "POST /v1/tiers",
    "POST /v1/referral-offers",
    "POST /v1/campaigns",
    *(f"POST {CAMPAIGN}/{each}" for each in ("activate", "pause", "close", "customers")),
    _CLICK,
    "POST /v1/api-keys",
    "POST /v1/api-keys/{key_id}/revoke",
    "POST /v1/api-keys/{key_id}/rotate",
    "POST /v1/signing-keys",
    "POST /v1/signing-keys/{signing_key_id}/revoke",
    "POST /v1/customers/{customer_id}/portal-sessions",
    "POST /v1/rewards",
    _LOAD,
    "POST /v1/webhooks",
    *_OF_WEBHOOKS,
    *_COMMANDS,
)
_WITH_NUMBERS: Final = (_REPORT, _PROGRAM, "POST /v1/api-keys/{key_id}/rotate", _REDEEM, _REDEMPTION, _CAPTURE)
_LIMITS: Final = ("POST /v1/api-keys", "PATCH /v1/api-keys/{key_id}")
_LISTS: Final = (
    "GET /v1/api-keys",
    "GET /v1/signing-keys",
    "GET /v1/customers",
    "GET /v1/customers/{customer_id}/lots",
    "GET /v1/customers/{customer_id}/transactions",
    f"GET {ME}/transactions",
    f"GET {SUPPRESSIONS}",
    "GET /v1/rewards",
    "GET /v1/earning-rules",
    f"GET {RULE}/versions",
    "GET /v1/activity-types",
    f"GET {TYPE}/versions",
    "GET /v1/tiers",
    f"GET {TIER}/versions",
    "GET /v1/referrals",
    "GET /v1/referral-offers",
    f"GET {OFFER}/versions",
    "GET /v1/adjustments",
    _EVENTS,
    "GET /v1/webhooks",
    f"GET {WEBHOOK}/deliveries",
    "GET /v1/campaigns",
    f"GET {CAMPAIGN}/versions",
    f"GET {CAMPAIGN}/fairness",
    f"GET {CAMPAIGN}/stops",
    "GET /v1/customers/{customer_id}/surprises",
    "GET /v1/invoices",
    f"GET {INVOICE}/payments",
    f"GET {INVOICE}/credit-notes",
)


@dataclass(frozen=True)
class Excuse:
    """An answer, as `said` writes it, that a check may complain about."""

    check: str
    routes: tuple[str, ...]
    said: str
    why: str


EXCEPTIONS: Final = tuple(
    Excuse(*row)
    for row in (
        ("positive_data_acceptance", _LISTS, r"\?cursor invalid_format", "a cursor is opaque: only lists make them"),
        (
            "positive_data_acceptance",
            ("GET /v1/referral-report",),
            r"\?(from|to) (out_of_range|invalid_format)|\?offer unknown_offer",
            "the days must make a period of the calendar, and the program have the offer",
        ),
        (
            "positive_data_acceptance",
            ("GET /v1/early-payment-report",),
            r"\?(from|to|compare_from|compare_to) (out_of_range|invalid_format)",
            "the days must make periods of the calendar, one before the other",
        ),
        ("positive_data_acceptance", _TAKES_KEYS, " idempotency_key_reused", "the key was another request's before"),
        ("positive_data_acceptance", (_REPORT,), "too_large", "1,000 items may be more than 64 KiB"),
        ("positive_data_acceptance", _FACTS, "/occurred_at in_the_future", "it depends on the clock"),
        ("positive_data_acceptance", _FACTS, "/occurred_at too_old", "it depends on the program's settings"),
        ("positive_data_acceptance", _FACTS, "/occurred_at out_of_range", "it is before the year 1 in UTC"),
        ("positive_data_acceptance", (_REFUND,), ".* refund_exceeds_purchase", "it depends on what is left"),
        ("positive_data_acceptance", (_REFUND,), "/(amount|items) (missing|contradictory)", "it is one of two fields"),
        ("positive_data_acceptance", (_REFUND,), "/amount out_of_range", "0 is for purchases that cost nothing"),
        (
            "positive_data_acceptance",
            (_REFUND,),
            r"/items/\d+/id (duplicate|unknown_item)",
            "it depends on the purchase",
        ),
        ("positive_data_acceptance", (_ACTIVITY,), "/type unknown_activity_type", "programs declare types"),
        ("positive_data_acceptance", (_ACTIVITY,), "/properties/.* ", "types say which properties there are"),
        ("positive_data_acceptance", _TYPES, "/properties/.* (out_of_range|duplicate)", "a schema compares no fields"),
        ("positive_data_acceptance", _TIERS, "/(threshold duplicate|name out_of_range)", "it depends on other tiers"),
        (
            "positive_data_acceptance",
            (_PROGRAM,),
            "/settings/tiers/.*",
            "fields of which one is allowed, and kinds of points that aren't counted yet",
        ),
        (
            "positive_data_acceptance",
            (_REPORT, _ACTIVITY),
            "/customer_id customer_unknown",
            "likewise, and on who is enrolled",
        ),
        ("positive_data_acceptance", (_REPORT,), r"/items/\d+/id duplicate", "a schema can't compare items by a field"),
        ("positive_data_acceptance", (_PROGRAM,), "/settings/.*unknown_currency", "three capitals need be no currency"),
        (
            "positive_data_acceptance",
            (_PROGRAM,),
            "/settings/expiry/(months missing|days exclusive)",
            "generators of clients can't read that it is one of two fields",
        ),
        ("positive_data_acceptance", (_PROGRAM,), "/valid_from (in_the_future|out_of_range)", "as /occurred_at is"),
        (
            "positive_data_acceptance",
            (_PROGRAM,),
            "/settings/early_payment/calendar/(country|subdivision) unknown_calendar",
            "capitals need be no country whose holidays are known",
        ),
        (
            "positive_data_acceptance",
            (_PROGRAM, _AGREE, _BILL),
            r"(/settings/early_payment)?(/terms)?/steps/\d+(/days)? (exclusive|order)",
            "it is one of two fields, and a schema compares no steps",
        ),
        (
            "positive_data_acceptance",
            (_BILL, _CREDIT),
            "/(total|tax) (missing|exclusive|out_of_range)",
            "it is one of two fields, and a schema compares no amounts",
        ),
        (
            "positive_data_acceptance",
            (_BILL, _CREDIT),
            r"/lines(/\d+/taxes/\d+)? (out_of_range|exclusive|duplicate)",
            "a schema neither adds up nor compares fields",
        ),
        ("positive_data_acceptance", (_BILL,), "too_large", "1,000 lines may be more than 64 KiB"),
        ("positive_data_acceptance", (_BILL,), "/currency unknown_currency", "three capitals need be no currency"),
        ("positive_data_acceptance", (_BILL,), "/number invalid_format", "what nobody sees is no pattern"),
        ("positive_data_acceptance", (_BILL,), "/due_on (before_invoice|missing)", "a schema compares no dates"),
        ("positive_data_acceptance", (_BILL,), "/terms_text ", "a text of XRechnung's is no pattern"),
        ("positive_data_acceptance", (_BILL,), "/customer_id customer_unknown", "as of a purchase"),
        (
            "positive_data_acceptance",
            (_BILL, *_PAYMENTS),
            "(/terms(/mode)?|/mode) points_not_offered",
            "it depends on the program",
        ),
        ("positive_data_acceptance", (_BILL,), "invoice_(number_taken|has_payments)", "it depends on other invoices"),
        (
            "positive_data_acceptance",
            (*_PAYMENTS, _CREDIT),
            "/(paid_on|issued_on) (in_the_future|before_invoice)",
            "it depends on the clock, and on the invoice",
        ),
        ("positive_data_acceptance", (f"GET {INVOICE}/quote",), r"\?paid_on before_invoice", "likewise"),
        (
            "positive_data_acceptance",
            _PAYMENTS,
            r"(/allocations/\d+)?/(invoice_id|currency) (duplicate|other_customer|other_currency)",
            "it depends on the invoices",
        ),
        (
            "positive_data_acceptance",
            (_CREDIT,),
            r"/(total|tax|lines(/\d+/taxes)?) (credit_note_exceeds_invoice|unknown_taxes)",
            "it depends on what is left of the invoice",
        ),
        ("positive_data_acceptance", _LIMITS, "/rate_limit/burst out_of_range", "a schema can't compare two fields"),
        ("positive_data_acceptance", (_REDEMPTION,), "/customer_id customer_unknown", "who has points is known"),
        (
            "positive_data_acceptance",
            (_REDEMPTION,),
            "/(points (below_minimum|between_steps|greatest_share_exceeded)|order_total missing)",
            "it depends on the program",
        ),
        (
            "positive_data_acceptance",
            (_REDEMPTION,),
            "/(points|reward_id|order_id) (missing|contradictory)",
            "it is one of two fields, and a total is of an order",
        ),
        ("positive_data_acceptance", (_CAPTURE,), "/points (out_of_range|not_whole)", "it depends on what is held"),
        ("positive_data_acceptance", (_ADJUST,), "/expires_at (in_the_past|out_of_range)", "it depends on the clock"),
        ("positive_data_acceptance", (_ADJUST,), "/expires_at not_allowed", "only what is given can end"),
        ("positive_data_acceptance", (_SUPPRESS,), "/until (in_the_past|out_of_range)", "it depends on the clock"),
        (
            "positive_data_acceptance",
            tuple(each for each in _COMMANDS if each not in {_PLAYS[0], MY_PLAY}),  # which have no dry run
            "idempotency_key_missing",
            "a dry run can do without it",
        ),
        ("positive_data_acceptance", (_VOUCHER,), r"\?(amount|currency) missing", "either none of them or both"),
        ("positive_data_acceptance", (_VOUCHER,), r"\?categories out_of_range", "a schema doesn't count commas"),
        (
            "positive_data_acceptance",
            (_VOUCHER, _REDEEM),
            r".currency unknown_currency",
            "capitals need be no currency",
        ),
        ("positive_data_acceptance", _REWARDS, ".*/currency (unknown|other)_currency", "likewise, and it is to be one"),
        ("positive_data_acceptance", _REWARDS, "/(valid_from|valid_until|gives/starts_at) out_of_range", "two fields"),
        ("positive_data_acceptance", _REWARDS, "/stock not_allowed", "it depends on whose the codes are"),
        ("positive_data_acceptance", _REWARDS, "/minimum_tier unknown_tier", "programs set tiers"),
        ("positive_data_acceptance", _REWARDS, r"/voucher/categories/\d+ duplicate", "only items in a set are unique"),
        ("positive_data_acceptance", (_CLAIM,), "/code referral_code_unusable", "a claim needs somebody's code"),
        ("positive_data_acceptance", (ASKED,), "/milestone milestone_unknown", "customers reach them"),
        ("positive_data_acceptance", _CODES, "/offer unknown_offer", "programs make offers"),
        ("positive_data_acceptance", _OFFERS, "/qualification/.* unknown_currency", "capitals need be no currency"),
        ("positive_data_acceptance", _OFFERS, r"/steps/\d+/number duplicate", "a schema compares no fields"),
        ("positive_data_acceptance", _OFFERS, "/cheating/refuse_from out_of_range", "likewise"),
        ("positive_data_acceptance", _OFFERS, "/(referrer|referee)/reward_id invalid_format", "rewards are made"),
        (
            "positive_data_acceptance",
            _CAMPAIGNS,
            r"/prizes( missing|/\d+ contradictory|/\d+/id duplicate|/\d+/gift/reward_id unknown_reward)",
            "it depends on other fields, and on rewards",
        ),
        (
            "positive_data_acceptance",
            _CAMPAIGNS,
            "/(ends_at (out_of_range|missing)|trigger/most_days out_of_range)",
            "two fields",
        ),
        (
            "positive_data_acceptance",
            _CAMPAIGNS,
            "/[a-z_/0-9]+ fixed_after_start",
            "calls of the same run start campaigns",
        ),
        ("positive_data_acceptance", _CAMPAIGNS, "/starts_at out_of_range", "as /occurred_at is"),
        (
            "positive_data_acceptance",
            _CAMPAIGNS,
            r"/trigger/(country unknown_country|region unknown_region|names/\d+ unknown_holiday)",
            "capitals need be no country whose holidays are known",
        ),
        (
            "positive_data_acceptance",
            _CAMPAIGNS,
            "/trigger/purchases missing|/trigger/granted exclusive|/holdout contradictory",
            "other fields",
        ),
        (
            "positive_data_acceptance",
            _CAMPAIGNS,
            r"/audience/(purchase|items) not_for_this_trigger",
            "it depends on the trigger",
        ),
        (
            "positive_data_acceptance",
            _CAMPAIGNS,
            r"/audience/(expression |purchase/.* unknown_currency|time/dates/\d+/to out_of_range)",
            "as conditions of rules",
        ),
        (
            "positive_data_acceptance",
            _CAMPAIGNS,
            "/audience/customer/[a-z_]+/most out_of_range",
            "a schema compares no fields",
        ),
        ("positive_data_acceptance", _CAMPAIGNS, "/metric missing", "it depends on the program"),
        ("positive_data_acceptance", _CAMPAIGNS, " too_(large|many)", "it is of all the content, or of all"),
        ("positive_data_acceptance", (_PROGRAM,), "/settings/surprises/margin missing", "it depends on the metric"),
        (
            "positive_data_acceptance",
            _PLAYS,
            "/customer_id customer_unknown|game_not_open|plays_used_up",
            "it depends on who plays what",
        ),
        ("positive_data_acceptance", _MINE, "too_many_requests", "a customer's limit is lower than that of the run"),
        (
            "positive_data_acceptance",
            (f"POST {CAMPAIGN}/customers",),
            " not_by_list",
            "it depends on the campaign's trigger",
        ),
        ("positive_data_acceptance", _RULES, "/.* unknown_currency", "three capitals need be no currency"),
        (
            "positive_data_acceptance",
            (*_RULES, *_OFFERS),
            r"/limits/\d+ (missing|duplicate)",
            "two fields, and others' fields",
        ),
        ("positive_data_acceptance", (*_RULES, *_OFFERS), r"/limits/\d+/every exclusive", "it depends on other fields"),
        ("positive_data_acceptance", _RULES, "/.* not_for_activities", "likewise"),
        (
            "positive_data_acceptance",
            _RULES,
            r"/conditions/time/dates/\d+/to out_of_range",
            "a schema compares no dates",
        ),
        ("positive_data_acceptance", _RULES, "/conditions/expression .*", "a language of its own is no schema"),
        ("positive_data_acceptance", (*_RULES, *_TYPES, *_OFFERS), "/(valid_from|ends_at) out_of_range", "likewise"),
        (
            "positive_data_acceptance",
            (*_RULES, *_TYPES, *_OFFERS),
            "/valid_from applies_earlier",
            "it depends on the newest version",
        ),
        ("positive_data_acceptance", _RULES, "/expiry/(months missing|days exclusive)", "as /settings/expiry"),
        (
            "positive_data_acceptance",
            (*_RULES, *_TYPES, *_OFFERS),
            " too_(large|many)",
            "it is of all the content, or of all",
        ),
        ("positive_data_acceptance", _RULES, "/conditions/expression ", "a schema reads no CEL"),
        ("positive_data_acceptance", (_SIMULATE,), "/until out_of_range", "a schema compares no times"),
        ("positive_data_acceptance", (_SIMULATE,), "/since out_of_range", "as /occurred_at is"),
        (
            "positive_data_acceptance",
            (_SIMULATE,),
            r"/(rules/\d+/id|drafts/\d+|without/\d+) (reserved|duplicate|unknown_rule)",
            "it depends on what there is, and on the others",
        ),
        (
            "positive_data_acceptance",
            (_SIMULATE,),
            r"/rules/\d+(/activity not_for_purchases|/.* (unknown_currency|not_for_activities)| too_large)",
            "as of a rule that is made, and only purchases are simulated",
        ),
        (
            "positive_data_acceptance",
            (_SIMULATE,),
            r"/rules/\d+/(limits/\d+ (missing|duplicate)|limits/\d+/every exclusive|(ends_at|.*/to) out_of_range)",
            "likewise",
        ),
        ("positive_data_acceptance", (_SIMULATE,), r"/rules/\d+/conditions/expression ", "a schema reads no CEL"),
        (
            "positive_data_acceptance",
            (_SIMULATE,),
            r"/rules/\d+/expiry/(months missing|days exclusive)",
            "likewise",
        ),
        ("positive_data_acceptance", _URLS, "/url (invalid_format|bad_port)", "which hosts there are is no pattern"),
        ("positive_data_acceptance", (_PROGRAM,), "/settings/referral_link invalid_format", "likewise"),
        (
            "positive_data_acceptance",
            (_PROGRAM,),
            r"/settings/portal/(logo|home|origins/\d+|framed_by/\d+) invalid_format",
            "a picture, a link and an origin are no patterns",
        ),
        ("positive_data_acceptance", ("POST /v1/signing-keys",), "/jwk invalid_format", "a curve is no pattern"),
        ("positive_data_acceptance", _URLS, r"/types/\d+ unknown_type", "the types are listed by themselves"),
        ("positive_data_acceptance", _URLS, "too_many_webhooks", "the run makes more than a program can have"),
        ("positive_data_acceptance", (f"POST {WEBHOOK}/secrets",), "too_many_secrets", "likewise"),
        ("positive_data_acceptance", (f"POST {WEBHOOK}/resend",), "/since out_of_range", "as /occurred_at is"),
        ("positive_data_acceptance", (MERGE,), "/into (customer_unknown|same_customer)", "it depends on who there is"),
        ("positive_data_acceptance", (MERGE,), "customer_merged", "likewise"),
        (
            "positive_data_acceptance",
            (*_FACTS, *_OF_INVOICES, *_COMMANDS),
            "customer_erased",
            "calls of the same run erase customers",
        ),
        ("positive_data_acceptance", (_EVENTS,), r"\?types unknown_type", "new types come with time"),
        ("positive_data_acceptance", (_CUSTOMER,), "/birthday out_of_range", "it depends on the clock"),
        (
            "positive_data_acceptance",
            (
                _REPORT,
                _CUSTOMER,
                _PROGRAM,
                "POST /v1/api-keys",
                *_REWARDS,
                *_RULES,
                *_TYPES,
                *_TIERS,
                *_OFFERS,
                _ACTIVITY,
                _SIMULATE,
                _REDEEM,
                _ADJUST,
                _SUPPRESS,
                *_URLS,
                _CLAIM,
                _CLICK,
                _MARKS,
                *_OF_INVOICES,
                _AGREE,
            ),
            ".* invalid_character",
            "Postgres keeps no NUL, and each pattern would have to tell it",
        ),
        (
            "positive_data_acceptance",
            (
                *_FACTS,
                _PROGRAM,
                "POST /v1/api-keys/{key_id}/rotate",
                "POST /v1/customers/{customer_id}/portal-sessions",
                *_LIMITS,
                *_REWARDS,
                *_RULES,
                *_TYPES,
                *_TIERS,
                *_OFFERS,
                _SIMULATE,
                _REDEEM,
                _REDEMPTION,
                _CAPTURE,
                _ADJUST,
                f"POST {WEBHOOK}/secrets",
                *_CAMPAIGNS,
                _PLAYS[1],
                *_OF_INVOICES,
                _AGREE,
            ),
            ".* type Expected `[a-z| ]*int[a-z| ]*`, got `float`",
            "1.0 is an integer to a schema; amounts are never read as floats",
        ),
        (
            "ensure_resource_availability",
            (
                "GET /v1/rewards/{reward_id}",
                f"GET {RULE}",
                f"PATCH {RULE}",
                f"GET {RULE}/versions",
                f"GET {TYPE}",
                f"PATCH {TYPE}",
                f"GET {TYPE}/versions",
                f"GET {OFFER}",
                f"PATCH {OFFER}",
                f"GET {OFFER}/versions",
                f"GET {REFERRAL}",
                "GET /v1/redemptions/{redemption_id}",
                "GET /v1/adjustments/{adjustment_id}",
                f"GET {WEBHOOK}",
                f"PATCH {WEBHOOK}",
                f"GET {WEBHOOK}/deliveries",
            ),
            "not_found",
            "a dry run makes nothing",
        ),
        (
            "negative_data_rejection",
            (_BATCH, _OPENING),
            "entry 4",
            "an entry's fault is that entry's result, not the batch's",
        ),
        ("allow_header_conformance", (_BATCH,), "204", "a purchase may be called batch, so GET is allowed, too"),
    )
)


def said(response: Response) -> list[str]:
    """Write what an answer says: `pointer code message` of each error, else its code, else the status."""
    if not response.content:
        return [str(response.status_code)]
    body: dict[str, Any] = json.loads(response.content)
    entries = [f"entry {each['status']}" for each in body.get("results", ())]
    errors = [f"{each['pointer']} {each['code']} {each['message']}" for each in body.get("errors", ())]
    return entries or errors or [str(body.get("code", response.status_code))]


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType]
def filter_failure(_: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Keep what no exception excuses."""
    return not any(
        re.match(each.said, text)
        for each in EXCEPTIONS
        if each.check in failure.checks and case.operation.label in each.routes
        for text in said(response)
    )


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType]
def before_call(_: HookContext, case: Case[Any], __: dict[str, Any]) -> None:
    """Keep the run from ending the keys that it calls with: everything after it would be 401, and so pass.

    And from waiting for events that nobody brings. The example's type of activities is there already, for activities.
    """
    if case.operation.label == _TYPES[0] and isinstance(case.body, dict) and case.body.get("id") == "review":
        case.body["id"] = "review-of-a-shop"
    if case.path_parameters and case.path_parameters.get("key_id") in os.environ[KEPT_KEYS].split():
        case.path_parameters["key_id"] = _NO_KEY
    if case.operation.label == _EVENTS and case.query and case.query.get("wait") in range(1, GREATEST_WAIT + 1):
        case.query["wait"] = 0  # nobody gives events their place meanwhile
    headers: dict[str, str] | None = cast("Any", case).headers
    if case.operation.label in _MINE and headers:
        headers.update(_token_in_place_of(headers.get("Authorization")))
    things: dict[str, str] = json.loads(os.environ[THINGS]).get(case.operation.label, {})
    if case.operation.label == MY_REDEMPTION and isinstance(case.body, dict) and case.body.get("reward_id") == _REWARD:
        case.body["reward_id"] = things["reward_id"]
    for name, value in things.items():
        if case.path_parameters and case.path_parameters.get(name) == EXAMPLES[name]:
            case.path_parameters[name] = value


def _token_in_place_of(header: str | None) -> dict[str, str]:
    """Give the header with a customer's token where a call has a good key; what is none stays."""
    token = json.loads(os.environ[TOKENS]).get(header)
    return {} if token is None else {"Authorization": token}


@schemathesis.deserializer("application/x-ndjson")
def last_line(_: Any, response: Response) -> Any:
    """Read the last of the lines: the document tells the schema of each."""
    return json.loads(response.content.splitlines()[-1])


@schemathesis.check
class ReachesEverything:
    """Every operation succeeded: a run that is refused everywhere would find nothing, too."""

    def __init__(self) -> None:
        paths: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
        self.missing = {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}

    def after_response(self, ctx: CheckContext, response: Response, case: Case[Any]) -> None:  # noqa: ARG002 - as it is called
        """Note what succeeded; OPTIONS does anyway."""
        if response.status_code in {200, 201}:
            self.missing.discard(case.operation.label)

    def after_run(self, ctx: CheckContext) -> None:  # noqa: ARG002 - as it is called
        """Tell what never succeeded."""
        assert not self.missing, f"never succeeded: {sorted(self.missing)}"


schemathesis.openapi.format("iso-4217", st.sampled_from(["EUR", "USD", "JPY", "KWD"]))
schemathesis.openapi.format("iana-time-zone", st.sampled_from(sorted(available_timezones())))
