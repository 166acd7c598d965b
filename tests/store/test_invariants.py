"""Every invariant can fail: each is broken here once, by the owner of the tables, and `verify` names it."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import pytest

from service.adjustments import usecases as adjustments
from service.adjustments.rules import AdjustmentReason, Keyholder, NewAdjustment
from service.customers import usecases as customers
from service.customers.suppressions import usecases as suppressions
from service.customers.suppressions.rules import NewSuppression, SuppressionReason
from service.earning.activity_types import ActivityTypeContent, TextProperty
from service.earning.defining import ACTIVITY_TYPES, EARNING_RULES
from service.earning.rules import Bonus, RuleContent
from service.kernel.ids import IdSource
from service.news import KINDS
from service.opening_balances import usecases as opening_balances
from service.opening_balances.rules import OpeningBalance, OpeningCount, OpeningLot
from service.platform import verify as proof
from service.platform.clock import database_time
from service.platform.statements import Db, write_together
from service.platform.verify import invariants, verify
from service.points.rules import HoldStatus
from service.programs import defining
from service.programs import usecases as programs
from service.programs.definitions import Change, DefinitionKind, State
from service.programs.payment_terms import EarlyPayment, PointsForDiscount
from service.programs.rules import Program, ProgramSettings, SettingsVersion
from service.programs.tier_policy import CountedPoints, RollingPeriod, TierPolicy
from service.purchases import usecases
from service.purchases.engaging import Activity
from service.purchases.returning import RefundReport, report_refund
from service.purchases.rules import Purchase
from service.referrals.asks import store as ask_store
from service.referrals.asks import usecases as asks
from service.referrals.asks.rules import ReferralAsk
from service.rewards import redeeming
from service.rewards import usecases as rewards
from service.rewards.rules import CodeSource, Gift, NewReward
from service.rewards.vouchers import Order, Voucher
from service.tiers.defining import TIERS
from service.tiers.rules import TierContent
from service.webhooks import delivering
from service.webhooks import usecases as webhooks
from service.webhooks.rules import Attempt, NewWebhook, Sent
from tests.conftest import Servers, new_database
from tests.store import broken_surprises
from tests.store.broken_invoices import BESIDE, BROKEN, ERASED
from tests.store.invoiced import erase, invoice, join
from tests.store.referred import refer
from tests.store.surprised import surprise

EMPTIED = (
    "UPDATE customer SET available = 0, held = 0, purchase_count = 0, first_purchase_at = NULL,"
    " last_purchase_at = NULL, sliding = 0, next_expiry_at = NULL, next_expiry_points = 0"
)
BREAKS = {
    "history_is_append_only": "GRANT UPDATE (points) ON transfer TO loyalty_service",
    "partitions_are_ahead": "ALTER TABLE purchase DETACH PARTITION {next_quarter}",
    "rows_belong_to_a_program": "UPDATE claim SET program_id = 99",
    "settings_versions_are_whole": "INSERT INTO program_settings SELECT program_id, 3, settings, recorded_at"
    " FROM program_settings",
    "definition_versions_are_whole": "UPDATE definition_version SET version = version + 1 WHERE version = 3;"
    " UPDATE definition SET version = 4 WHERE version = 3",
    "definitions_begin_and_end_once": "UPDATE definition_version SET state = 'draft' WHERE version = 2",
    "an_event_for_each_version_of_a_definition": "DELETE FROM outbox WHERE type = 'earning_rule.created'",
    "rules_had_their_versions": """UPDATE purchase SET lines = '[{{"rule":"gone","version":1,"points":100}}]'""",
    "limits_used_were_given": """UPDATE customer SET limits_used = '{{"base":{{"life":[0,101,1]}}}}'""",
    "activities_had_their_types": "UPDATE activity SET type_version = 2",
    "activities_that_earned_are_counted": "UPDATE customer SET limits_used = NULL",
    "limits_for_all_were_given": "INSERT INTO earning_use SELECT id, 'base', 'life', '1970-01-01', 1, 99 FROM program",
    "tier_changes_chain": """UPDATE customer SET tier = 'gold', tier_state = tier_state || '{{"tier":"gold"}}'""",
    "tiers_are_those_of_their_states": "UPDATE customer SET tier = 'gold'",
    "one_event_for_each_change_of_a_tier": "DELETE FROM outbox WHERE type = 'customer.tier_changed'",
    "tiers_count_the_facts": """UPDATE customer SET tier_state = tier_state || '{{"amounts":[7]}}'""",
    "balance_is_sum_of_transfers": "UPDATE customer SET available = available + 1",
    "available_is_sum_of_open_lots": "UPDATE lot SET remaining = remaining - 1 WHERE remaining > 0",
    "transfers_chain": "UPDATE transfer SET available_after = available_after + 1",
    "version_counts_transfers": "UPDATE customer SET version = version + 1",
    "lots_are_granted_by_transfers": "UPDATE lot SET granted = granted + 1",
    "remaining_is_sum_of_entries": "UPDATE lot SET remaining = 0",
    "entries_are_of_their_transfer": "INSERT INTO lot_entry SELECT program_id, customer_id, id, id, -1 FROM lot",
    "held_is_sum_of_holds": "UPDATE customer SET held = held + 1",
    "what_is_due_is_noted": "UPDATE lot SET expires_at = '2100-01-01'",
    "nothing_is_spent_after_its_end": "UPDATE transfer SET from_bucket = 'available', to_bucket = 'held';"
    "INSERT INTO lot_entry SELECT program_id, customer_id, id, id, -1 FROM lot;"
    "UPDATE lot SET expires_at = '2026-01-02'",
    "nothing_ends_without_its_notice": "UPDATE transfer SET from_bucket = 'available', to_bucket = 'expired',"
    " reason = 'expiry';"
    "INSERT INTO lot_entry SELECT program_id, customer_id, id, id, -1 FROM lot;"
    "UPDATE lot SET needs_notice = true, notify_at = now()",
    "one_event_for_each_notice": "INSERT INTO expiry_notice"
    " SELECT program_id, customer_id, id, 1, now(), now() FROM lot",
    "one_event_for_each_movement": "UPDATE transfer SET to_bucket = 'pending' WHERE reason = 'purchase'",
    "one_event_for_each_step_of_a_hold": "DELETE FROM outbox WHERE type = 'redemption.captured'",
    "one_event_for_each_customer": "DELETE FROM outbox WHERE type = 'customer.enrolled'",
    "an_event_for_each_version_of_a_reward": "DELETE FROM outbox WHERE type = 'reward.created'",
    "places_have_no_gaps": "INSERT INTO event SELECT program_id, 5, gen_random_uuid(), type, customer_id, subject_id,"
    " recorded_at FROM outbox LIMIT 1",
    "one_place_for_each_event": "INSERT INTO event SELECT program_id, 3 + row_number() OVER (), id, type, customer_id,"
    " subject_id, recorded_at FROM outbox",
    "merges_lose_nothing": "INSERT INTO customer_merge"
    " SELECT program_id, gen_random_uuid(), id, 0, now() FROM customer",
    "merged_records_keep_nothing": EMPTIED + ", merged_into = 0",
    "no_debt_beside_open_lots": "UPDATE customer SET available = 0, held = 0, debt = 1",
    "one_claim_one_fact": "DELETE FROM claim WHERE id = 'p-1'",
    "one_event_for_each_fact": "DELETE FROM outbox WHERE type = 'purchase.rewarded'",
    "facts_earned_what_was_issued": "UPDATE purchase SET lines = '[]'",
    "brought_tiers_are_of_opening_balances": "UPDATE brought_tier SET customer_id = 0",
    "base_rule_had_its_version": "UPDATE transfer SET rule_version = 2 WHERE rule = 'base'",
    "facts_answered_their_balance": "UPDATE purchase SET available_after = available_after + 1",
    "customer_counts_purchases": "UPDATE customer SET purchase_count = purchase_count + 1 WHERE purchase_count > 0",
    "refunds_stay_within_their_purchase": "UPDATE refund SET amount = amount + 1000",
    "refund_is_what_was_booked": "UPDATE refund SET from_lots = from_lots - 1, to_debt = to_debt + 1",
    "nothing_is_left_of_the_erased": "UPDATE purchase SET channel = 'a word';" + ERASED,
    "adjustments_are_what_was_booked": "UPDATE adjustment SET points = -points WHERE points = 7",
    "one_event_for_each_suppression": "DELETE FROM outbox WHERE type = 'customer.suppressed'",
    "suppressions_hold_for_whole_records": ERASED,
    "one_event_for_each_adjustment": "DELETE FROM outbox WHERE type = 'adjustment.waiting'",
    "adjustments_of_the_erased_are_over": ERASED,
    "opening_balances_are_what_was_booked": "UPDATE opening_balance SET debt = debt + 1",
    "reward_versions_are_whole": "INSERT INTO reward_version SELECT program_id, id, 3, '{{}}', created_at FROM reward",
    "taken_is_held_or_issued": "UPDATE reward SET taken = taken - 1 WHERE codes = 'generated'",
    "stock_of_codes_is_what_was_loaded": "UPDATE reward SET stock = stock + 1 WHERE codes = 'third_party'",
    "issued_pieces_have_vouchers": "UPDATE reward_piece SET state = 'issued' WHERE state = 'held'",
    "codes_are_handed_out_once": "UPDATE reward_code SET voucher_id = NULL",
    "vouchers_count_their_uses": "UPDATE voucher SET used = used - 1 WHERE used = 1",
    "one_event_for_each_voucher": "DELETE FROM outbox WHERE type = 'voucher.redeemed'",
    "held_pieces_are_of_open_holds": "UPDATE hold SET status = 'released', ended_at = now() WHERE status = 'held'",
    "issued_pieces_are_paid": "UPDATE hold SET status = 'lapsed', captured = 0 WHERE status = 'captured'",
    "lanes_are_within_their_feeds": "UPDATE webhook SET position = position + 1",
    "deliveries_are_behind_their_lane": "UPDATE webhook SET position = 1",
    "deliveries_are_of_their_event": "UPDATE webhook_delivery SET type = 'another.type'",
    "what_is_delivered_was_taken": "UPDATE webhook_delivery"
    """ SET attempts = '[{{"status": 200}}, {{"status": 500}}]'""",
    "waiting_deliveries_are_counted": "UPDATE webhook SET waiting = waiting + 1",
    "endpoints_have_one_newest_secret": "UPDATE webhook_secret SET ends_at = now()",
    "one_event_for_each_disabling": "DELETE FROM outbox WHERE type = 'webhook.disabled'",
    "referrals_name_their_customers": "UPDATE referral_code SET customer_id = 0",
    "nobody_refers_himself": EMPTIED + ", merged_into = (SELECT r.referrer_id FROM referral AS r LIMIT 1)"
    " WHERE external_id = 'friend-0'",
    "one_referrer_a_referee": EMPTIED
    + ", merged_into = (SELECT c.id FROM customer AS c WHERE c.external_id = 'friend-0')"
    " WHERE external_id = 'friend-1'",
    "open_referrals_are_known": "UPDATE customer SET open_referral = NULL",
    "claims_ahead_are_open": "DELETE FROM referral_ahead",
    "rewarded_referrals_gave_what_they_say": "UPDATE referral SET referrer_points = referrer_points + 1"
    " WHERE referrer_lot IS NOT NULL",
    "both_sides_in_one_booking": "UPDATE referral SET rewarded_at = now() WHERE rewarded_at IS NOT NULL",
    "reversed_referrals_gave_back": "UPDATE referral SET state = 'rewarded', ended_at = NULL, reason = NULL"
    " WHERE state = 'reversed'",
    "prizes_of_referrals_are_vouchers": "UPDATE referral SET referee_piece = gen_random_uuid()"
    " WHERE referee_piece IS NOT NULL",
    "referrals_stay_within_lifetime_limits": "UPDATE referral SET terms ="
    """ terms || '{{"limits":[{{"every":"life","times":1}}]}}'""",
    "use_of_referrals_was_given": "UPDATE referral_use SET times = 9",
    "steps_are_given_once": "UPDATE referral SET step = 1 WHERE state = 'rewarded'",
    "one_event_for_each_step_of_a_referral": "DELETE FROM outbox WHERE type = 'referral.rewarded'",
    "nothing_of_the_erased_is_known_to_referrals": ERASED,
    "asks_are_of_standing_customers": ERASED,
    "an_event_for_each_time_to_ask": "DELETE FROM outbox WHERE type = 'referral.ask'",
    "milestones_are_announced_once": "UPDATE referral_ask SET announced_at = now()",
    "successes_are_within_their_feeds": "UPDATE referral_ask_seen SET position = position + 1",
    "disablings_are_of_endpoints": "UPDATE webhook_disabling SET webhook_id = gen_random_uuid()",
}
"""What breaks an invariant, by its name. It may break others with it."""

OF_FACTS = ("purchase.rewarded", "purchase.refunded", "opening_balance.booked", "activity.rewarded")

ALSO = {
    "places_have_no_gaps": "UPDATE feed SET position = position + 1",
    "one_event_for_each_movement": "UPDATE outbox SET type = 'points.expired' WHERE type = 'purchase.rewarded'",
    "one_event_for_each_step_of_a_hold": "UPDATE hold SET status = 'lapsed', captured = 0, ended_at = expires_at"
    " WHERE status = 'held'",
    "one_event_for_each_customer": ERASED,
    "an_event_for_each_version_of_a_reward": "INSERT INTO reward_version"
    " SELECT program_id, id, 2, '{{}}', created_at FROM reward; UPDATE reward SET version = 2",
    "definition_versions_are_whole": "UPDATE definition SET version = 1",
    "definitions_begin_and_end_once": "UPDATE definition_version SET state = 'ended' WHERE version = 2",
    "an_event_for_each_version_of_a_definition": "UPDATE outbox SET subject_id = gen_random_uuid()"
    " WHERE type = 'earning_rule.changed'",
    "available_is_sum_of_open_lots": "UPDATE lot SET slides = TRUE",
    "remaining_is_sum_of_entries": "INSERT INTO lot_entry SELECT program_id, customer_id, id, gen_random_uuid(), 1"
    " FROM lot; INSERT INTO lot_entry SELECT program_id, customer_id, id, gen_random_uuid(), -1 FROM lot",
    "held_is_sum_of_holds": "INSERT INTO hold SELECT program_id, customer_id, id, 'released', 1, 0, NULL, now(), now(),"
    " now() FROM lot",
    "merged_records_keep_nothing": "INSERT INTO customer (program_id, id, external_id, merged_into, enrolled_at)"
    " SELECT program_id, -id, 'guest ' || id, id, now() FROM customer;" + ERASED + " WHERE id > 0",
    "nothing_is_left_of_the_erased": "INSERT INTO customer_profile (program_id, customer_id, name, updated_at)"
    " SELECT program_id, id, 'Ann', now() FROM customer; UPDATE refund SET state = '{{}}';" + ERASED,
    "what_is_due_is_noted": "INSERT INTO hold SELECT program_id, customer_id, id, 'held', 1, 0, NULL, now(), now()"
    " FROM lot",
    "settings_versions_are_whole": "UPDATE program SET settings_version = 2",
    "base_rule_had_its_version": "UPDATE transfer SET rule_version = NULL WHERE rule = 'base'",
    "history_is_append_only": "GRANT DELETE ON {this_quarter} TO loyalty_service",
    "facts_earned_what_was_issued": "UPDATE activity SET lines = '[]'",
    "refunds_stay_within_their_purchase": "UPDATE refund SET to_debt = to_debt + 1000",
    "refund_is_what_was_booked": "UPDATE refund SET restored = 1",
    "customer_counts_purchases": "UPDATE customer SET lifetime_earned = lifetime_earned + 1",
    "adjustments_are_what_was_booked": "UPDATE adjustment SET id = gen_random_uuid()",
    "one_event_for_each_adjustment": "UPDATE adjustment SET status = 'booked', transfer_id = id"
    " WHERE status = 'waiting'",
    "adjustments_of_the_erased_are_over": "DELETE FROM adjustment WHERE status = 'waiting';"
    "UPDATE adjustment SET note = 'n' WHERE status = 'refused';" + ERASED,
    "one_event_for_each_suppression": "DELETE FROM outbox WHERE type = 'customer.suppression_lifted'",
    "suppressions_hold_for_whole_records": "DELETE FROM suppression WHERE ended_at IS NULL;" + ERASED,
    "opening_balances_are_what_was_booked": "UPDATE transfer SET reason = 'opening_balance' WHERE reason = 'purchase'",
    "brought_tiers_are_of_opening_balances": "UPDATE opening_balance SET tier = NULL",
    "reward_versions_are_whole": "UPDATE reward SET version = 2",
    "taken_is_held_or_issued": "UPDATE reward_piece SET state = 'held' WHERE state = 'given_back'",
    "stock_of_codes_is_what_was_loaded": "UPDATE reward SET codes = 'generated' WHERE codes = 'third_party'",
    "issued_pieces_have_vouchers": "UPDATE voucher SET customer_id = 0",
    "codes_are_handed_out_once": "UPDATE reward_code SET code = code || 'x'",
    "vouchers_count_their_uses": "UPDATE voucher_use SET number = 2",
    "one_event_for_each_voucher": "UPDATE voucher SET cancelled_at = issued_at WHERE cancelled_at IS NULL",
    "lanes_are_within_their_feeds": "DELETE FROM feed",
    "deliveries_are_behind_their_lane": "UPDATE webhook_delivery SET webhook_id = gen_random_uuid()",
    "deliveries_are_of_their_event": "UPDATE webhook_delivery SET position = position + 1",
    "what_is_delivered_was_taken": "UPDATE webhook_delivery SET attempts = '[]'",
    "waiting_deliveries_are_counted": "DELETE FROM webhook_delivery WHERE state = 'waiting'",
    "endpoints_have_one_newest_secret": "UPDATE webhook SET deleted_at = now()",
    "one_event_for_each_disabling": "DELETE FROM webhook_disabling",
}

MORE = {
    "one_claim_one_fact": [
        "DELETE FROM claim WHERE kind = 2",
        "DELETE FROM claim WHERE kind = 3",
        "DELETE FROM claim WHERE kind = 4",
        "UPDATE claim SET kind = 5 WHERE id = 'p-1'",
        "INSERT INTO claim SELECT program_id, kind, id || '-2', content_hash, subject_id FROM claim",
        *(
            f"UPDATE {table} SET external_id = 'other'"
            for table in ("purchase", "refund", "opening_balance", "activity")
        ),
    ],
    "one_event_for_each_fact": [
        *(f"DELETE FROM outbox WHERE type = '{kind}'" for kind in OF_FACTS),
        *(f"UPDATE outbox SET subject_id = gen_random_uuid() WHERE type = '{kind}'" for kind in OF_FACTS),
        *(
            f"UPDATE outbox SET id = gen_random_uuid(), type = '{kind}' WHERE type = 'customer.enrolled'"
            for kind in OF_FACTS
        ),
    ],
    "facts_earned_what_was_issued": [
        *(f"UPDATE {table} SET earned = earned + 1" for table in ("purchase", "activity")),
        "UPDATE transfer SET reason = 'purchase', cause_type = 'purchase' WHERE reason = 'activity'",
        "UPDATE transfer SET reason = 'activity', cause_type = 'activity' WHERE reason = 'purchase'",
    ],
    "facts_answered_their_balance": ["UPDATE activity SET available_after = available_after + 1"],
    "activities_had_their_types": [
        "UPDATE activity SET type = 'review'",
        "UPDATE definition_version SET valid_from = valid_from + interval '1 year' WHERE kind = 'activity_type'",
        "UPDATE definition_version SET state = 'paused' WHERE kind = 'activity_type'",
    ],
    "activities_that_earned_are_counted": [
        """UPDATE customer SET limits_used = '{{"activity:survey":{{"life":[0,50,2]}}}}'""",
        """UPDATE customer SET limits_used = '{{"activity:review":{{"life":[0,50,1]}}}}'""",
        "UPDATE activity SET customer_id = -customer_id",
    ],
    "rules_had_their_versions": [
        """UPDATE activity SET lines = '[{{"rule":"answers","version":2,"points":50}}]'""",
    ],
    "customer_counts_purchases": ["UPDATE activity SET earned = 40"],
    "nothing_is_left_of_the_erased": ["DELETE FROM refund; " + ERASED],
    "definitions_begin_and_end_once": [
        "UPDATE definition_version SET state = CASE version WHEN 1 THEN 'draft' ELSE 'paused' END",
    ],
    "an_event_for_each_version_of_a_definition": [
        "UPDATE outbox SET type = 'earning_rule.created' WHERE type = 'earning_rule.changed'",
        "UPDATE outbox SET type = 'earning_rule.changed' WHERE type = 'earning_rule.created'",
        "INSERT INTO outbox SELECT program_id, gen_random_uuid(), type, customer_id, subject_id, now() FROM outbox",
    ],
    "tier_changes_chain": [
        "UPDATE tier_change SET from_tier = 'gold', to_tier = 'gone' WHERE from_tier IS NULL",
        "UPDATE tier_change SET customer_id = 0",
    ],
    "one_event_for_each_change_of_a_tier": [
        "INSERT INTO tier_notice SELECT program_id, customer_id, id, 'silver', NULL, now(), now() FROM tier_change",
        "DELETE FROM tier_change",
    ],
    "brought_tiers_are_of_opening_balances": [
        "UPDATE brought_tier SET id = gen_random_uuid()",
    ],
    "tiers_count_the_facts": [
        """UPDATE brought_tier SET counted = '[]'""",
        """UPDATE customer SET tier_state = tier_state || '{{"days":[],"amounts":[]}}'""",
        "UPDATE refund SET state = state - 'reversed_points'",
        "UPDATE hold_part SET restored = 1 WHERE captured > 0",
        "UPDATE hold SET ended_at = ended_at - interval '3 days' WHERE status = 'captured'",
        "UPDATE transfer SET occurred_at = occurred_at - interval '3 days' WHERE reason = 'adjustment'",
        "UPDATE transfer SET from_bucket = 'available', to_bucket = 'issued' WHERE reason = 'adjustment'",
        "UPDATE transfer SET to_bucket = 'expired', reason = 'expiry' WHERE to_bucket = 'redeemed'",
    ],
    "one_event_for_each_suppression": [
        "UPDATE suppression SET ended_as = 'replaced', lifted_by = NULL WHERE ended_as = 'lifted'",
        "UPDATE suppression SET customer_id = -customer_id",
        "DELETE FROM suppression",
        (
            "INSERT INTO outbox SELECT program_id, gen_random_uuid(), type, customer_id, subject_id, now() FROM outbox"
            " WHERE type = 'customer.suppressed'"
        ),
    ],
    "suppressions_hold_for_whole_records": [
        (
            "INSERT INTO customer (program_id, id, external_id, merged_into, enrolled_at)"
            " SELECT program_id, -id, 'guest ' || id, id, now() FROM customer;"
            " UPDATE suppression SET customer_id = -customer_id WHERE ended_at IS NULL"
        ),
    ],
    "asks_are_of_standing_customers": [
        "UPDATE referral_ask SET customer_id = 0",
        (
            "INSERT INTO customer (program_id, id, external_id, merged_into, enrolled_at)"
            " SELECT program_id, -id, 'guest ' || id, id, now() FROM customer;"
            " UPDATE referral_ask SET customer_id = -customer_id"
        ),
    ],
    "an_event_for_each_time_to_ask": [
        "UPDATE outbox SET subject_id = gen_random_uuid() WHERE type = 'referral.ask'",
        "DELETE FROM referral_ask_told",
        (
            "INSERT INTO outbox SELECT program_id, gen_random_uuid(), type, customer_id, subject_id, now() FROM outbox"
            " WHERE type = 'referral.ask'"
        ),
    ],
    "milestones_are_announced_once": [
        (
            "UPDATE referral_ask_told SET milestone = 'purchase:1';"
            " INSERT INTO outbox SELECT program_id, gen_random_uuid(), type, customer_id, subject_id, now() FROM outbox"
            " WHERE type = 'referral.ask'"
        ),
        "UPDATE referral_ask_told SET milestone = 'purchase:2'",
    ],
    "successes_are_within_their_feeds": ["DELETE FROM feed"],
    "held_pieces_are_of_open_holds": [
        "DELETE FROM hold WHERE status = 'held'",
        "UPDATE reward_piece SET state = 'given_back' WHERE state = 'held'",
        "UPDATE reward_piece SET state = 'held' WHERE state = 'given_back'",
        "UPDATE reward_piece SET customer_id = 0 WHERE state = 'held'",
        "UPDATE reward_piece SET expires_at = NULL WHERE state = 'held'",
        "UPDATE hold SET status = 'lapsed', captured = 0 WHERE status = 'captured'",
    ],
    "issued_pieces_are_paid": [
        "UPDATE hold SET captured = 1 WHERE status = 'captured'",
        "UPDATE hold SET order_id = 'o' WHERE status = 'held'",
        "UPDATE hold SET points = points + 1",
        "UPDATE reward_piece SET state = 'held' WHERE state = 'issued'",
    ],
}
"""What else breaks them: each line of these is there for something."""

SINCE: Final = datetime.now(UTC) - timedelta(days=90)
"""From when on there are tiers, types of activities and rules: in whichever year this runs, its facts count."""
BOUGHT_AT: Final = SINCE + timedelta(days=1)
DRAWN, GIVEN_BACK = (UUID(int=number) for number in range(1, 3))


@pytest.fixture(scope="module")
async def books(servers: Servers) -> AsyncGenerator[Db]:
    """Give a database with some purchases, as its owner."""
    async with new_database(servers) as name:
        owner = await asyncpg.connect(servers.database_url(name, owner=True))
        async with owner.transaction():
            program = await with_tiers(owner)
            drafts = [
                usecases.draft(
                    Purchase(
                        id=f"p-{number}",
                        customer_id=f"c-{number % 2}",
                        currency="EUR",
                        total=1000,
                        occurred_at=BOUGHT_AT,
                    ),
                    randomness=number,
                )
                for number in range(4)
            ]
            await usecases.PURCHASES.report(owner, program=program, drafts=drafts, entropy=1)
            await report_refund(
                owner,
                program=program,
                purchase_id="p-0",
                report=RefundReport(id="r-1", amount=500),
                randomness=1,
                entropy=2,
            )
            await adjust(owner, program)
            await suppress(owner, program)
            await give_rewards(owner, program)
            await tell_webhooks(owner, program)
            await engage(owner, program)
            await define(owner, program)
            await ask(owner, program)
            await refer(owner, program, SINCE)
            await invoice(owner, program)
            await surprise(owner, program)
        yield owner
        await owner.close()


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Content of a definition."""

    text: str


