"""Plays of games: paid or granted, each drawn at once, and each once."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from service.customers import usecases as customers
from service.customers.rules import Balance, Customer, CustomerUnknown, Profile
from service.kernel.errors import Kind, Refusal
from service.kernel.periods import day_of
from service.platform.statements import Db, Write, write_together
from service.points import usecases as points
from service.points.account import Account
from service.points.policies import kept_alive
from service.points.rules import REDEMPTION_CAPTURED, REDEMPTION_HELD, redemption
from service.points.usecases import Opened
from service.programs.policies import QualifyingActivity
from service.programs.rules import Program
from service.surprises import lifecycle, store, usecases
from service.surprises.audience import Seeing, occasion_of_customer
from service.surprises.book import RunningCampaign
from service.surprises.campaigns import ByPlay
from service.surprises.chance import draw_id
from service.surprises.drawing import Drawing, Occurred, Surprise, counted_play
from service.surprises.gifts import Play
from service.surprises.had import OfCampaign
from service.surprises.occurring import give_at_once
from service.tiers import usecases as tiers

_replace = msgspec.structs.replace
_HOLDS_FOR: Final = timedelta(minutes=1)


class GameNotOpen(Refusal):
    """A game doesn't run, or isn't open for this customer now, or has nothing left to win."""

    kind = Kind.CONFLICT
    code = "game_not_open"
    title = "This game is not open for this customer now"


class PlaysUsedUp(Refusal):
    """A customer has no play left: of the day, in all, or granted."""

    kind = Kind.CONFLICT
    code = "plays_used_up"
    title = "The customer has no play left"


class Played(msgspec.Struct, frozen=True):
    """What a play came to, with the customer's balance after it, and how many plays are left of the day and granted."""

    play: Play
    won: Surprise | None
    balance: Balance
    left_today: int | None
    left_granted: int | None


async def play(db: Db, *, program: Program, wire_id: str, customer_id: str, entropy: int) -> Played:
    """Play a game. Raises NotFound, CustomerUnknown, GameNotOpen, PlaysUsedUp, InsufficientPoints."""
    campaign_id = lifecycle.id_of(wire_id)
    await lifecycle.read(db, program_id=program.id, wire_id=wire_id)
    opened = await points.open_accounts(db, program_id=program.id, customer_ids=[customer_id], entropy=entropy)
    account = opened.accounts.get(customer_id)
    if account is None:
        raise CustomerUnknown("/customer_id")
    drawing = await usecases.look(
        db, program=program, on=campaign_id, of=[account.customer], now=opened.now, ids=opened.ids
    )
    its = drawing.campaigns[0] if drawing.campaigns else None
    if its is None or not isinstance(its.content.trigger, ByPlay):
        raise GameNotOpen
    await _check_open(db, drawing, its, account)
    played = _play(drawing, its, its.content.trigger, account, opened)
    following = tiers.following(program)([account])
    await write_together(
        db,
        [
            *points.booking(program.id, [account], recorded_at=opened.now),
            *following,
            points.announcing_news(program.id, [account], opened),
            store.adding_play(program.id, played.play, opened.now),
            *usecases.writing(drawing),
        ],
    )
    return played


async def _check_open(db: Db, drawing: Drawing, its: RunningCampaign, account: Account) -> None:
    """Refuse a play that nothing can come of, before anything is paid. It is not told why. Raises GameNotOpen."""
    profile = await profile_for(db, drawing, [its], account.customer)
    if not (is_for(drawing, its, account.customer, profile) and has_something_for(drawing, its, account.customer)):
        raise GameNotOpen


async def profile_for(db: Db, drawing: Drawing, campaigns: Sequence[RunningCampaign], customer: Customer) -> Profile:
    """Read the customer's profile where an audience of these asks for it; else it is empty."""
    if not any(each.audience.asks_profile for each in campaigns):
        return Profile()
    found = await customers.read_profiles(db, program_id=drawing.program.id, customers=[customer.id])
    return found.get(customer.id, Profile())


def is_for(drawing: Drawing, its: RunningCampaign, customer: Customer, profile: Profile) -> bool:
    """Tell whether a customer is in the audience of a game now."""
    zone = ZoneInfo(drawing.program.settings.time_zone)
    occasion = occasion_of_customer(customer, profile, at=drawing.now, zone=zone)
    return its.audience.fits(occasion, Seeing(drawing.shown))


def has_something_for(drawing: Drawing, its: RunningCampaign, customer: Customer) -> bool:
    """Tell whether something can come of a customer's play now, as far as a customer may know.

    Who had all gifts is told only where plays cost points, since those have no holdout. Where they cost nothing, who
    had all plays on like who is held out, so that nobody can tell them apart.
    """
    is_paid = isinstance(its.content.trigger, ByPlay) and its.content.trigger.points > 0
    has_all = is_paid and drawing.has_all(its, customer)
    return not drawing.suppressed and not has_all and drawing.offer(its).gives


