"""Reading what purchases and activities are rewarded by, beside their customers, and by what referrals are judged."""

from collections.abc import Mapping, Sequence

from service.earning import preparing as earning
from service.earning.preparing import Asked
from service.platform.statements import Db
from service.programs.rules import Program
from service.purchases import store
from service.purchases.terms import ReferringTerms, referring_terms_of
from service.referrals.rules import Fact


async def prepare(db: Db, program: Program, facts: Sequence[Asked], *, at_once: bool = False) -> ReferringTerms:
    """Read what deciding on new facts needs, as `service.earning` says; nothing is known of referrals yet."""
    terms = referring_terms_of(program)
    await earning.prepare(db, terms, facts, past_use=store.past_use, at_once=at_once)
    return terms


async def facts_of(db: Db, program_id: int, customers: Sequence[int]) -> Mapping[int, Sequence[Fact]]:
    """Read all purchases of customers, by internal ids, with what is left of them after returns, and all activities."""
    return await store.facts_of_referees(db, program_id=program_id, customers=customers)