async def with_tiers(db: Db) -> Program:
    """Make a program with a tier, which one customer reaches and keeps, and the other one loses by a refund."""
    counts = (CountedPoints.ADJUSTMENTS, CountedPoints.REDEMPTIONS, CountedPoints.EXPIRY)
    settings = ProgramSettings(
        tiers=TierPolicy(RollingPeriod(months=12), counts=counts),
        early_payment=EarlyPayment(points=PointsForDiscount(points=1, amount=10)),
    )
    program = await programs.create_program(db, code="shop", name="Shop", live=False, settings=settings)
    await defining.create(
        db,
        program_id=program.id,
        kind=TIERS,
        definition_id="silver",
        content=TierContent("Silver", 18),
        change=Change(State.ACTIVE, SINCE),
        entropy=80,
    )
    return await programs.program_with_code(db, program.code)


async def define(db: Db, program: Program) -> None:
    """Make an earning rule of three versions: active, other words, paused."""
    kind = DefinitionKind("earning_rule", Words, lambda content, _: content)
    create = partial(defining.create, db, program_id=program.id, kind=kind, definition_id="one")
    change = partial(defining.change, db, program_id=program.id, kind=kind, definition_id="one")
    await create(content=Words(text="a"), change=Change(State.ACTIVE), entropy=1)
    await change(members={"text": "b"}, change=Change(), entropy=2)
    await change(members={}, change=Change(State.PAUSED), entropy=3)


