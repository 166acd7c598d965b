"""Time that passes: all that a program's books hold is moved into the past, as if it had been written earlier."""

from datetime import timedelta

from service.platform.statements import Db

_MOMENTS = {
    "customer": (
        "next_due_at", "alive_until", "next_expiry_at", "notify_at", "first_purchase_at", "last_purchase_at",
        "enrolled_at",
    ),
    "lot": ("available_at", "expires_at", "notify_at"),
    "expiry_notice": ("ends_at", "told_at"),
    "hold": ("expires_at", "recorded_at", "ended_at"),
    "purchase": ("occurred_at", "recorded_at"),
    "transfer": ("occurred_at", "recorded_at"),
    "refund": ("occurred_at", "recorded_at"),
    "program_settings": ("valid_from", "recorded_at"),
    "reward_piece": ("taken_at", "expires_at"),
    "voucher": ("issued_at", "valid_until", "cancelled_at"),
    "adjustment": ("expires_at", "asked_at", "decided_at"),
}  # fmt: skip
_MOVED = [
    f"{table}_moved AS (UPDATE {table} SET {', '.join(f'{each} = {each} - $2::interval' for each in columns)}"
    " WHERE program_id = $1)"
    for table, columns in _MOMENTS.items()
]
_PASSING = f"WITH {', '.join(_MOVED)} UPDATE catalogue_version SET version = version + 1"


async def pass_time(owner: Db, program_id: int, passing: timedelta) -> None:
    """Let time pass for one program. `owner` may change history, which the service can't.

    From when on settings apply, processes know anew half a second later.
    """
    await owner.execute(_PASSING, program_id, passing)
