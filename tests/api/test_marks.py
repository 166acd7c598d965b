"""By what customers are known, to find out who refers himself: kept as hashes, bounded, compared."""

import asyncio
from typing import Any

from service.platform.roles import Role
from service.platform.statements import Db
from tests.api.test_referrals import code_of, enrol, offer
from tests.jobs import judge_referrals
from tests.shop import Answer, Shop


async def mark(shop: Shop, customer: str, *, query: str = "", **marks: Any) -> Answer:
    return await shop.call("PUT", f"/v1/customers/{customer}/marks{query}", marks)


async def test_marks_are_kept_as_hashes_the_newest_twenty_of_a_kind(shop: Shop, owner: Db) -> None:
    await enrol(shop, "anna")
    first = await mark(shop, "anna", payment="card-4711", device="phone")
    assert (first.status, first.body) == (200, {"customer_id": "anna", "payment": 1, "device": 1, "address": 0})
    again = await mark(shop, "anna", device="phone")
    assert again.body["device"] == 1
    assert (await mark(shop, "anna")).body == first.body
    for number in range(25):
        await mark(shop, "anna", device=f"phone-{number}")
        await mark(shop, "anna", device="phone")
    told = await mark(shop, "anna")
    assert told.body == {"customer_id": "anna", "payment": 1, "device": 20, "address": 0}
    rows = await owner.fetch("SELECT kind, digest FROM referral_mark WHERE program_id = $1", shop.program.id)
    assert len(rows) == 21
    assert not any(b"phone" in row["digest"] or b"4711" in row["digest"] for row in rows)
    await shop.call("DELETE", "/v1/customers/anna", role=Role.ADMIN)
    assert not await owner.fetch("SELECT FROM referral_mark WHERE program_id = $1", shop.program.id)


async def test_who_pays_with_the_same_card_brings_nobody(shop: Shop) -> None:
    await offer(shop)
    await enrol(shop, "anna")
    await mark(shop, "anna", payment="card-1")
    for number in range(19):
        await mark(shop, "anna", payment=f"other-{number}")
    bought = await shop.buy(customer_id="ben", referral_code=await code_of(shop, "anna"))
    assert (await mark(shop, "ben", query="?dry_run=true", payment="card-1")).body["payment"] == 1
    assert (await mark(shop, "ben", payment="card-1")).status == 200
    assert shop.database is not None
    await judge_referrals(shop.database)
    told = (await shop.get(f"/v1/referrals/{bought.body['referral']['id']}", Role.MARKETER)).body
    assert (told["status"], told["reason"], told["signs"]) == ("refused", "cheating", ["same_payment"])


async def test_a_dry_run_keeps_no_mark(shop: Shop, owner: Db) -> None:
    await enrol(shop, "anna")
    tried = await mark(shop, "anna", query="?dry_run=true", address="somewhere")
    assert (tried.status, tried.body["address"]) == (200, 1)
    assert not await owner.fetch("SELECT FROM referral_mark WHERE program_id = $1", shop.program.id)


async def test_marks_that_mean_nothing_are_refused_with_a_pointer(shop: Shop) -> None:
    await enrol(shop, "anna")
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"device": ""}, "/device"),
        ({"device": "x" * 501}, "/device"),
        ({"payment": 4711}, "/payment"),
        ({"address": "\x00"}, "/address"),
        ({"phone": "x"}, "/phone"),
    )
    for marks, pointer in refused:
        assert (await mark(shop, "anna", **marks)).pointer == pointer


async def test_marks_of_one_customer_that_are_told_at_once_are_all_kept(shop: Shop) -> None:
    await enrol(shop, "anna")
    answers = await asyncio.gather(*(mark(shop, "anna", device=f"phone-{number % 7}") for number in range(28)))
    assert {each.status for each in answers} == {200}
    assert (await mark(shop, "anna")).body["device"] == 7