async def engage(db: Db, program: Program) -> None:
    """Declare a type of activities and a rule that rewards it, and let both customers answer a survey twice."""
    content = ActivityTypeContent(name="A survey", properties={"text": TextProperty()}, once=True)
    rule = RuleContent(name="Answers", effect=Bonus(50), activity="survey")
    create = partial(defining.create, db, program_id=program.id, change=Change(State.ACTIVE, SINCE))
    await create(kind=ACTIVITY_TYPES, definition_id="survey", content=content, entropy=41)
    await create(kind=EARNING_RULES, definition_id="answers", content=rule, entropy=42)
    declared = await programs.program_with_code(db, code=program.code)
    assert declared is not None
    drafts = [
        usecases.draft_activity(
            Activity(f"a-{number}", f"c-{number % 2}", "survey", SINCE, {"text": "fine"}), randomness=number
        )
        for number in range(4)
    ]
    await usecases.ACTIVITIES.report(db, program=declared, drafts=drafts, entropy=43)


async def adjust(db: Db, program: Program) -> None:
    """Bring points and a debt, and make adjustments of all kinds: up, down, approved, refused, one that waits."""
    content = [
        OpeningBalance("old-1", "c-1", [OpeningLot(40, datetime(2025, 3, 1, tzinfo=UTC))]),
        OpeningBalance("old-2", "c-1", [], 5),
        OpeningBalance("old-3", "c-1", [], tier="silver", counted=[OpeningCount(3, datetime(2026, 2, 1, tzinfo=UTC))]),
    ]
    drafts = [opening_balances.draft(each, randomness=number) for number, each in enumerate(content, 100)]
    await opening_balances.OPENING_BALANCES.report(db, program=program, drafts=drafts, entropy=50)
    settings = msgspec.structs.replace(program.settings, adjustment_limit=10)
    limited = msgspec.structs.replace(program, newest=SettingsVersion(1, settings))
    asker, other = (Keyholder(UUID(int=number), UUID(int=number)) for number in (1, 2))
    asked = list[UUID]()
    for number, points in enumerate((7, -3, 20, 30, 40)):
        new = NewAdjustment(points, AdjustmentReason.GOODWILL)
        made = await adjustments.adjust(db, program=limited, customer_id="c-1", new=new, by=asker, entropy=60 + number)
        asked.append(made.adjustment.id)
    await adjustments.approve(db, program=limited, adjustment_id=asked[2], by=other, entropy=70)
    await adjustments.refuse(db, program_id=program.id, adjustment_id=asked[3], by=other, entropy=71)


