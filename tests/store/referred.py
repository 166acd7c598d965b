"""Referrals in books whose invariants are broken: rewarded with points and vouchers, reversed, open, ahead."""

from datetime import datetime

from service.customers import usecases as customers
from service.customers.rules import ProfileChange
from service.earning.rules import Every, Limit, Scope
from service.kernel.ids import to_wire
from service.platform.statements import Db
from service.programs import defining
from service.programs import usecases as programs
from service.programs.definitions import Change, State
from service.programs.rules import Program
from service.purchases import usecases
from service.purchases.preparing import facts_of
from service.purchases.returning import RefundReport, report_refund
from service.purchases.rules import Purchase
from service.referrals import rewarding
from service.referrals import usecases as referrals
from service.referrals.codes import usecases as coding
from service.referrals.defining import REFERRAL_OFFERS
from service.referrals.offers import PointsPrize, ReferralOfferContent, RewardPrize, Step
from service.rewards import usecases as rewards
from service.rewards.rules import Gift, NewReward, RewardStatus


async def refer(db: Db, program: Program, since: datetime) -> None:
    """Let a customer bring four others who buy, of whom one gives back; one who is enrolled; and one who isn't yet."""
    new = NewReward(name="Mug", gives=Gift("A mug"), points=1, status=RewardStatus.ACTIVE)
    reward = await rewards.create_reward(db, program_id=program.id, new=new, entropy=200)
    content = ReferralOfferContent(
        name="Friends",
        referrer=PointsPrize(50),
        referee=RewardPrize(to_wire("rwd", reward.id)),
        waiting_days=0,
        steps=(Step(1, 10),),
        limits=(Limit(Every.LIFE, times=9), Limit(Every.LIFE, Scope.ALL, times=9)),
    )
    await defining.create(
        db,
        program_id=program.id,
        kind=REFERRAL_OFFERS,
        definition_id="friends",
        content=content,
        change=Change(State.ACTIVE, since),
        entropy=201,
    )
    program = await programs.program_with_code(db, program.code)
    codes = await coding.make_missing(db, program=program, customer_id="c-0", code_bits=lambda: 7, entropy=202)
    code = codes.codes[None].code
    drafts = [_draft(number, code, since) for number in range(4)]
    await usecases.PURCHASES.report(db, program=program, drafts=drafts, entropy=203)
    await _judge(db, program, entropy=1)
    await report_refund(
        db,
        program=program,
        purchase_id="f-3",
        report=RefundReport(id="r-f", amount=1000),
        randomness=204,
        entropy=204,
    )
    await _judge(db, program, entropy=100)
    await customers.put(db, program_id=program.id, customer_id="enrolled", change=ProfileChange(), entropy=205)
    for number, referee in enumerate(("enrolled", "nobody yet"), 206):
        await referrals.claim(db, program=program, code=code, referee_id=referee, marks={"device": "x"}, entropy=number)


def _draft(number: int, code: str, at: datetime) -> usecases.PurchaseDraft:
    bought = Purchase(
        id=f"f-{number}", customer_id=f"friend-{number}", currency="EUR", total=1000, occurred_at=at, referral_code=code
    )
    return usecases.draft(bought, randomness=1000 + number)


async def _judge(db: Db, program: Program, entropy: int) -> None:
    for number, each in enumerate(await referrals.due(db, program_id=program.id, count=100), 1):
        bits = (entropy + number) << 124 | (entropy + number) << 62 | entropy + number
        judged = await rewarding.settle(
            db,
            program=program,
            referral_id=each,
            facts_of=facts_of,
            entropy=bits,
            code_bits=[entropy * 7 + number, entropy * 7 + number + 50],
        )
        assert judged is not None
