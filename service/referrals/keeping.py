"""What referrals keep of customers."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from service.customers import usecases as customers
from service.customers.keeping import Erasing, Merging
from service.kernel.ids import IdSource
from service.platform.outbox import Event, announcing
from service.platform.statements import Db, write_together
from service.referrals import store
from service.referrals.asks import usecases as asks
from service.referrals.asks.schemas import recorded_ask_out
from service.referrals.codes import store as codes
from service.referrals.opening import EVENTS, sides
from service.referrals.rules import Gave, Referral, ReferralReason, ReferralState
from service.referrals.schemas import ExportedCode, referral_out
from service.referrals.store import Undecided


class ReferralsKeeper:
    """Answers for codes, referrals, marks, and claims that came ahead of the enrolment."""

    tables = frozenset({"referral", "referral_code", "referral_mark", "referral_ahead", "referral_ask"})

    async def merge(self, db: Db, merging: Merging) -> None:
        """Let all referrals of both be judged again: the two may have been one person all the time.

        Rows go on naming the records of then. The target goes on with the earlier of two open referrals; the later one
        is refused.
        """
        program_id, source, target = merging.program_id, merging.source, merging.target
        if source.id == target.id:
            return
        kept = [each for each in (source.open_referral, target.open_referral) if each is not None]
        found = await store.read_many(db, program_id=program_id, referral_ids=kept)
        # A row may name one that ended with its referrer's erasure.
        still_open = [each for each in found if each.state is ReferralState.SIGNED_UP]
        in_order = sorted(still_open, key=lambda each: (each.claimed_at, each.id))
        later = [Undecided(each.id, each.referee, each.state) for each in in_order[1:]]
        await _refuse(db, program_id, later, ReferralReason.ALREADY_REFERRED, merging)
        names = {source.id: None, target.id: in_order[0].id if in_order else None}
        await customers.keep_open_referrals(db, program_id=program_id, referrals=names)
        await asks.merge(db, program_id=program_id, source=source.id, target=target.id)
        await store.rehome_marks(db, program_id=program_id, source=source.id, target=target.id)
        records = [
            record
            for each in (source, target)
            for record in await customers.all_ids(db, program_id=program_id, customer=each)
        ]
        await store.look_again_at_all(db, program_id=program_id, customers=records, now=merging.now)

    async def erase(self, db: Db, erasing: Erasing) -> None:
        """Refuse what is not decided, close and empty codes, forget all marks.

        Codes go first: who claims with one of them meanwhile is waited for, and found. A referee whose referrer is
        erased is not locked here: the job lets that row forget the referral.
        """
        program_id, records = erasing.program_id, erasing.all_ids
        await codes.forget(db, program_id=program_id, customers=records, now=erasing.now)
        await store.forget_marks(db, program_id=program_id, customers=records)
        found = await store.open_of_records(db, program_id=program_id, customers=records)
        ahead = await store.ahead_of_records(db, program_id=program_id, customers=records)
        found += [Undecided(each, None, ReferralState.SIGNED_UP) for each in ahead]
        ended = {each.id: each for each in found}
        await _refuse(db, program_id, list(ended.values()), ReferralReason.ERASED, erasing)
        others = [each.id for each in ended.values() if _is_of_another(each, records)]
        await store.look_soon(db, program_id=program_id, referral_ids=others, now=erasing.now)
        nobodys = [each.id for each in ended.values() if each.referee is None]
        await store.forget_ahead(db, program_id=program_id, referral_ids=nobodys)
        await customers.keep_open_referrals(db, program_id=program_id, referrals=dict.fromkeys(records))
        await asks.forget(db, program_id=program_id, records=records)

    async def export(self, db: Db, program_id: int, all_ids: Sequence[int]) -> Mapping[str, list[Any]]:
        """Give all referrals, in which the other side has no name, and all codes."""
        found = await store.of_records(db, program_id=program_id, customers=all_ids)
        own = set(all_ids)
        known = await sides(db, program_id=program_id, referrals=found)
        shown = {its_id: each for its_id, each in known.items() if its_id in own}
        own_codes = await codes.codes_of(db, program_id=program_id, customers=all_ids)
        return {
            "referrals": [referral_out(_own_side(each, own), shown, reasons=False) for each in found],
            "referral_codes": [
                ExportedCode(each.code, each.offer, each.is_vanity, each.closed_at) for each in own_codes
            ],
            "referral_asks": [
                recorded_ask_out(each) for each in await asks.export(db, program_id=program_id, records=all_ids)
            ],
        }


def _own_side(referral: Referral, own: set[int]) -> Referral:
    """Leave out what the other side got: that is not the customer's."""
    return msgspec.structs.replace(
        referral,
        referrer_gave=referral.referrer_gave if referral.referrer in own else Gave(),
        referee_gave=referral.referee_gave if referral.referee in own else Gave(),
        number=referral.number if referral.referrer in own else None,
        step=referral.step if referral.referrer in own else None,
    )


def _is_of_another(referral: Undecided, erased: Sequence[int]) -> bool:
    """Tell whether somebody else, who has not qualified yet, was brought by those who are erased."""
    return referral.state is ReferralState.SIGNED_UP and referral.referee is not None and referral.referee not in erased


async def _refuse(
    db: Db, program_id: int, referrals: Sequence[Undecided], reason: ReferralReason, by: Merging | Erasing
) -> None:
    """Refuse referrals of locked records, at once: a record may have thousands. Each event tells of the referee."""
    if not referrals:
        return
    # Bits of their own, since the ledger makes ids of the same moment; one source, since those of one batch share bits.
    ids = IdSource(by.now, by.entropy ^ referrals[0].id.int)
    events = [Event(ids.next(), EVENTS[ReferralState.REFUSED], each.referee, each.id) for each in referrals]
    refusing = store.refusing(program_id, [each.id for each in referrals], reason, by.now)
    await write_together(db, [refusing, announcing(program_id, events, by.now)])
