"""Time that passes: all that a program's books hold is moved into the past, as if it had been written earlier."""

from datetime import timedelta

from service.platform.statements import Db

_MOMENTS = {
    "customer": (
        "next_due_at", "alive_until", "next_expiry_at", "notify_at", "first_purchase_at", "last_purchase_at",
        "enrolled_at", "tier_due_at",
    ),
    "lot": ("available_at", "expires_at", "notify_at"),
    "expiry_notice": ("ends_at", "told_at"),
    "hold": ("expires_at", "recorded_at", "ended_at"),
    "purchase": ("occurred_at", "recorded_at"),
    "activity": ("occurred_at", "recorded_at"),
    "transfer": ("occurred_at", "recorded_at"),
    "refund": ("occurred_at", "recorded_at"),
    "program_settings": ("valid_from", "recorded_at"),
    "reward_piece": ("taken_at", "expires_at"),
    "voucher": ("issued_at", "valid_until", "cancelled_at"),
    "tier_change": ("occurred_at", "recorded_at"),
    "tier_notice": ("ends_at", "told_at"),
    "brought_tier": ("since", "until", "recorded_at"),
    "suppression": ("until", "set_at", "ended_at"),
    "adjustment": ("expires_at", "asked_at", "decided_at"),
}  # fmt: skip
_MOVED = [
    f"{table}_moved AS (UPDATE {table} SET {', '.join(f'{each} = {each} - $2::interval' for each in columns)}"
    " WHERE program_id = $1)"
    for table, columns in _MOMENTS.items()
]
_TIERS = """
UPDATE customer AS c SET tier_state = jsonb_strip_nulls(c.tier_state || jsonb_build_object(
    'since', (c.tier_state ->> 'since')::timestamptz - $2::interval,
    'next_day', (c.tier_state ->> 'next_day')::integer - $3::integer,
    'noticed_day', (c.tier_state ->> 'noticed_day')::integer - $3::integer,
    'days', (SELECT jsonb_agg(d.day::integer - $3::integer ORDER BY d.place)
        FROM jsonb_array_elements_text(c.tier_state -> 'days') WITH ORDINALITY AS d (day, place)),
    'guarantees', (SELECT jsonb_agg(jsonb_set(g.its, '{until}', to_jsonb(
            (g.its ->> 'until')::integer - CASE WHEN (g.its ->> 'until')::integer < 3652060 THEN $3::integer ELSE 0 END
        ))) FROM jsonb_array_elements(c.tier_state -> 'guarantees') AS g (its))
))
WHERE c.program_id = $1 AND c.tier_state IS NOT NULL"""
"""What was counted for tiers is kept by days, which whole ones shift."""
_BROUGHT = """
UPDATE brought_tier AS b SET counted = (
    SELECT coalesce(jsonb_agg(
        jsonb_set(e.its, '{occurred_at}', to_jsonb((e.its ->> 'occurred_at')::timestamptz - $2::interval))
    ), '[]') FROM jsonb_array_elements(b.counted) AS e (its)
)
WHERE b.program_id = $1"""
_HAS_CALENDAR = """
SELECT EXISTS (
    SELECT FROM program_settings AS s
    WHERE s.program_id = $1 AND s.settings -> 'tiers' -> 'period' ->> 'kind' = 'calendar'
)"""
_PASSING = f"WITH {', '.join(_MOVED)} UPDATE catalogue_version SET version = version + 1"


async def pass_time(owner: Db, program_id: int, passing: timedelta) -> None:
    """Let time pass for one program. `owner` may change history, which the service can't.

    From when on settings apply, processes know anew half a second later. Periods of the calendar don't shift: what
    hangs on them has a clock of its own (`wall_clock.py`).
    """
    assert not await owner.fetchval(_HAS_CALENDAR, program_id), "tiers by the calendar need a clock that is set"
    await owner.execute(_TIERS, program_id, passing, passing.days)
    await owner.execute(_BROUGHT, program_id, passing)
    await owner.execute(_PASSING, program_id, passing)
