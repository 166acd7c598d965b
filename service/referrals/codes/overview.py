"""What became of a customer's referrals, as the customer is shown it: numbers, and nobody's name."""

from collections.abc import Mapping, Sequence

import msgspec

from service.platform.statements import Db
from service.referrals import store
from service.referrals.codes import store as codes
from service.referrals.rules import OPEN, UNDECIDED, Referral, ReferralState

NEWEST = 20
"""How many of a customer's referrals are shown one by one."""


class Overview(msgspec.Struct, frozen=True):
    """What a customer brought, and how the customer came.

    `earned` are points of rewarded referrals, `waiting` those that were agreed for referees who qualified and that are
    not decided yet, without steps.
    """

    counts: Mapping[ReferralState, int]
    clicks: int
    earned: int
    waiting: int
    came_by: Referral | None
    newest: Sequence[Referral]


async def overview(db: Db, *, program_id: int, records: Sequence[int]) -> Overview:
    """Read what became of the referrals of a customer's records."""
    sums = await store.sums_of_referrer(db, program_id=program_id, customers=records)
    came = await store.of_referee(db, program_id=program_id, customers=records)
    return Overview(
        counts={state: sums[state].count if state in sums else 0 for state in ReferralState},
        clicks=await codes.count_clicks(db, program_id=program_id, customers=records),
        earned=sums[ReferralState.REWARDED].earned if ReferralState.REWARDED in sums else 0,
        waiting=sum(each.agreed for state, each in sums.items() if state in UNDECIDED),
        came_by=max(came, key=_counts_most, default=None),
        newest=await store.newest_of_referrer(db, program_id=program_id, customers=records, limit=NEWEST),
    )


def _counts_most(referral: Referral) -> tuple[bool, bytes]:
    """Of several, which only records that became one have, prefer one that still counts, then the newest."""
    return referral.state in OPEN or referral.state is ReferralState.REWARDED, referral.id.bytes
