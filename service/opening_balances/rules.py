"""What an opening balance is: what a customer had elsewhere, and the points and the tier that it brings. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.customers.rules import Balance
from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid, Kind, Refusal
from service.kernel.ids import CallerId
from service.kernel.times import Time, check_happened, in_utc
from service.points.account import Account
from service.points.policies import alive_from, life_of, with_end
from service.points.rules import NEVER, Alive, Bucket, Cause, Life
from service.programs.policies import LONGEST_PENDING_DAYS
from service.programs.rules import Program, ProgramSettings
from service.tiers.bringing import BroughtAlong, FormerCount, FormerTier, last_of, unit_of
from service.tiers.climbing import Climbing, TierName
from service.tiers.rules import Ladder

_replace = msgspec.structs.replace
MOST_LOTS: Final = 500
MOST_COUNTED: Final = 400
"""More than a year has days."""
OPENING_BALANCE: Final = "opening_balance"
TierId = Annotated[str, Meta(min_length=1, max_length=63)]


class OpeningLot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Points that were earned together, and are left. They are pending until `available_at`, where that is to come."""

    points: Annotated[int, Meta(ge=1, le=BOUND)]
    earned_at: Time
    expires_at: Annotated[
        Time | UnsetType | None,
        Meta(
            description="When they end; null: never; where it is left out, as the program's expiry says of points that "
            "were earned then."
        ),
    ] = UNSET
    available_at: Time | None = None


class OpeningCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was counted for tiers elsewhere, at a moment."""

    amount: Annotated[int, Meta(ge=1, le=BOUND)]
    occurred_at: Time


class OpeningBalance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a customer brings from elsewhere: the lots that are left, or a debt; a tier. It may be nothing at all."""

    id: CallerId
    customer_id: CallerId
    lots: Annotated[list[OpeningLot], Meta(max_length=MOST_LOTS)]
    debt: Annotated[int, Meta(ge=0, le=BOUND, description="Not beside points that are available.")] = 0
    tier: Annotated[TierId | None, Meta(description="The tier that the customer had, by its id here.")] = None
    tier_since: Annotated[Time | None, Meta(description="When it was reached; left out: now.")] = None
    tier_until: Annotated[
        Time | UnsetType | None,
        Meta(
            description="When its period is over; the program's days of grace follow. Null: never; where it is left "
            "out, as of a tier that was reached here at `tier_since`."
        ),
    ] = UNSET
    counted: Annotated[
        list[OpeningCount],
        Meta(
            max_length=MOST_COUNTED,
            description="What was counted elsewhere and counts for tiers here, by when: sums of days or months, in "
            "points, minor units or purchases, as the program qualifies.",
        ),
    ] = []


class OpeningBalanceConflict(Refusal):
    """The id belongs to an opening balance with other content."""

    kind = Kind.CONFLICT
    code = "opening_balance_conflict"
    title = "This id belongs to an opening balance with other content"


class Brought(msgspec.Struct, frozen=True):
    """What an opening balance brought, and is answered with for ever: points, debt, the balance and the tier then."""

    granted: int
    debt: int
    balance: Balance
    tier: TierName | None = None


def normalised(opening: OpeningBalance) -> OpeningBalance:
    """Bring an opening balance into the form that is compared: times in UTC. Raises Invalid with a pointer."""
    if sum(lot.points for lot in opening.lots) > BOUND:
        detail = f"The lots of a balance hold at most {BOUND} points together."
        raise Invalid(detail, pointer="/lots", reason="out_of_range")
    lots = [_normalised(lot, f"/lots/{number}") for number, lot in enumerate(opening.lots)]
    return _replace(_with_tier_in_utc(opening), lots=lots)


def _with_tier_in_utc(opening: OpeningBalance) -> OpeningBalance:
    times = {"tier_since": opening.tier_since, "tier_until": opening.tier_until}
    told = {name: at for name, at in times.items() if at is not UNSET and (at is not None or name == "tier_until")}
    if told and opening.tier is None:
        detail = "Tell the tier as well, or leave this out."
        raise Invalid(detail, pointer=f"/{next(iter(told))}", reason="contradictory")
    found = {name: in_utc(at, f"/{name}") for name, at in told.items() if isinstance(at, datetime)}
    counted = list[OpeningCount]()
    for number, each in enumerate(opening.counted):
        at = in_utc(each.occurred_at, f"/counted/{number}/occurred_at")
        if any(other.occurred_at == at for other in counted):
            detail = "This moment stands twice: add up what was counted then."
            raise Invalid(detail, pointer=f"/counted/{number}/occurred_at", reason="duplicate")
        counted.append(_replace(each, occurred_at=at))
    if sum(each.amount for each in counted) > BOUND:
        detail = f"What was counted is at most {BOUND} together."
        raise Invalid(detail, pointer="/counted", reason="out_of_range")
    return _replace(opening, counted=counted, **found)


def _normalised(lot: OpeningLot, within: str) -> OpeningLot:
    times = {"earned_at": lot.earned_at, "expires_at": lot.expires_at, "available_at": lot.available_at}
    given = {name: at for name, at in times.items() if isinstance(at, datetime)}
    return _replace(lot, **{name: in_utc(at, f"{within}/{name}") for name, at in given.items()})


