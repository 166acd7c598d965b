"""Vouchers and loaded codes, seen from outside."""

from typing import Any

from service.platform.roles import Role
from service.platform.settings import Settings
from service.platform.statements import Db
from tests.api.test_access import compared
from tests.conftest import NewShop, running
from tests.shop import Answer, Shop, unique
from tests.vouchers import issue, make, voucher

AMOUNT_OFF = {"kind": "amount_off", "amount": 1000, "currency": "EUR"}
MINIMUM = {"minimum_order": {"amount": 2000, "currency": "EUR"}}


async def redeem(shop: Shop, code: str, query: str = "", /, key: str = "", **changes: Any) -> Answer:
    """Redeem a voucher for an order of 50.00 EUR, or what `changes` make of it."""
    body = {"order_id": unique("order"), "amount": 5000, "currency": "EUR"} | changes
    return await shop.post(f"/v1/vouchers/{code}/redeem{query}", body, Idempotency_Key=key or unique("key"))


async def cancel(shop: Shop, code: str) -> Answer:
    return await shop.post(f"/v1/vouchers/{code}/cancel", None, Idempotency_Key=unique("key"))


async def look(shop: Shop, code: str, query: str = "?amount=5000&currency=EUR") -> dict[str, Any]:
    """Check a voucher."""
    answer = await shop.get(f"/v1/vouchers/{code}{query}")
    assert answer.status == 200, answer.text
    return answer.body


async def events(owner: Db, shop: Shop) -> list[str]:
    """Name what happened to vouchers, in order."""
    rows = await owner.fetch(
        "SELECT type, customer_id FROM outbox WHERE program_id = $1 AND type LIKE 'voucher.%' ORDER BY id",
        shop.program.id,
    )
    assert all(row["customer_id"] is not None for row in rows)
    return [row["type"] for row in rows]


async def test_a_voucher_tells_what_it_is_worth_for_an_order(shop: Shop) -> None:
    reward_id = await make(shop, gives=AMOUNT_OFF, voucher={"days_valid": 30, "uses": 2} | MINIMUM)
    code = (await issue(shop, reward_id)).code
    told = await look(shop, code)
    assert told["code"].replace("-", "") == code
    assert (told["reward_id"], told["uses"], told["used"], told["gives"]) == (reward_id, 2, 0, AMOUNT_OFF)
    assert (told["redeemable"], told["why"], told["discount"]) == (True, None, 1000)
    assert told["valid_until"].endswith("T00:00:00Z")
    below = await look(shop, code, "?amount=1999&currency=EUR")
    assert (below["redeemable"], below["why"], below["discount"]) == (False, "below_minimum_order", None)
    without = await look(shop, code, "")
    assert (without["redeemable"], without["why"], without["discount"]) == (True, None, None)


async def test_a_voucher_for_categories_needs_one_of_them_in_the_order(shop: Shop) -> None:
    code = await voucher(shop, voucher={"categories": ["tea", "fine mugs"]})
    for query, why in (("", "other_categories"), ("&categories=coffee", "other_categories")):
        assert (await look(shop, code, f"?amount=100&currency=EUR{query}"))["why"] == why
    for query in ("tea", "coffee,tea", "fine%20mugs", ",tea,"):
        assert (await look(shop, code, f"?amount=100&currency=EUR&categories={query}"))["discount"] == 10, query
    assert (await redeem(shop, code)).code == "voucher_not_for_order"
    assert (await redeem(shop, code, categories=["tea"])).status == 200


async def test_an_order_has_an_amount_and_a_currency(shop: Shop) -> None:
    code = await voucher(shop)
    wrong = {
        "?amount=1": "?currency",
        "?currency=EUR": "?amount",
        "?categories=a": "?currency",
        "?amount=-1&currency=EUR": "?amount",
        "?amount=1.0&currency=EUR": "?amount",
        "?amount=&currency=EUR": "?amount",
        "?amount=1000000000001&currency=EUR": "?amount",
        "?amount=%D9%A3&currency=EUR": "?amount",
        "?amount=1&currency=eur": "?currency",
        "?amount=1&currency=XAU": "?currency",
        f"?amount=1&currency=EUR&categories={'a,' * 51}": "?categories",
    }
    for query, pointer in wrong.items():
        assert (await shop.get(f"/v1/vouchers/{code}{query}")).pointer == pointer, query