async def suppress(db: Db, program: Program) -> None:
    """Suppress a customer for three reasons: one holds with another reference than at first, one is lifted."""
    for number, (reason, reference) in enumerate(
        [("open_case", "a"), ("open_case", "b"), ("complaint", None), ("opt_out", None)]
    ):
        new = NewSuppression(SuppressionReason(reason), reference=reference)
        await suppressions.suppress(
            db, program_id=program.id, customer_id="c-1", new=new, by=UUID(int=1), entropy=90 + number
        )
    await suppressions.lift(
        db,
        program_id=program.id,
        customer_id="c-1",
        reason=SuppressionReason.COMPLAINT,
        by=UUID(int=1),
        entropy=94,
    )


async def ask(db: Db, program: Program) -> None:
    """Record two milestones of a customer: one that was announced, and one that waits."""
    customer = (await customers.read(db, program_id=program.id, customer_ids=["c-1"]))["c-1"].id
    now = await database_time(db)
    reached = [ReferralAsk(f"purchase:{number}", now, now + timedelta(days=14)) for number in (1, 2)]
    told = (customer, msgspec.structs.replace(reached[0], announced_at=now))
    rows = [ask_store.adding(program.id, [told, (customer, reached[1])]), ask_store.going_on(program.id, 0, 3)]
    await write_together(db, [*rows, *asks.announcements(program.id, [told], ids=IdSource(now, 95), now=now)])


