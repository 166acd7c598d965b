"""What a customer has to bring others with, as pages show it. Codes are made when they are asked for first."""

import asyncio
import random
import secrets
from functools import partial
from typing import Final

from service.platform.database import Database
from service.platform.transaction import transact
from service.programs.rules import Program
from service.referrals.asks import usecases as asks
from service.referrals.codes import overview, usecases
from service.referrals.codes.rules import CODE_BITS
from service.referrals.codes.schemas import CustomerReferralOut, customer_referral_out

code_bits: Final = partial(secrets.randbits, CODE_BITS)
"""Gives bits of a new code, fit for secrets."""


async def show(database: Database, *, program: Program, customer_id: str) -> CustomerReferralOut:
    """Read what a customer can bring others with, and what became of it; make the codes that are missing.

    Raises NotFound, Unavailable.
    """
    async with database.reading() as db:
        found = await usecases.look(db, program=program, customer_id=customer_id)
    if found.missing:
        make = partial(
            usecases.make_missing,
            program=program,
            customer_id=customer_id,
            code_bits=code_bits,
            entropy=random.getrandbits(62),
        )
        found = await transact(database.connection, make)
    async with database.reading() as db:
        its = await overview.overview(db, program_id=program.id, records=found.records)
        has_code = None in found.codes
        ask = await asks.to_ask(db, program=program, customer=found.customer) if has_code else None
    # Drawing a code that wasn't drawn lately takes some 5 ms, 30 with a long link: purchases don't wait for it.
    return await asyncio.to_thread(customer_referral_out, program, found, its, ask)
