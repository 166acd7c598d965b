"""What customers do themselves, where the program and the token allow it: redeem a reward, play a game."""

import random
import secrets
from typing import Final
from uuid import UUID

from service.customers.rules import CustomerUnknown
from service.kernel.errors import NotFound
from service.platform.statements import Db
from service.programs.rules import Program
from service.rewards import redeeming
from service.rewards.redeeming import Redemption
from service.rewards.vouchers import CODE_BITS
from service.surprises import playing
from service.surprises.playing import Played

_ENTROPY_BITS: Final = 62


async def redeem_at_once(db: Db, *, program: Program, customer_id: str, reward_id: UUID) -> Redemption:
    """Set aside what a reward costs, spend it and issue the voucher, in the caller's transaction: all or nothing.

    Raises NotFound, RewardNotAvailable, InsufficientPoints, and RowsMissing: begin again.
    """
    try:
        held = await redeeming.redeem_reward(
            db,
            program=program,
            customer_id=customer_id,
            reward_id=reward_id,
            order_id=None,
            expires_in=None,
            entropy=random.getrandbits(_ENTROPY_BITS),
        )
    except CustomerUnknown:
        raise NotFound from None
    return await redeeming.capture(
        db,
        program=program,
        hold_id=held.hold.id,
        spent=None,
        entropy=random.getrandbits(2 * _ENTROPY_BITS),
        code_bits=secrets.randbits(CODE_BITS),
    )


async def play(db: Db, *, program: Program, customer_id: str, campaign_id: str) -> Played:
    """Play a game. Raises NotFound, GameNotOpen, PlaysUsedUp, InsufficientPoints, and RowsMissing: begin again."""
    try:
        return await playing.play(
            db,
            program=program,
            wire_id=campaign_id,
            customer_id=customer_id,
            entropy=random.getrandbits(_ENTROPY_BITS),
        )
    except CustomerUnknown:
        raise NotFound from None