async def give_rewards(db: Db, program: Program) -> None:
    """Make rewards of both kinds of codes, and take pieces of them by redemptions and a draw, to each possible end."""
    gift, rewarded = Gift(description="a mug"), list[UUID]()
    for number, codes in enumerate(CodeSource):
        new = NewReward(name="Mug", gives=gift, points=2, codes=codes)
        reward = await rewards.create_reward(db, program_id=program.id, new=new, entropy=number)
        rewarded.append(reward.id)
    await rewards.load_codes(db, program_id=program.id, reward_id=rewarded[1], codes=["A", "B"], entropy=9)
    held, released, redeemed = [await redeem(db, program, rewarded[0], entropy) for entropy in (10, 11, 12)]
    assert held.hold.status is HoldStatus.HELD
    await redeeming.release(db, program=program, hold_id=released.hold.id, entropy=13)
    bought = await redeeming.capture(
        db, program=program, hold_id=redeemed.hold.id, spent=None, entropy=14 | 15 << 62, code_bits=1
    )
    used = bought.voucher
    cancelled = await draw(db, program, rewarded[1])
    assert used is not None
    order = Order(1000, "EUR")
    await rewards.redeem(db, program_id=program.id, code=used.code, order_id="o-1", order=order, entropy=30)
    await rewards.cancel(db, program_id=program.id, code=cancelled.code, entropy=31)


