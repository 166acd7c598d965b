"""Occasions outside purchases: their customers are locked, it is decided for each, and what was won waits."""

from collections.abc import Mapping
from uuid import UUID
from zoneinfo import ZoneInfo

from service.customers import usecases as customers
from service.customers.rules import Customer, Profile
from service.platform.claims import ClaimKind
from service.platform.statements import Db, write_together
from service.points import usecases as points
from service.points.account import Account
from service.programs.rules import Program
from service.surprises import store, usecases
from service.surprises.audience import Seeing, occasion_of_customer
from service.surprises.book import RunningCampaign
from service.surprises.calendar import Days, moment_within
from service.surprises.chance import Keyed, draw_id, moment_of
from service.surprises.drawing import Drawing, Due, Occurred
from service.tiers import usecases as tiers


async def occur(db: Db, *, program: Program, campaign_id: UUID, due: Mapping[str, Due], entropy: int) -> Drawing:
    """Decide on occasions of a campaign, by the callers' ids of their customers, and write what comes of it.

    The customers are locked. What was decided before is left as it is. Who was merged or erased since is left out:
    nobody is owed a surprise.
    """
    opened = await points.open_booking(
        db, program_id=program.id, facts=[(name, "") for name in sorted(due)], kind=ClaimKind.PURCHASE, entropy=entropy
    )
    accounts = {
        name: account
        for name, account in opened.accounts.items()
        if name in due and account.customer.id == due[name].customer
    }
    records = sorted(account.customer.id for account in accounts.values())
    drawing = await usecases.look(
        db,
        program=program,
        on=campaign_id,
        of=[each.customer for each in accounts.values()],
        now=opened.now,
        ids=opened.ids,
    )
    if not drawing.campaigns or not accounts:
        return drawing
    its = drawing.campaigns[0]
    profiles = (
        await customers.read_profiles(db, program_id=program.id, customers=records) if its.audience.asks_profile else {}
    )
    draws = {name: draw_id(drawing.secret, its.id, due[name].customer, due[name].occasion) for name in accounts}
    known = await store.known_draws(db, program_id=program.id, campaign=its.id, ids=list(draws.values()))
    # Somebody else may have come to one who is suppressed while this waited for the locks.
    occasions = [(due[name].customer, due[name].occasion) for name in accounts] if drawing.suppressed else []
    stopped = await store.known_stops(db, program_id=program.id, campaign=its.id, occasions=occasions)
    zone, changed = ZoneInfo(program.settings.time_zone), list[Account]()
    for name in sorted(accounts):
        account = accounts[name]
        occasion = occasion_of_customer(
            account.customer, profiles.get(account.customer.id, Profile()), at=opened.now, zone=zone
        )
        if draws[name] in known or (due[name].customer, due[name].occasion) in stopped:
            continue
        if not its.audience.fits(occasion, Seeing(drawing.shown)):
            continue
        before = account.customer
        occurred = _occurred(drawing, its, before, due[name], draws[name])
        account.customer, _ = drawing.occur(its, before, occurred)
        if account.customer is not before:
            changed.append(account)
    besides = tiers.following(program)(changed)  # what has come due of them is booked with it, and told
    await write_together(
        db,
        [
            *points.booking(program.id, changed, recorded_at=opened.now),
            *besides,
            points.announcing_news(program.id, changed, opened),
            *usecases.writing(drawing),
        ],
    )
    return drawing


async def undecided(db: Db, *, program_id: int, campaign_id: UUID, due: Mapping[str, Due]) -> dict[str, Due]:
    """Leave out occasions that were decided or stopped before: their customers need not be locked."""
    if not due:
        return {}
    secret = Keyed(await customers.secret(db, program_id=program_id))
    draws = {name: draw_id(secret, campaign_id, each.customer, each.occasion) for name, each in due.items()}
    known = await store.known_draws(db, program_id=program_id, campaign=campaign_id, ids=list(draws.values()))
    occasions = [(each.customer, each.occasion) for each in due.values()]
    stopped = await store.known_stops(db, program_id=program_id, campaign=campaign_id, occasions=occasions)
    return {
        name: each
        for name, each in due.items()
        if draws[name] not in known and (each.customer, each.occasion) not in stopped
    }


def _occurred(drawing: Drawing, its: RunningCampaign, customer: Customer, due: Due, draw: UUID) -> Occurred:
    """Name an occasion, with the customer's own moment for a gift; a moment that is over already is now."""
    pseudonym = drawing.pseudonym(its, customer)
    spread = moment_of(its.key, campaign=its.wire, pseudonym=pseudonym, occasion=due.occasion)
    moment = moment_within(Days(due.occasion, due.first, due.end), spread) if due.first < due.end else due.first
    return Occurred(due.occasion, draw, max(moment, drawing.now))
