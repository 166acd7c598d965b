"""The server has committed and its answer is lost: the service finds out by itself, and the caller never notices."""

import asyncio
from dataclasses import replace

from service.platform.roles import Role
from tests.faults.conftest import ShopBehindProxy
from tests.faults.proxy import AtCommit
from tests.shop import Answer, purchase


async def test_a_purchase_whose_commit_answer_is_lost_is_answered_as_new_and_booked_once(
    behind: ShopBehindProxy,
) -> None:
    body = purchase(id="order-1")
    behind.proxy.at_next_commit(AtCommit.CUT)
    first = await behind.shop.post("/v1/purchases", body)
    assert behind.proxy.broken_commits == 1
    assert (first.status, first.replayed) == (201, False)
    again = await behind.shop.post("/v1/purchases", body)
    assert (again.status, again.replayed, again.text) == (200, True, first.text)
    assert (await behind.shop.balance("c-42"))["available"] == 129


async def test_a_gathered_batch_whose_commit_answer_is_lost_is_told_to_each_as_it_was(behind: ShopBehindProxy) -> None:
    """Among them new and old customers, a repetition of one in the same batch, a conflict and a refusal."""
    await behind.shop.buy(id="old", customer_id="old")
    bodies = [purchase(id=f"order-{number}", customer_id=f"c-{number % 5}") for number in range(20)]
    bodies += [
        purchase(id="order-0", customer_id="c-0"),  # the same again
        purchase(id="order-1", customer_id="c-1", total=1),  # other content
        purchase(id="future", occurred_at="2999-01-01T00:00:00Z"),
        purchase(id="old", customer_id="old"),
    ]
    blocker = asyncio.ensure_future(behind.shop.buy(id="first", customer_id="first"))
    behind.proxy.at_next_commit(AtCommit.CUT)
    answers = await asyncio.gather(*(behind.shop.post("/v1/purchases", body) for body in bodies))
    assert (await blocker).status == 201
    assert behind.proxy.broken_commits == 1
    assert [answer.status for answer in answers] == [201] * 20 + [200, 409, 422, 200]
    balances = [await behind.shop.balance(f"c-{number}") for number in range(5)]
    assert {balance["available"] for balance in balances} == {4 * 129}


async def test_each_of_many_commits_may_be_lost(behind: ShopBehindProxy) -> None:
    for number in range(10):
        behind.proxy.at_next_commit(AtCommit.CUT)
        assert (await behind.shop.buy(id=f"order-{number}")).status == 201
    assert behind.proxy.broken_commits == 10
    assert (await behind.shop.balance("c-42"))["available"] == 10 * 129


async def test_a_bulk_call_whose_commit_answer_is_lost_is_answered_as_new(behind: ShopBehindProxy) -> None:
    batch = {"purchases": [purchase(id=f"order-{number}") for number in range(3)]}
    behind.proxy.at_next_commit(AtCommit.CUT)
    answer = await behind.shop.post("/v1/purchases/batch", batch)
    assert behind.proxy.broken_commits == 1
    assert [result["status"] for result in answer.body["results"]] == [201] * 3
    assert (await behind.shop.balance("c-42"))["available"] == 3 * 129


async def test_a_command_whose_commit_answer_is_lost_is_done_once_and_not_told_as_a_repetition(
    behind: ShopBehindProxy,
) -> None:
    batch = {"purchases": [purchase(id=f"order-{number}") for number in range(3)]}
    behind.proxy.at_next_commit(AtCommit.CUT)
    first = await behind.shop.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")
    assert behind.proxy.broken_commits == 1
    assert (first.status, first.replayed) == (200, False)
    assert [result["status"] for result in first.body["results"]] == [201] * 3
    again = await behind.shop.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")
    assert (again.status, again.text, again.replayed) == (200, first.text, True)


async def test_a_customer_whose_commit_answer_is_lost_is_enrolled_once(behind: ShopBehindProxy) -> None:
    behind.proxy.at_next_commit(AtCommit.CUT)
    put = await behind.shop.call("PUT", "/v1/customers/new", {"name": "Ada"})
    assert behind.proxy.broken_commits == 1
    assert put.status in {200, 201}
    assert (await behind.shop.balance("new"))["available"] == 0


async def test_a_commit_that_is_never_answered_is_told_as_unknown_and_the_service_goes_on(
    behind: ShopBehindProxy,
) -> None:
    """The connection stays open and carries nothing: nobody will ever tell what became of the transaction."""
    body = purchase(id="order-1")
    behind.proxy.at_next_commit(AtCommit.HOLD)
    unknown = await behind.shop.post("/v1/purchases", body)
    assert (unknown.status, unknown.code) == (503, "unavailable")
    assert int(unknown.headers["retry-after"]) >= 1
    again = await behind.shop.post("/v1/purchases", body)
    assert (again.status, again.replayed) == (200, True)
    assert (await behind.shop.buy(id="order-2")).status == 201
    assert (await behind.shop.balance("c-42"))["available"] == 2 * 129


