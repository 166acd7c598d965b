"""Offers, referrals and what referees did, for tests of what becomes of referrals."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from service.kernel.times import FIRST_MOMENT
from service.programs.definitions import Definitions, DefinitionVersion, State
from service.programs.rules import Program, ProgramSettings, SettingsVersion
from service.referrals.offers import REFERRAL_OFFER, ReferralOfferContent, Sign
from service.referrals.rules import BEFORE_THE_CLAIM, Fact, Gave, Judgement, Referral, ReferralReason, ReferralState
from service.tiers.book import TIER

CLAIMED: Final = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""When referrals are claimed; they are for 30 days, and then wait for 14."""
DAY: Final = timedelta(days=1)
MOMENT: Final = timedelta(microseconds=1)
END: Final = CLAIMED + 30 * DAY
REFERRER, REFEREE = 7, 8
KEY: Final = UUID(int=77)
LIMIT: Final = {"every": "month", "times": 3}


def offer(**content: Any) -> ReferralOfferContent:
    """Make an offer of its JSON; its name doesn't matter."""
    return msgspec.convert({"name": "Bring a friend"} | content, ReferralOfferContent, strict=True)


def bought(
    number: int = 1, total: int = 5_000, *, at: datetime = CLAIMED, currency: str = "EUR", returned: bool = False
) -> Fact:
    """Make a purchase; `total` is what is left of it."""
    return Fact(UUID(int=number), at, 0 if returned else total, currency, is_returned=returned)


def did(number: int = 1, its_type: str = "install", *, at: datetime = CLAIMED) -> Fact:
    """Make an activity."""
    return Fact(UUID(int=number), at, type=its_type)


def seen(*facts: Fact, now: datetime, signs: set[Sign] | frozenset[Sign] = frozenset()) -> Judgement:
    """Give what there is to judge by."""
    return Judgement(facts, frozenset(signs), now)


def referral(state: ReferralState = ReferralState.SIGNED_UP, **changes: Any) -> Referral:
    """Make a referral that stands somewhere: qualified after a day, rewarded after 15, ended after 20."""
    made = Referral(
        id=UUID(int=1),
        referrer=REFERRER,
        referee=REFEREE,
        code_id=UUID(int=2),
        offer="friends",
        offer_version=1,
        terms=offer(referrer={"kind": "points", "points": 500}, referee={"kind": "points", "points": 200}),
        state=state,
        claimed_with=None,
        claimed_at=CLAIMED,
        counts_from=CLAIMED - BEFORE_THE_CLAIM,
        expires_at=END,
    )
    return msgspec.structs.replace(made, **(_standing(state) | changes))


def _standing(state: ReferralState) -> dict[str, Any]:
    qualified = {"qualified_at": CLAIMED + DAY}
    weighed = qualified | {"waits_until": CLAIMED + 15 * DAY, "score": 0}
    ended = {"ended_at": CLAIMED + 20 * DAY, "reason": ReferralReason.RETURNED}
    gave = {"referrer_gave": Gave(500, UUID(int=3)), "referee_gave": Gave(200, UUID(int=4))}
    rewarded = weighed | gave | {"rewarded_at": CLAIMED + 15 * DAY, "number": 1}
    by_state: dict[ReferralState, dict[str, Any]] = {
        ReferralState.SIGNED_UP: {"look_at": END},
        ReferralState.QUALIFIED: qualified | {"look_at": CLAIMED + DAY},
        ReferralState.WAITING: weighed | {"look_at": CLAIMED + 15 * DAY},
        ReferralState.IN_REVIEW: qualified | {"signs": (Sign.SAME_DEVICE,), "score": 60},
        ReferralState.REWARDED: rewarded,
        ReferralState.REFUSED: weighed | ended,
        ReferralState.EXPIRED: {"ended_at": END},
        ReferralState.REVERSED: rewarded | ended,
    }
    return by_state[state]


def version(
    number: int, content: ReferralOfferContent, *, since: datetime = FIRST_MOMENT, state: State = State.ACTIVE
) -> DefinitionVersion:
    """Make a version of an offer."""
    return DefinitionVersion(number, UUID(int=number), state, msgspec.json.encode(content), since, since)


def program(*, tiers: dict[str, Any] | None = None, settings: Any = None, **offers: Any) -> Program:
    """Make a program with offers, each at its versions; `tiers` likewise."""
    by_id = {its_id: list(versions) for its_id, versions in offers.items()}
    definitions = Definitions({REFERRAL_OFFER: by_id, TIER: tiers or {}})
    newest = SettingsVersion(1, settings or ProgramSettings())
    return Program(1, "shop", "Shop", live=False, newest=newest, definitions=definitions)


def broken(its: Referral) -> list[str]:
    """Name the constraints of the table that a referral breaks."""
    state, ended = its.state, {ReferralState.REFUSED, ReferralState.EXPIRED, ReferralState.REVERSED}
    never_qualified = {ReferralState.SIGNED_UP, ReferralState.REFUSED, ReferralState.EXPIRED}
    is_rewarded = state in {ReferralState.REWARDED, ReferralState.REVERSED}
    got = (its.referrer_gave, its.referee_gave)
    given = [each for gave in got for each in (gave.lot, gave.piece) if each is not None]
    holds = {
        "of_another": its.referee != its.referrer,
        "in_window": its.counts_from <= its.claimed_at < its.expires_at,
        "qualified": its.qualified_at is not None or state in never_qualified,
        "qualified_is_known": its.referee is not None or state in never_qualified,
        "rewarded": (its.rewarded_at is not None) == is_rewarded == (its.number is not None),
        "ended": (its.ended_at is not None) == (state in ended),
        "reason": (its.reason is not None) == (state in ended - {ReferralState.EXPIRED}),
        "by_limit": (its.reached_limit is not None) == (its.reason is ReferralReason.LIMIT),
        "gave": all((gave.points > 0) == (gave.lot is not None) for gave in got),
        "gave_rewarded": is_rewarded or (not given and its.step is None),
        "looked_at": its.look_at is not None
        or state not in {ReferralState.SIGNED_UP, ReferralState.QUALIFIED, ReferralState.WAITING},
        "score": its.score is None or its.score >= 0,
        "waits": state is not ReferralState.WAITING or its.waits_until is not None,
    }
    return [name for name, is_kept in holds.items() if not is_kept]


def reason_of(sign: Sign) -> ReferralReason:
    """Tell why a referral ends that has only this sign."""
    return ReferralReason.ALREADY_REFERRED if sign is Sign.ALREADY_REFERRED else ReferralReason.CHEATING
