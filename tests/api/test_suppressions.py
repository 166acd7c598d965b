"""Suppressions through HTTP: set, replaced, lifted, listed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.platform.roles import Role
from service.platform.statements import Db
from tests.api.test_events import read_all, sequenced
from tests.shop import Answer, Shop, unique
from tests.stories.months import pass_time

PATH = "/v1/customers/c-42/suppressions"
LATER = "2999-01-01T00:00:00Z"


async def suppress(shop: Shop, reason: str = "open_case", /, path: str = PATH, **more: Any) -> Answer:
    return await shop.post(path, {"reason": reason} | more, Role.SUPPORT)


async def lift(shop: Shop, reason: str = "open_case", query: str = "") -> Answer:
    return await shop.call("DELETE", f"{PATH}/{reason}{query}", role=Role.SUPPORT)


async def listed(shop: Shop, path: str = PATH) -> list[dict[str, Any]]:
    answer = await shop.get(path, Role.ANALYST)
    assert answer.status == 200, answer.text
    return answer.body["data"]


async def holding(shop: Shop) -> list[str]:
    return [each["reason"] for each in await listed(shop)]


async def told(shop: Shop) -> list[tuple[str, dict[str, Any]]]:
    """Read what was told of suppressions, by the last part of the type."""
    await sequenced(shop)
    return [
        (each["type"].removeprefix("customer."), each["data"])
        for each in await read_all(shop)
        if "suppress" in each["type"]
    ]


def soon(**after: float) -> str:
    return (datetime.now(UTC) + timedelta(**after)).isoformat()


async def test_a_customer_is_suppressed_with_201_and_the_list_shows_it(shop: Shop) -> None:
    await shop.buy()
    assert await listed(shop) == []
    made = await suppress(shop, until=LATER, reference="case-7")
    assert made.status == 201
    assert made.body | {"set_by": "", "set_at": ""} == {
        "reason": "open_case", "until": LATER, "reference": "case-7", "set_by": "", "set_at": "",
    }  # fmt: skip
    assert made.body["set_by"].startswith("key_")
    assert made.body["set_at"].endswith("Z")
    assert await listed(shop) == [made.body]
    assert await told(shop) == [("suppressed", {"reason": "open_case", "until": LATER})]


@pytest.mark.parametrize("reason", ["open_case", "complaint", "opt_out", "left", "deceased", "payment_overdue"])
async def test_each_reason_holds_by_itself_until_it_is_lifted(shop: Shop, reason: str) -> None:
    await shop.buy()
    made = await suppress(shop, reason)
    assert (made.status, made.body["until"], made.body["reference"]) == (201, None, None)
    lifted = await lift(shop, reason)
    assert (lifted.status, lifted.body) == (200, {"reason": reason, "lifted": True})
    assert await listed(shop) == []
    assert (await lift(shop, reason)).status == 404
    content = {"reason": reason, "until": None}
    assert await told(shop) == [("suppressed", content), ("suppression_lifted", content)]


async def test_the_same_again_is_200_changes_nothing_and_tells_nobody(shop: Shop) -> None:
    await shop.buy()
    first = await suppress(shop, until=LATER, reference="case-7")
    for until in (LATER, "2999-01-01T01:00:00+01:00"):
        again = await suppress(shop, until=until, reference="case-7")
        assert (again.status, again.body, again.replayed) == (200, first.body, False)
    assert len(await told(shop)) == 1


async def test_other_content_replaces_what_holds_and_is_told(shop: Shop) -> None:
    await shop.buy()
    await suppress(shop, until=LATER, reference="case-7")
    contents: list[dict[str, Any]] = [{"until": None, "reference": "case-7"}, {"until": None, "reference": None}]
    for content in contents:
        replaced = await suppress(shop, **content)
        assert replaced.status == 200
        assert {name: replaced.body[name] for name in content} == content
        assert await listed(shop) == [replaced.body]
    assert [data["until"] for _, data in await told(shop)] == [LATER, None, None]
    # What was told stays as it was told.
    await lift(shop)
    assert [data["until"] for _, data in await told(shop)] == [LATER, None, None, None]


async def test_one_whose_time_is_over_holds_no_more_and_can_be_set_anew(shop: Shop, owner: Db) -> None:
    await shop.buy()
    await suppress(shop, until=soon(days=3))
    await suppress(shop, "complaint", until=soon(days=5))
    await pass_time(owner, shop.program.id, timedelta(days=4))
    assert await holding(shop) == ["complaint"]
    assert (await lift(shop)).status == 404
    anew = await suppress(shop)
    assert anew.status == 201
    assert await holding(shop) == ["open_case", "complaint"]
    assert [kind for kind, _ in await told(shop)] == ["suppressed"] * 3


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "/reason"),
    ({"reason": None}, "/reason"),
    ({"reason": "because"}, "/reason"),
    ({"reason": "OPEN_CASE"}, "/reason"),
    ({"reason": ["left"]}, "/reason"),
    ({"reason": "left", "until": "2026-01-01T00:00:00Z"}, "/until"),
    ({"reason": "left", "until": "0001-01-01T00:00:00Z"}, "/until"),
    ({"reason": "left", "until": "0001-01-01T00:00:00+10:00"}, "/until"),
    ({"reason": "left", "until": "9999-12-31T23:59:59-10:00"}, "/until"),
    ({"reason": "left", "until": "2999-01-01"}, "/until"),
    ({"reason": "left", "until": "2999-01-01T00:00:00"}, "/until"),
    ({"reason": "left", "until": 5}, "/until"),
    ({"reason": "left", "until": ""}, "/until"),
    ({"reason": "left", "reference": ""}, "/reference"),
    ({"reason": "left", "reference": "x" * 501}, "/reference"),
    ({"reason": "left", "reference": 7}, "/reference"),
    ({"reason": "left", "reference": "a\u0000"}, "/reference"),
    ({"reason": "left", "reference": "\ud800"}, "/reference"),
    ({"reason": "left", "note": "x"}, "/note"),
    ({"reason": "left", "set_at": LATER}, "/set_at"),
)


async def test_a_wrong_suppression_is_refused_with_a_pointer_and_nothing_of_it_is_kept(shop: Shop) -> None:
    await shop.buy()
    for body, pointer in WRONG:
        assert (await shop.post(PATH, body, Role.SUPPORT)).pointer == pointer, body
    past = await suppress(shop, until=soon(seconds=-1))
    assert (past.pointer, past.body["errors"][0]["code"]) == ("/until", "in_the_past")
    assert await listed(shop) == []
    assert await told(shop) == []


@pytest.mark.parametrize(
    "more",
    [
        {"until": "9999-12-31T23:59:59.999999Z"},
        {"reference": "x" * 500},
        {"reference": "\u202e\u0001 Zo\u00eb \U0001f375 \\ \" '"},
    ],
)
async def test_a_suppression_at_its_bounds_is_given_back(shop: Shop, more: dict[str, Any]) -> None:
    await shop.buy()
    made = await suppress(shop, **more)
    assert made.status == 201
    assert {name: made.body[name] for name in more} == more
    assert await listed(shop) == [made.body]
    assert (await suppress(shop, **more)).status == 200
    assert len(await told(shop)) == 1


async def test_a_key_repeats_the_answer_whatever_became_of_it(shop: Shop) -> None:
    await shop.buy()
    key = {"Idempotency_Key": unique("key")}
    body = {"reason": "open_case", "reference": "case-7"}
    first = await shop.post(PATH, body, Role.SUPPORT, **key)
    assert (first.status, first.replayed) == (201, False)
    await lift(shop)
    again = await shop.post(PATH, body, Role.SUPPORT, **key)
    assert (again.status, again.text, again.replayed) == (201, first.text, True)
    assert await listed(shop) == []
    other = await shop.post(PATH, body | {"reference": "case-8"}, Role.SUPPORT, **key)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    another_customer = await shop.post("/v1/customers/c-43/suppressions", body, Role.SUPPORT, **key)
    assert another_customer.code == "idempotency_key_reused"


async def test_the_kept_answer_holds_no_reference(shop: Shop, owner: Db) -> None:
    await shop.buy()
    await shop.post(PATH, {"reason": "left", "reference": "zebra-1"}, Role.SUPPORT, Idempotency_Key=unique("key"))
    kept = await owner.fetchval(
        "SELECT string_agg(answer::text, '') FROM command WHERE program_id = $1", shop.program.id
    )
    assert "left" in kept
    assert "zebra" not in kept
    assert "c-42" not in kept


async def test_dry_runs_answer_what_would_be_and_change_nothing(shop: Shop) -> None:
    await shop.buy()
    dry = await suppress(shop, path=f"{PATH}?dry_run=true", reference="case-7")
    assert (dry.status, dry.body["reference"]) == (200, "case-7")
    assert await listed(shop) == []
    assert (await lift(shop, query="?dry_run=true")).status == 404
    made = await suppress(shop)
    assert (await suppress(shop, path=f"{PATH}?dry_run=true", until=LATER)).body["until"] == LATER
    assert (await lift(shop, query="?dry_run=true")).status == 200
    assert await listed(shop) == [made.body]
    assert len(await told(shop)) == 1


async def test_who_is_unknown_is_404_and_is_not_enrolled(shop: Shop) -> None:
    path = "/v1/customers/nobody/suppressions"
    answers = [
        await suppress(shop, path=path),
        await suppress(shop, path=f"{path}?dry_run=true"),
        await shop.get(path, Role.SUPPORT),
        await shop.call("DELETE", f"{path}/open_case", role=Role.SUPPORT),
        await suppress(shop, path="/v1/customers/%20x/suppressions"),
    ]
    assert {(answer.status, answer.code) for answer in answers} == {(404, "not_found")}
    assert (await shop.get("/v1/customers", Role.ADMIN)).body["data"] == []


async def test_a_reason_that_there_is_not_is_404_as_one_that_does_not_hold(shop: Shop) -> None:
    await shop.buy()
    await suppress(shop)
    for reason in ("complaint", "because", "OPEN_CASE", "open_case%20", "open%5Fcase/x", "%00"):
        assert (await lift(shop, reason)).status == 404, reason
    assert (await lift(shop, "open%5Fcase")).status == 200


async def test_ids_with_slashes_are_found_in_every_spelling(shop: Shop) -> None:
    for number, name in enumerate(("a/b", "//", "x/suppressions", "suppressions", "100%", "a b", "complaint")):
        await shop.buy(customer_id=name)
        spelled = "".join(f"%{ord(each):02x}" for each in name)
        path = f"/v1/customers/{spelled}/suppressions"
        reference = f"case-{number}"
        assert (await suppress(shop, path=path, reference=reference)).status == 201, name
        assert [each["reference"] for each in await listed(shop, path)] == [reference]
        assert (await shop.call("DELETE", f"{path}/open_case", role=Role.ADMIN)).status == 200
        assert await listed(shop, path) == []


async def test_they_are_listed_newest_first_by_pages(shop: Shop) -> None:
    await shop.buy()
    reasons = ["left", "complaint", "opt_out", "deceased", "open_case"]
    for reason in reasons:
        await suppress(shop, reason)
    seen, cursor, pages = list[str](), "", 0
    while True:
        page = (await shop.get(f"{PATH}?limit=2{cursor}", Role.SUPPORT)).body
        seen += [each["reason"] for each in page["data"]]
        pages += 1
        if not page["has_more"]:
            assert page["next_cursor"] is None
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert (seen, pages) == (reasons[::-1], 3)


async def test_another_program_has_suppressions_of_its_own(shop: Shop, new_shop: Any) -> None:
    other = await new_shop()
    for each in (shop, other):
        await each.buy()
    await suppress(shop)
    assert await listed(other) == []
    assert (await lift(other)).status == 404
    assert await holding(shop) == ["open_case"]
