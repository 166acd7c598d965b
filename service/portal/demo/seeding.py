"""Makes the demo shop's program, through the use cases of the rooms."""

import random
import secrets
from collections.abc import Mapping
from typing import Final

from service.earning.defining import EARNING_RULES
from service.kernel.ids import to_wire
from service.platform.statements import Db
from service.portal.demo import seeds
from service.portal.demo.shop import NAME
from service.programs import defining
from service.programs import usecases as programs
from service.programs.definitions import Change, Content, DefinitionKind, State
from service.programs.rules import Program
from service.referrals.defining import REFERRAL_OFFERS
from service.rewards import usecases as rewards
from service.surprises import lifecycle
from service.surprises.campaigns import CampaignContent
from service.tiers.defining import TIERS

KEY_BYTES: Final = 32


async def make(db: Db, *, code: str, address: str) -> Program:
    """Make a test program for a shop at an address, with all that there is to try. Raises ProgramExists, Invalid."""
    program = await programs.create_program(db, code=code, name=NAME, live=False, settings=seeds.settings(address))
    await _define(db, program, EARNING_RULES, seeds.RULES)
    await _define(db, program, TIERS, seeds.TIERS)
    made = [
        await rewards.create_reward(db, program_id=program.id, new=each, entropy=_entropy()) for each in seeds.REWARDS
    ]
    await _define(db, program, REFERRAL_OFFERS, {"friends": seeds.OFFER})
    await _start(db, program, seeds.SWEET)
    await _start(db, program, seeds.wheel(to_wire("rwd", made[seeds.REWARDS.index(seeds.TASTER)].id)))
    return program


async def _define(db: Db, program: Program, kind: DefinitionKind[Content], contents: Mapping[str, Content]) -> None:
    for its_id, content in contents.items():
        await defining.create(
            db,
            program_id=program.id,
            kind=kind,
            definition_id=its_id,
            content=content,
            change=Change(state=State.ACTIVE),
            entropy=_entropy(),
        )


async def _start(db: Db, program: Program, content: CampaignContent) -> None:
    made = await lifecycle.create(db, program_id=program.id, content=content, entropy=_entropy())
    await lifecycle.activate(
        db,
        program_id=program.id,
        wire_id=made.definition.id,
        key=secrets.token_bytes(KEY_BYTES),
        entropy=_entropy(),
    )


def _entropy() -> int:
    return random.getrandbits(62)
