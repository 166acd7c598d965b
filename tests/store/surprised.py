"""Surprises in books whose invariants are broken: gifts that were revealed, wait, were stopped; plays; sides."""

from datetime import timedelta
from itertools import count

from service.customers import usecases as customers
from service.customers.suppressions import usecases as suppressions
from service.customers.suppressions.rules import NewSuppression, SuppressionReason
from service.kernel.ids import to_wire
from service.platform.clock import database_time
from service.platform.statements import Db
from service.programs import usecases as programs
from service.programs.rules import Program
from service.purchases import usecases as purchases
from service.purchases.rules import Purchase
from service.rewards import usecases as rewards
from service.rewards.rules import EventTicket, NewReward, RewardStatus
from service.surprises import giving, lifecycle, playing, store, surprising
from service.surprises.campaigns import (
    ByList,
    ByPlay,
    CampaignBudget,
    CampaignContent,
    CampaignPrize,
    OnPurchase,
    PointsGift,
    RewardGift,
)
from service.surprises.drawing import Due

GUESTS = [f"guest-{number}" for number in range(16)]
"""So many that some are held out and some are not, however the lot falls."""
TICKET = NewReward(name="Ticket", gives=EventTicket("Opera"), points=1, status=RewardStatus.ACTIVE)
_SWEET = CampaignPrize("sweet", PointsGift(50), stock=40, cost=10)


async def surprise(db: Db, program: Program) -> None:
    """Let guests buy and draw, of whom half are held out; one plays twice; of three on a list one gets a voucher."""
    bits = count(7_000)

    async def start(content: CampaignContent) -> str:
        made = await lifecycle.create(db, program_id=program.id, content=content, entropy=next(bits))
        its_id = made.definition.id
        await lifecycle.activate(db, program_id=program.id, wire_id=its_id, key=b"k" * 32, entropy=next(bits))
        return its_id

    reward = await rewards.create_reward(db, program_id=program.id, new=TICKET, entropy=next(bits))
    ticket = CampaignPrize("ticket", RewardGift(to_wire("rwd", reward.id)), stock=5, cost=900)
    budget = CampaignBudget(points=5_000, cost=500)
    await start(CampaignContent(name="With it", trigger=OnPurchase(), prizes=(_SWEET,), budget=budget, holdout=5_000))
    wheel = await start(
        CampaignContent(name="A wheel", trigger=ByPlay(per_day=2), prizes=(_SWEET,), gifts_per_customer=None)
    )
    listed = await start(CampaignContent(name="By hand", trigger=ByList(), prizes=(ticket,)))
    program = await programs.program_with_code(db, program.code)
    await _buy(db, program, next(bits))
    for _ in range(2):
        await playing.play(db, program=program, wire_id=wheel, customer_id=GUESTS[0], entropy=next(bits))
    await _draw_by_hand(db, program, listed, next(bits))


async def _buy(db: Db, program: Program, bits: int) -> None:
    now = await database_time(db)
    drafts = [
        purchases.draft(Purchase(f"of {guest}", guest, "EUR", 1000, now), randomness=bits + place)
        for place, guest in enumerate(GUESTS)
    ]
    await purchases.PURCHASES.report(db, program=program, drafts=drafts, entropy=bits)


async def _draw_by_hand(db: Db, program: Program, listed: str, bits: int) -> None:
    """Draw for three: one gift is revealed, one stopped at its sending, one waits until tomorrow."""
    now, its_id = await database_time(db), lifecycle.id_of(listed)
    found = await customers.read(db, program_id=program.id, customer_ids=GUESTS[1:4])
    tomorrow = now + timedelta(days=1)
    due = {
        name: Due(each.id, "list", tomorrow if name == GUESTS[3] else now, tomorrow if name == GUESTS[3] else now)
        for name, each in found.items()
    }
    await surprising.occur(db, program=program, campaign_id=its_id, due=due, entropy=bits)
    await suppressions.suppress(
        db,
        program_id=program.id,
        customer_id=GUESTS[2],
        new=NewSuppression(SuppressionReason.COMPLAINT),
        by=its_id,
        entropy=bits + 1,
    )
    for place, gift_id in enumerate(await store.due_gifts(db, program_id=program.id, count=9)):
        entropy = (bits + 2 + place) << 62 | (bits + 2 + place)
        await giving.reveal(db, program=program, gift_id=gift_id, entropy=entropy, code_bits=7_000 + place)
