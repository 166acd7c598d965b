"""What breaks the invariants of surprises in books that `tests.store.surprised` fills."""

from typing import Final

WHO_WAITS: Final = "(SELECT s.customer_id FROM surprise AS s WHERE s.state = 'waiting')"
BROKEN: Final[dict[str, list[str]]] = {
    "campaigns_that_started_are_defined": [
        "DELETE FROM campaign_run",
        "UPDATE definition_version SET state = 'draft' WHERE kind = 'campaign'",
    ],
    "slices_are_what_gifts_took": [
        "UPDATE campaign_slice SET taken = taken + 1 WHERE taken < cap",
        "UPDATE surprise SET cost = cost + 1",
        "UPDATE surprise SET state = 'stopped', ended_at = now(), reason = 'gone' WHERE state = 'waiting'",
    ],
    "an_occasion_is_drawn_once": [
        (
            "INSERT INTO campaign_draw SELECT d.program_id, d.campaign_id, gen_random_uuid(), d.customer_id,"
            " d.occasion, d.version, d.u, d.lefts, d.prize, d.drawn_at FROM campaign_draw AS d"
        ),
    ],
    "gifts_are_what_was_drawn": [
        "UPDATE surprise SET prize = 'other'",
        "UPDATE surprise SET points = points + 1 WHERE points > 0",
        "UPDATE surprise SET customer_id = customer_id + 1",
        "UPDATE campaign_draw SET prize = 7",
        "DELETE FROM surprise WHERE state = 'stopped'",
        "DELETE FROM campaign_draw",
    ],
    "revealed_points_were_booked": [
        "UPDATE surprise SET points = points + 1 WHERE points > 0",
        "DELETE FROM surprise WHERE points > 0",
        "UPDATE transfer SET cause_id = 'sur_' || repeat('0', 32) WHERE cause_type = 'surprise'",
    ],
    "revealed_rewards_have_vouchers": [
        "UPDATE surprise SET reward_id = 'rwd_other' WHERE reward_id IS NOT NULL",
        (
            "UPDATE surprise SET state = 'waiting', revealed_at = NULL"
            " WHERE reward_id IS NOT NULL AND state = 'revealed'"
        ),
        "UPDATE surprise SET state = 'revealed', revealed_at = now() WHERE state = 'waiting'",
    ],
    "the_held_out_draw_nothing": ["UPDATE campaign_enrolment SET held_out = TRUE"],
    "who_draws_is_enrolled": [
        "DELETE FROM campaign_enrolment WHERE campaign_id = '00000000-0000-0000-0000-000000000000'",
        "DELETE FROM campaign_enrolment WHERE campaign_id != '00000000-0000-0000-0000-000000000000'",
    ],
    "plays_are_numbered": [
        "UPDATE campaign_play SET number = 3 WHERE number = 2",
        "DELETE FROM campaign_play WHERE number = 1",
    ],
    "stopped_gifts_say_by_what": [
        "DELETE FROM surprise_stop",
        "UPDATE surprise_stop SET customer_id = customer_id + 1",
        "UPDATE surprise SET reason = 'gone' WHERE state = 'stopped'",
    ],
    "nothing_waits_for_the_erased": [
        (
            "UPDATE customer SET external_id = NULL, erased_at = now(), available = 0, held = 0, sliding = 0,"
            f" next_expiry_at = NULL, next_expiry_points = 0 WHERE id IN {WHO_WAITS}"
        ),
    ],
    "customers_had_what_they_drew": [
        "UPDATE customer SET surprises = replace(surprises::text, '\"g\": 1', '\"g\": 7')::jsonb",
        "UPDATE campaign_enrolment SET held_out = NOT held_out",
    ],
    "what_gifts_lost_was_taken_back": ["UPDATE surprise SET reversed = 1 WHERE points > 0"],
}