async def tell_webhooks(db: Db, program: Program) -> None:
    """Make endpoints: one that is told something, to each possible end, one that is gone, and one that is deleted."""
    told, gone, deleted = [await endpoint(db, program, entropy) for entropy in (80, 81, 82)]
    await webhooks.delete(db, program_id=program.id, webhook_id=deleted)
    await db.execute(
        "INSERT INTO event SELECT program_id, n, gen_random_uuid(), 'customer.changed', id, gen_random_uuid(), now()"
        " FROM generate_series(1, 3) AS n, (SELECT program_id, min(id) AS id FROM customer GROUP BY program_id) AS c"
    )
    await db.execute("INSERT INTO feed VALUES ($1, 3)", program.id)
    await answer(db, program, told, [200, 500])
    await db.execute(
        "UPDATE webhook_delivery SET since = since - interval '4 days', next_at = now() WHERE state = 'waiting'"
    )
    await answer(db, program, told, [500, 500])
    await answer(db, program, gone, [410])


async def endpoint(db: Db, program: Program, entropy: int) -> UUID:
    """Make an endpoint; returns its id."""
    new = NewWebhook("https://hooks.example.com/")
    made, _ = await webhooks.create(db, program_id=program.id, new=new, secret=bytes(32), entropy=entropy)
    return made.id