async def test_a_voucher_is_found_however_its_code_is_typed(shop: Shop) -> None:
    issued = await issue(shop, await make(shop), code_bits=1 << 40)
    assert issued.code == "000100000000"
    for typed in ("0001-0000-0000", "000100000000", "oooi-0000-0000", "O%200%200%20l-0000-0000", "-0001--00000000-"):
        assert (await look(shop, typed))["code"] == "0001-0000-0000", typed


async def test_a_foreign_and_an_impossible_code_are_told_as_an_unknown_one_to_the_byte(
    shop: Shop, new_shop: NewShop
) -> None:
    foreign = await voucher(await new_shop())
    codes = (foreign, "0000-0000-0000", "x", "%20", "%00", "%C3%A4", "x" * 129, "a%2Fb")
    looked = [await shop.get(f"/v1/vouchers/{code}?amount=1&currency=EUR") for code in codes]
    redeemed = [await redeem(shop, code) for code in codes]
    cancelled = [await cancel(shop, code) for code in codes]
    for answers in (looked, redeemed, cancelled):
        assert {(answer.status, answer.code) for answer in answers} == {(404, "not_found")}
        assert len({str(compared(answer)) for answer in answers}) == 1


async def test_a_voucher_is_redeemed_once_and_told_so(shop: Shop, owner: Db) -> None:
    code = await voucher(shop)
    first = await redeem(shop, code, order_id="o-1")
    assert first.status == 200
    assert {name: first.body[name] for name in first.body if name not in {"code", "used_at"}} == {
        "order_id": "o-1",
        "amount": 5000,
        "currency": "EUR",
        "discount": 500,
        "number": 1,
        "uses": 1,
    }
    again = await redeem(shop, code)
    assert (again.status, again.code) == (409, "voucher_used_up")
    told = await look(shop, code)
    assert (told["used"], told["redeemable"], told["why"]) == (1, False, "used_up")
    assert (await cancel(shop, code)).code == "voucher_used_up"
    assert await events(owner, shop) == ["voucher.issued", "voucher.redeemed"]


async def test_the_same_order_is_answered_with_its_redemption_and_takes_no_other_use(shop: Shop) -> None:
    code = await voucher(shop, voucher={"uses": 2})
    first = await redeem(shop, code, order_id="o-1")
    again = await redeem(shop, code, order_id="o-1")
    assert (again.status, again.text) == (200, first.text)
    other = await redeem(shop, code, order_id="o-1", amount=4999)
    assert (other.status, other.code) == (409, "voucher_use_conflict")
    assert (await redeem(shop, code, order_id="o-2")).body["number"] == 2
    assert (await redeem(shop, code, order_id="o-3")).code == "voucher_used_up"
    assert (await redeem(shop, code, order_id="o-1")).text == first.text, "also when it is used up"


async def test_redeeming_with_its_idempotency_key_is_repeated_as_it_was(shop: Shop) -> None:
    code = await voucher(shop, voucher={"uses": 3})
    first = await redeem(shop, code, order_id="o-1", key="k-1")
    again = await redeem(shop, code, order_id="o-1", key="k-1")
    assert (again.status, again.text, again.replayed, first.replayed) == (200, first.text, True, False)
    assert (await redeem(shop, code, order_id="o-2", key="k-1")).code == "idempotency_key_reused"
    assert (await look(shop, code))["used"] == 1