def bring_in(opening: OpeningBalance, account: Account, climbing: Climbing, row_id: UUID) -> Brought:
    """Move what an opening balance brings into the account, which is whole where it brings a debt.

    Raises Invalid for what isn't so now: lots that have ended, a debt beside available points, a tier that there is not
    or that is over. Then nothing was moved.
    """
    program, climber = climbing.program, climbing.climber(account)
    lives = _lives(opening.lots, account, program)
    if opening.debt and any(life.available_at is None or life.available_at <= account.now for life in lives):
        detail = "Who has a debt has no points available: leave out one of them."
        raise Invalid(detail, pointer="/debt", reason="contradictory")
    along = _along(opening, climber.ladder, account.now)
    cause = Cause(OPENING_BALANCE, opening.id)
    if any(life.slides for life in lives):
        account.touch(_alive(opening.lots, program))
    if opening.debt:
        account.move(Bucket.DEBT, Bucket.ISSUED, opening.debt, reason=cause.type, cause=cause, at=account.now)
        account.repay(account.open_lots(), cause, account.now)
    for lot, life in zip(opening.lots, lives, strict=True):
        account.grant(
            lot.points,
            transfer_id=account.ids.next(),
            cause=cause,
            rule=None,
            rule_version=None,
            occurred_at=lot.earned_at,
            life=life,
        )
    granted = sum(lot.points for lot in opening.lots)
    tier = climbing.bring(account, climber, along, row_id)
    return Brought(granted, opening.debt, account.customer.balance, tier)


def _along(opening: OpeningBalance, ladder: Ladder | None, now: datetime) -> BroughtAlong | None:
    """Tell what an opening balance brings of tiers; None: nothing. Raises Invalid."""
    former = counted = None
    if opening.tier is not None:
        if ladder is None or ladder.level(opening.tier) < 0:
            raise Invalid("The program has no active tier with this id.", pointer="/tier", reason="unknown_tier")
        former = _former(opening, opening.tier, ladder, now)
    if opening.counted:
        if ladder is None:
            raise Invalid("The program has no tiers.", pointer="/counted", reason="contradictory")
        for number, each in enumerate(opening.counted):
            check_happened(each.occurred_at, now=now, pointer=f"/counted/{number}/occurred_at")
        counted = tuple([FormerCount(each.amount, each.occurred_at) for each in opening.counted])
    if ladder is None or (former is None and counted is None):
        return None
    return BroughtAlong(former, counted or (), *unit_of(ladder))


def _former(opening: OpeningBalance, tier: str, ladder: Ladder, now: datetime) -> FormerTier:
    """Tell since and until when a tier was had elsewhere.

    Raises Invalid for one that is over already; one that asks for nothing never is.
    """
    since, until = opening.tier_since or now, opening.tier_until
    check_happened(since, now=now, pointer="/tier_since")
    if isinstance(until, datetime) and until <= since:
        raise Invalid("A tier is over after it was reached.", pointer="/tier_until", reason="out_of_range")
    former = FormerTier(tier, since, None if isinstance(until, UnsetType) else until or NEVER)
    if last_of(former, ladder) <= ladder.day_of(now) and ladder.thresholds[ladder.level(tier)]:
        detail = "This tier is over already: leave it out, or tell tier_until."
        pointer = "/tier_since" if isinstance(until, UnsetType) else "/tier_until"
        raise Invalid(detail, pointer=pointer, reason="ended")
    return former


def _alive(lots: Sequence[OpeningLot], program: Program) -> Alive | None:
    """Tell until when lots that slide keep the customer's points alive: to have earned them was an activity."""
    earned = [lot.earned_at for lot in lots if isinstance(lot.expires_at, UnsetType)]
    found = (alive_from(program.at(at).settings, at) for at in earned)
    return max((each for each in found if each is not None), key=lambda each: each.until, default=None)


def _lives(lots: Sequence[OpeningLot], account: Account, program: Program) -> list[Life]:
    """Tell how each lot lives by the settings that applied when it was earned, as those of a late purchase do."""
    alive = _alive(lots, program)
    ends = [account.customer.alive_until, None if alive is None else alive.until]
    alive_until = max((at for at in ends if at is not None), default=NEVER)
    lives = list[Life]()
    for number, lot in enumerate(lots):
        settings, within = program.at(lot.earned_at).settings, f"/lots/{number}"
        lives.append(_life(lot, within, now=account.now, alive_until=alive_until, settings=settings))
    return lives


def _life(lot: OpeningLot, within: str, *, now: datetime, alive_until: datetime, settings: ProgramSettings) -> Life:
    """Tell when a lot becomes available and ends. Raises Invalid for one that has ended, or will have by then."""
    check_happened(lot.earned_at, now=now, pointer=f"{within}/earned_at")
    if lot.available_at is not None and lot.available_at > now + timedelta(days=LONGEST_PENDING_DAYS):
        detail = f"This is more than {LONGEST_PENDING_DAYS} days in the future."
        raise Invalid(detail, pointer=f"{within}/available_at", reason="out_of_range")
    life = life_of(settings, "at_once", lot.earned_at)
    ends_at = NEVER if life.needs_notice else alive_until if life.slides else life.expires_at
    if not isinstance(lot.expires_at, UnsetType):
        ends_at = lot.expires_at or NEVER
        life = with_end(life, settings, ends_at)
    if ends_at <= max(now, lot.available_at or now):
        detail = "These points have ended, or will before they are available: leave them out, or tell expires_at."
        raise Invalid(detail, pointer=f"{within}/expires_at", reason="ended")
    return _replace(life, available_at=lot.available_at)
