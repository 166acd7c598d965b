"""What rules gave for paying an invoice early stands in the books like all else: explained, and taken back."""

from datetime import timedelta

from service.earning.preparing import Asked, prepare
from service.earning.rules import INVOICE_PAID
from service.earning.terms import terms_of
from service.invoices.streaks import Closing, Rewarded, granted_in, reward
from service.platform.statements import Db
from service.points import usecases as points
from service.points.rules import Cause
from service.points.usecases import Granted, Opened
from service.programs import usecases as programs
from service.programs.rules import Program
from service.purchases import store
from service.purchases.explaining import explain
from service.tiers import usecases as tiers
from tests.rulebook import set_rule
from tests.shop import Shop

DAY = timedelta(days=1)


async def opened_in(db: Db, program: Program) -> Opened:
    return await points.open_accounts(db, program_id=program.id, customer_ids=["c-42"], entropy=1)


async def pay(db: Db, program: Program, opened: Opened) -> Rewarded:
    """Close the third invoice in a row a week early, and book what rules give for that."""
    account, day, terms = opened.accounts["c-42"], opened.now.date(), terms_of(program)
    await prepare(db, terms, [Asked(INVOICE_PAID, opened.now, account)], past_use=store.past_use)
    closing = Closing(
        occurred_at=opened.now,
        currency="EUR",
        total=119_000,
        issued_on=day - 7 * DAY,
        due_on=day + 7 * DAY,
        paid_on=day,
        discounted=True,
        streak=3,
    )
    told = reward(closing, account, terms, row_id=opened.ids.next(), cause=Cause("payment", "p-1"))
    await write(db, program, opened)
    return told


async def bounce(db: Db, program: Program, opened: Opened, told: Rewarded) -> None:
    granted = [Granted(lot_id, each, 0) for lot_id, each in granted_in(told.lines).items()]
    account, cause = opened.accounts["c-42"], Cause("payment_reversal", "p-1")
    await points.refund(db, program=program, account=account, restored=0, granted=granted, cause=cause, at=opened.now)
    await write(db, program, opened)


async def write(db: Db, program: Program, opened: Opened) -> None:
    accounts, following = [*opened.accounts.values()], tiers.following(program)
    await points.write(db, program_id=program.id, opened=opened, accounts=accounts, following=following)


async def test_points_for_a_payment_are_explained_and_go_with_it(shop: Shop) -> None:
    expression = "activity.properties.early && activity.properties.streak == 3"
    bonus = {"kind": "bonus", "points": 100}
    await set_rule(shop, "streak", activity=INVOICE_PAID, effect=bonus, conditions={"expression": expression})
    await shop.buy(total=500)
    assert shop.database is not None
    async with shop.database.connection() as db:
        attempt = db.transaction(isolation="repeatable_read")
        await attempt.start()
        try:
            program = await programs.read_program(db, program_id=shop.program.id)
            told = await pay(db, program, await opened_in(db, program))
            given = await explain(db, program=program, transfer_id=next(iter(granted_in(told.lines))))
            assert given.why == "Payment p-1 earned 100 points."
            (rule,) = given.rules
            assert (rule.rule, rule.points, rule.content and rule.content.activity) == ("streak", 100, INVOICE_PAID)

            opened = await opened_in(db, program)
            account = opened.accounts["c-42"]
            assert (account.customer.balance.available, account.customer.lifetime_earned) == (105, 105)
            await bounce(db, program, opened, told)
            assert (account.customer.balance.available, account.customer.lifetime_earned) == (5, 5)
            taken = await explain(db, program=program, transfer_id=account.transfers[0].id)
            assert taken.why == "Payment reversal p-1 took back 100 points that payment p-1 had earned."
        finally:
            await attempt.rollback()  # there is no row of a payment whose points these are