async def answer(db: Db, program: Program, webhook_id: UUID, statuses: list[int]) -> None:
    """Let an endpoint answer what it is told now with these statuses, and be told no more."""
    lease = await delivering.take(db, program_id=program.id, webhook_id=webhook_id)
    assert lease is not None
    batch = await delivering.load(db, program_id=program.id, webhook_id=webhook_id, lease=lease, kinds=KINDS)
    assert batch is not None
    sent: list[Sent | None] = [Sent(Attempt(batch.at, status, 1)) for status in statuses]
    sent += [None] * (len(batch.deliveries) - len(sent))
    chances = [0.5] * len(sent)
    assert await delivering.record(
        db, program_id=program.id, batch=batch, sent=sent, chances=chances, entropy=90, kinds=KINDS
    )
    await delivering.leave(db, program_id=program.id, webhook_id=webhook_id, lease=lease)


async def redeem(db: Db, program: Program, reward_id: UUID, entropy: int) -> redeeming.Redemption:
    """Redeem a reward."""
    return await redeeming.redeem_reward(
        db,
        program=program,
        customer_id="c-0",
        reward_id=reward_id,
        order_id=None,
        expires_in=None,
        entropy=entropy,
    )


async def draw(db: Db, program: Program, reward_id: UUID) -> Voucher:
    """Take a piece and issue it without a hold, and take another and give it back."""
    found = await customers.read(db, program_id=program.id, customer_ids=["c-0"])
    now = await db.fetchval("SELECT clock_timestamp()")
    for piece_id in (DRAWN, GIVEN_BACK):
        await rewards.take_stock(
            db, program=program, reward_id=reward_id, customer=found["c-0"], piece_id=piece_id, now=now
        )
    await rewards.give_back_stock(db, program_id=program.id, piece_ids=[GIVEN_BACK])
    return await rewards.issue(db, program=program, piece_id=DRAWN, code_bits=1, now=now, entropy=16)