async def test_a_command_needs_its_idempotency_key_but_for_a_dry_run(shop: Shop) -> None:
    code = await voucher(shop)
    body = {"order_id": "o-1", "amount": 5000, "currency": "EUR"}
    for verb, sent in (("redeem", body), ("cancel", None)):
        refused = await shop.post(f"/v1/vouchers/{code}/{verb}", sent)
        assert (refused.status, refused.code) == (400, "idempotency_key_missing")
        assert (await shop.post(f"/v1/vouchers/{code}/{verb}?dry_run=true", sent)).status == 200
    assert (await look(shop, code))["redeemable"] is True


async def test_what_an_order_does_not_fit_is_refused_and_takes_no_use(shop: Shop) -> None:
    code = await voucher(shop, gives=AMOUNT_OFF, voucher=MINIMUM)
    assert (await redeem(shop, code, currency="USD")).code == "voucher_not_for_order"
    assert (await redeem(shop, code, amount=1999)).code == "voucher_not_for_order"
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"currency": "XAU"}, "/currency"),
        ({"currency": "eur"}, "/currency"),
        ({"amount": -1}, "/amount"),
        ({"amount": None}, "/amount"),
        ({"order_id": " x"}, "/order_id"),
        ({"categories": ["x"] * 51}, "/categories"),
        ({"customer_id": "c-1"}, "/customer_id"),
    )
    for change, pointer in wrong:
        assert (await redeem(shop, code, **change)).pointer == pointer, change
    assert (await look(shop, code))["used"] == 0


async def test_a_cancelled_voucher_is_redeemed_no_more(shop: Shop, owner: Db) -> None:
    code = await voucher(shop, voucher={"uses": 2})
    await redeem(shop, code, order_id="o-1")
    first, again = await cancel(shop, code), await cancel(shop, code)
    assert (first.status, first.body["why"], first.body["used"]) == (200, "cancelled", 1)
    assert (again.status, again.text) == (200, first.text)
    assert (await redeem(shop, code)).code == "voucher_cancelled"
    assert (await redeem(shop, code, order_id="o-1")).status == 200, "that is reached already"
    assert await events(owner, shop) == ["voucher.issued", "voucher.redeemed", "voucher.cancelled"]


async def test_a_voucher_that_has_ended_is_redeemed_no_more(shop: Shop, owner: Db) -> None:
    code = await voucher(shop, voucher={"days_valid": 1})
    await owner.execute(
        "UPDATE voucher SET issued_at = issued_at - interval '3 days', valid_until = valid_until - interval '3 days' "
        "WHERE program_id = $1",
        shop.program.id,
    )
    assert (await look(shop, code))["why"] == "expired"
    assert (await redeem(shop, code)).code == "voucher_expired"


async def test_what_was_issued_keeps_the_terms_that_it_was_issued_with(shop: Shop) -> None:
    reward_id = await make(shop, voucher={"uses": 2})
    before = (await issue(shop, reward_id)).code
    change = {"gives": AMOUNT_OFF, "voucher": {"uses": 1}, "status": "active"}
    assert (await shop.call("PATCH", f"/v1/rewards/{reward_id}", change, role=Role.ADMIN)).status == 200
    after = (await issue(shop, reward_id, "c-1")).code
    for code, discount, uses, version in ((before, 500, 2, 1), (after, 1000, 1, 2)):
        told = await look(shop, code)
        assert (told["discount"], told["uses"], told["reward_version"]) == (discount, uses, version)
    await shop.call("PATCH", f"/v1/rewards/{reward_id}", {"status": "archived"}, role=Role.ADMIN)
    assert (await redeem(shop, before)).body["discount"] == 500


async def load(shop: Shop, reward_id: str, codes: list[str], **headers: str) -> Answer:
    return await shop.post(f"/v1/rewards/{reward_id}/codes", {"codes": codes}, Role.MARKETER, **headers)