def _play(drawing: Drawing, its: RunningCampaign, game: ByPlay, account: Account, opened: Opened) -> Played:
    """Count the play, pay it, and draw. Raises PlaysUsedUp, InsufficientPoints."""
    customer = account.customer
    had, today = drawing.had(customer), day_of(drawing.now, ZoneInfo(drawing.program.settings.time_zone))
    of = had.of(its.hex)
    _check_left(game, of, today)
    after = counted_play(of, today.toordinal(), granted=game.granted)
    occasion = f"play:{after.plays}"
    its_id = draw_id(drawing.secret, its.id, customer.id, occasion)
    account.customer = drawing.keep(customer, had.with_campaign(its.hex, after))
    hold_id = _pay(account, game.points, drawing.program, opened) if game.points else None
    won = _draw(drawing, its, game, account, Occurred(occasion, its_id, drawing.now))
    made = Play(its_id, its.id, customer.id, after.plays, today, game.points, game.granted, hold_id)
    left_granted = after.granted if game.granted else None
    return Played(made, won, account.customer.balance, left_today(game, after, today), left_granted)


def _draw(
    drawing: Drawing, its: RunningCampaign, game: ByPlay, account: Account, occasion: Occurred
) -> Surprise | None:
    """Draw for a play. Who paid for it is on neither side of a comparison."""
    if game.points:
        account.customer, won = drawing.draw(its, account.customer, drawing.had(account.customer), occasion)
    else:
        account.customer, won = drawing.occur(its, account.customer, occasion)
    if won is not None:
        give_at_once(drawing, account, won)
    return won


def _check_left(game: ByPlay, of: OfCampaign, today: date) -> None:
    if game.granted and not of.granted:
        raise PlaysUsedUp("No play was granted that isn't used.")
    if game.per_customer is not None and of.plays >= game.per_customer:
        raise PlaysUsedUp(f"A customer can play {game.per_customer} times in all.")
    if left_today(game, of, today) == 0:
        raise PlaysUsedUp(f"A customer can play {game.per_day} times a day.")


def left_today(game: ByPlay, of: OfCampaign, today: date) -> int | None:
    """Return how many plays are left of a day; None: there is no bound."""
    if game.per_day is None:
        return None
    return max(0, game.per_day - of.today) if of.day == today.toordinal() else game.per_day


def has_plays(game: ByPlay, of: OfCampaign, today: date) -> bool:
    """Tell whether a customer has a play left now."""
    try:
        _check_left(game, of, today)
    except PlaysUsedUp:
        return False
    return True


def _pay(account: Account, price: int, program: Program, opened: Opened) -> UUID:
    """Spend the points that a play costs. Raises InsufficientPoints."""
    hold_id = opened.ids.next()
    account.hold(price, hold_id=hold_id, expires_at=opened.now + _HOLDS_FOR, cause=redemption(hold_id))
    account.capture(hold_id, price, redemption(hold_id))
    account.touch(kept_alive(program.settings, QualifyingActivity.REDEMPTION, opened.now))
    account.news += [(REDEMPTION_HELD, hold_id), (REDEMPTION_CAPTURED, hold_id)]
    return hold_id


async def grant_plays(
    db: Db, *, program: Program, wire_id: str, customer_id: str, plays: int, entropy: int
) -> tuple[UUID, int]:
    """Grant a customer plays of a game that asks for them; gives the grant's id, and how many are left.

    Raises NotFound, CustomerUnknown, GameNotOpen.
    """
    campaign_id = lifecycle.id_of(wire_id)
    found = await lifecycle.read(db, program_id=program.id, wire_id=wire_id)
    trigger = found.content.trigger
    opened = await points.open_accounts(db, program_id=program.id, customer_ids=[customer_id], entropy=entropy)
    account = opened.accounts.get(customer_id)
    if account is None:
        raise CustomerUnknown("/customer_id")
    if not isinstance(trigger, ByPlay) or not trigger.granted or found.definition.newest.is_over(opened.now):
        raise GameNotOpen("Its plays are not granted, or it is closed.")
    drawing = usecases.nothing(program, now=opened.now, ids=opened.ids)
    had = drawing.had(account.customer)
    of = had.of(campaign_id.hex)
    after = _replace(of, granted=of.granted + plays)
    account.customer = drawing.keep(account.customer, had.with_campaign(campaign_id.hex, after))
    grant_id, following = opened.ids.next(), tiers.following(program)([account])
    writes: Sequence[Write] = [
        *points.booking(program.id, [account], recorded_at=opened.now),
        *following,
        points.announcing_news(program.id, [account], opened),
        store.adding_grant(program.id, campaign_id, grant_id, account.customer.id, plays, opened.now),
    ]
    await write_together(db, writes)
    return grant_id, after.granted