async def broken(db: Db) -> set[str]:
    """Name the invariants that don't hold."""
    return {finding.invariant.name for finding in await verify(db) if finding.broken}


async def breaking(db: Db) -> set[str]:
    """Name them in a transaction that goes on."""
    return {statement.name for _, statement in invariants() if await db.fetch(f"{statement.sql}\nLIMIT 1")}


async def quarters(db: Db) -> dict[str, str]:
    """Name partitions of purchases: that of now, and that of 30 days from now."""
    row = await db.fetchrow(
        """
        SELECT
            'purchase' || to_char(clock_timestamp() AT TIME ZONE 'UTC', '"_"YYYY"q"Q') AS this_quarter,
            'purchase' || to_char((clock_timestamp() + interval '30 days') AT TIME ZONE 'UTC', '"_"YYYY"q"Q')
            AS next_quarter
        """
    )
    assert row is not None
    return dict(row)


def test_every_invariant_is_broken_here() -> None:
    known = BREAKS.keys() | BROKEN.keys() | broken_surprises.BROKEN.keys()
    assert known == {statement.name for _, statement in invariants()}


BREAKING = [
    *BREAKS.items(),
    *ALSO.items(),
    *(
        (name, sql)
        for each in (MORE, BROKEN, BESIDE, broken_surprises.BROKEN)
        for name, lines in each.items()
        for sql in lines
    ),
]


@pytest.mark.parametrize(("name", "sql"), BREAKING)
async def test_what_breaks_an_invariant_is_found(books: Db, name: str, sql: str) -> None:
    assert await broken(books) == set()
    undo = books.transaction()
    await undo.start()
    try:
        await books.execute(sql.format(**await quarters(books)))
        assert name in await breaking(books)
    finally:
        await undo.rollback()


async def test_they_hold_for_payers_who_are_merged_and_erased(books: Db) -> None:
    undo = books.transaction()
    await undo.start()
    try:
        program = await programs.program_with_code(books, "shop")
        for change in (join, erase):
            await change(books, program)
            assert await breaking(books) == set()
    finally:
        await undo.rollback()


async def test_no_invariant_is_proved_by_a_loop_within_a_loop(books: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that nobody has counted yet are taken for small: the planner likes loops then, and thousands are many."""
    plans = [
        (room, replace(invariant, sql=f"EXPLAIN {invariant.sql}"))
        for room, invariant in invariants()
        if invariant.name not in {"history_is_append_only", "partitions_are_ahead"}  # they ask table by table
    ]
    assert plans
    monkeypatch.setattr(proof, "invariants", lambda: plans)
    looping = [each.invariant.name for each in await verify(books) if "Nested Loop" in str(each.broken)]
    assert looping == []