async def test_loaded_codes_are_the_stock_and_duplicates_are_told(shop: Shop, new_shop: NewShop) -> None:
    reward_id, other_id = await make(shop, codes="third_party"), await make(shop, codes="third_party")
    first = await load(shop, reward_id, ["A-1", "a-1", "A-2", "A-1"])
    assert first.body == {"loaded": 3, "duplicates": [3], "stock": 3, "left": 3}
    assert (await load(shop, other_id, ["A-2", "B"])).body == {"loaded": 1, "duplicates": [0], "stock": 1, "left": 1}
    again = await load(shop, reward_id, ["A-1", "a-1", "A-2"])
    assert again.body == {"loaded": 0, "duplicates": [0, 1, 2], "stock": 3, "left": 3}
    told = (await shop.get(f"/v1/rewards/{reward_id}")).body
    assert (told["stock"], told["left"]) == (3, 3)
    elsewhere = await new_shop()
    assert (await load(elsewhere, await make(elsewhere, codes="third_party"), ["A-1"])).body["loaded"] == 1


async def test_loading_with_its_idempotency_key_is_repeated_as_it_was(shop: Shop) -> None:
    reward_id = await make(shop, codes="third_party")
    first = await load(shop, reward_id, ["A", "B"], Idempotency_Key="k-1")
    again = await load(shop, reward_id, ["A", "B"], Idempotency_Key="k-1")
    assert (again.text, again.replayed) == (first.text, True)
    assert (await load(shop, reward_id, ["C"], Idempotency_Key="k-1")).code == "idempotency_key_reused"


async def test_5000_codes_are_loaded_at_once_and_no_more(shop: Shop) -> None:
    reward_id = await make(shop, codes="third_party")
    codes = [f"{number:0128}" for number in range(5001)]
    assert (await load(shop, reward_id, codes)).pointer == "/codes"
    assert (await load(shop, reward_id, codes[:5000])).body["stock"] == 5000
    assert (await load(shop, reward_id, [])).pointer == "/codes"
    assert (await load(shop, reward_id, ["A", " B"])).pointer == "/codes/1"


async def test_a_reward_whose_codes_are_generated_takes_none(shop: Shop) -> None:
    refused = await load(shop, await make(shop), ["A"])
    assert (refused.status, refused.code) == (409, "codes_generated")


async def test_loaded_codes_are_handed_out_as_they_are_in_their_order(shop: Shop) -> None:
    reward_id = await make(shop, codes="third_party")
    await load(shop, reward_id, ["b/2 Z", "0000-0000-000a", "x"])
    issued = [(await issue(shop, reward_id, f"c-{number}")).code for number in range(2)]
    assert issued == ["b/2 Z", "0000-0000-000a"]
    assert (await look(shop, "b%2F2%20Z"))["code"] == "b/2 Z"
    assert (await look(shop, "0000-0000-000a"))["code"] == "0000-0000-000a"
    assert (await shop.get("/v1/vouchers/B%2F2%20Z")).status == 404, "a third party's code is kept to the letter"
    assert (await shop.get("/v1/vouchers/x")).status == 404, "it isn't anybody's yet"
    assert (await redeem(shop, "b%2F2%20Z")).status == 200


async def test_who_guesses_codes_is_told_to_wait_also_for_one_that_there_is(
    shop: Shop, new_shop: NewShop, settings: Settings
) -> None:
    async with running(settings.model_copy(update={"wrong_codes_per_minute": 1})) as at:
        strict = await new_shop(at)
        code = await voucher(strict)
        assert [(await look(strict, code))["used"] for _ in range(3)] == [0, 0, 0], (
            "a code that there is counts nothing"
        )
        assert (await strict.get("/v1/vouchers/0000-0000-0000")).status == 404
        guessed = await strict.get("/v1/vouchers/0000-0000-0001")
        assert (guessed.status, guessed.code) == (429, "rate_limited")
        assert int(guessed.headers["retry-after"]) >= 1
        for answer in (
            await strict.get(f"/v1/vouchers/{code}"),
            await redeem(strict, code),
            await cancel(strict, code),
        ):
            assert answer.status == 429
        assert (await strict.get(f"/v1/vouchers/{code}", Role.SUPPORT)).status == 200, "another key goes on"
    assert (await shop.get("/v1/vouchers/0000-0000-0000")).status == 404
