"""Gets rewards for customers: by redemptions, and as a draw does, which takes a piece and issues it without points."""

import random
import secrets
from typing import Any
from uuid import UUID

from service.customers import usecases as customers
from service.kernel.ids import from_wire, time_ordered_id
from service.platform.claims import ClaimKind
from service.platform.roles import Role
from service.platform.statements import Db
from service.platform.transaction import transact
from service.rewards import usecases
from service.rewards.vouchers import CODE_BITS, Voucher
from tests.shop import Answer, Shop, unique

TEN_PERCENT: dict[str, Any] = {
    "name": "10 % off",
    "gives": {"kind": "percent_off", "basis_points": 1000},
    "points": 100,
}


async def take(db: Db, shop: Shop, reward_id: str, customer_id: str) -> UUID:
    """Take a piece of a reward for a known customer, in the caller's transaction; gives the piece's id."""
    opened = await customers.open_booking(
        db, program_id=shop.program.id, facts=[(customer_id, "")], kind=ClaimKind.PURCHASE
    )
    piece_id, its_id = time_ordered_id(opened.now, random.getrandbits(62)), from_wire("rwd", reward_id)
    assert its_id is not None
    await usecases.take_stock(
        db,
        program=shop.program,
        reward_id=its_id,
        customer=opened.customers[customer_id],
        piece_id=piece_id,
        now=opened.now,
    )
    return piece_id


async def issue_piece(db: Db, shop: Shop, piece_id: UUID, code_bits: int | None = None) -> Voucher:
    """Issue the voucher of a piece, in the caller's transaction."""
    return await usecases.issue(
        db,
        program=shop.program,
        piece_id=piece_id,
        code_bits=secrets.randbits(CODE_BITS) if code_bits is None else code_bits,
        now=await db.fetchval("SELECT clock_timestamp()"),
        entropy=random.getrandbits(62),
    )


async def issue(shop: Shop, reward_id: str, customer_id: str = "c-42", code_bits: int | None = None) -> Voucher:
    """Take a piece of a reward for a customer, who is enrolled where need be, and issue its voucher."""
    assert shop.database is not None
    await shop.call("PUT", f"/v1/customers/{customer_id}", {})

    async def work(db: Db) -> Voucher:
        return await issue_piece(db, shop, await take(db, shop, reward_id, customer_id), code_bits)

    return await transact(shop.database.connection, work)


async def make(shop: Shop, **changes: Any) -> str:
    """Make a reward of 10 % off, or what `changes` make of it; gives its id."""
    made = await shop.post("/v1/rewards", TEN_PERCENT | changes, Role.MARKETER)
    assert made.status == 201, made.text
    return made.body["id"]


async def redeem(shop: Shop, reward_id: str, customer_id: str = "c-42", query: str = "", **more: Any) -> Answer:
    """Redeem a reward for a customer."""
    body = {"customer_id": customer_id, "reward_id": reward_id} | more
    return await shop.post(f"/v1/redemptions{query}", body, Idempotency_Key=unique("key"))


async def end(shop: Shop, redemption_id: str, verb: str, **body: Any) -> Answer:
    """Capture or release a redemption."""
    return await shop.post(f"/v1/redemptions/{redemption_id}/{verb}", body, Idempotency_Key=unique("key"))


async def left(shop: Shop, reward_id: str) -> int | None:
    """Tell how many pieces of a reward can be had."""
    return (await shop.get(f"/v1/rewards/{reward_id}")).body["left"]


async def voucher(shop: Shop, **changes: Any) -> str:
    """Make a reward and issue a voucher of it; gives its code as it is stored."""
    return (await issue(shop, await make(shop, **changes), unique("c"))).code