async def test_a_refund_whose_commit_answer_is_lost_is_answered_as_new_and_booked_once(behind: ShopBehindProxy) -> None:
    """Also of the whole: nothing is left of the purchase when it runs again."""
    await behind.shop.buy(id="order-1", total=10_000)
    body = {"id": "r-1", "amount": 10_000}
    behind.proxy.at_next_commit(AtCommit.CUT)
    first = await behind.shop.post("/v1/purchases/order-1/refunds", body)
    assert behind.proxy.broken_commits == 1
    assert (first.status, first.replayed) == (201, False)
    again = await behind.shop.post("/v1/purchases/order-1/refunds", body)
    assert (again.status, again.replayed, again.text) == (200, True, first.text)


async def test_a_merge_whose_commit_answer_is_lost_is_done_once(behind: ShopBehindProxy) -> None:
    for name in ("guest", "c-42"):
        await behind.shop.buy(customer_id=name, total=1_000)
    behind.proxy.at_next_commit(AtCommit.CUT)
    path, body = "/v1/customers/guest/merge", {"into": "c-42"}
    merged = await behind.shop.post(path, body, Role.ADMIN, Idempotency_Key="k-1")
    assert behind.proxy.broken_commits == 1
    assert (merged.status, merged.replayed, merged.body["balance"]["available"]) == (200, False, 20)
    again = await behind.shop.post(path, body, Role.ADMIN, Idempotency_Key="k-1")
    assert (again.status, again.replayed, again.text) == (200, True, merged.text)


async def test_an_erasure_whose_commit_answer_is_lost_tells_what_it_closed(behind: ShopBehindProxy) -> None:
    await behind.shop.buy(total=1_000)
    behind.proxy.at_next_commit(AtCommit.CUT)
    erased = await behind.shop.call("DELETE", "/v1/customers/c-42", role=Role.ADMIN)
    assert behind.proxy.broken_commits == 1
    assert (erased.status, erased.body["closed"]["available"]) == (200, 10)
    assert (await behind.shop.call("DELETE", "/v1/customers/c-42", role=Role.ADMIN)).status == 404


async def test_redemptions_whose_commit_answers_are_lost_are_done_once(behind: ShopBehindProxy) -> None:
    await behind.shop.buy(total=1_000)
    body = {"customer_id": "c-42", "points": 4}
    behind.proxy.at_next_commit(AtCommit.CUT)
    held = await behind.shop.post("/v1/redemptions", body, Idempotency_Key="k-1")
    assert (held.status, held.replayed) == (201, False)
    behind.proxy.at_next_commit(AtCommit.CUT)
    path = f"/v1/redemptions/{held.body['id']}/capture"
    captured = await behind.shop.post(path, {"points": 3}, Idempotency_Key="k-2")
    assert behind.proxy.broken_commits == 2
    assert (captured.status, captured.replayed, captured.body["captured"]) == (200, False, 3)
    assert (await behind.shop.balance("c-42"))["available"] == 7


async def test_a_bulk_call_that_was_overtaken_by_the_same_one_is_answered_as_that_was(
    behind: ShopBehindProxy, address: str
) -> None:
    """What it worked out in a transaction that was never committed is told to nobody."""
    direct, told = replace(behind.shop, address=address), list[Answer]()
    batch = {"purchases": [purchase(id="order-1")]}

    async def overtake() -> None:
        assert (await direct.buy(id="order-0")).status == 201
        while not told or told[-1].status == 409:  # until the server has noticed that the other call is cut
            told.append(await direct.post("/v1/purchases/batch", batch, Idempotency_Key="k-1"))
        behind.proxy.resume()

    overtaking = list[asyncio.Future[None]]()

    def begin(_: AtCommit, __: bytes) -> None:
        behind.proxy.hang()
        overtaking.append(asyncio.ensure_future(overtake()))

    behind.proxy.on_broken = begin
    behind.proxy.at_next_commit(AtCommit.CUT_BEFORE)
    answer = await behind.shop.post("/v1/purchases/batch", batch, Idempotency_Key="k-1")
    await asyncio.gather(*overtaking)
    assert told[-1].body["results"][0]["purchase"]["balance"]["available"] == 2 * 129
    assert answer.body == told[-1].body


async def test_suppressions_whose_commit_answers_are_lost_are_answered_as_new_and_told_once(
    behind: ShopBehindProxy,
) -> None:
    await behind.shop.buy()
    path, body = "/v1/customers/c-42/suppressions", {"reason": "open_case", "reference": "case-7"}
    behind.proxy.at_next_commit(AtCommit.CUT)
    made = await behind.shop.post(path, body, Role.SUPPORT)
    behind.proxy.at_next_commit(AtCommit.CUT)
    lifted = await behind.shop.call("DELETE", f"{path}/open_case", role=Role.SUPPORT)
    behind.proxy.at_next_commit(AtCommit.CUT)
    keyed = await behind.shop.post(path, body, Role.SUPPORT, Idempotency_Key="k-1")
    assert behind.proxy.broken_commits == 3
    assert [each.status for each in (made, lifted, keyed)] == [201, 200, 201]
    assert (keyed.replayed, keyed.body["reference"]) == (False, "case-7")
    assert (await behind.shop.get(path, Role.SUPPORT)).body["data"] == [keyed.body]
