"""Suppressions over a customer's life: they go over with a merge, end with an erasure, and are given out."""

from datetime import timedelta
from typing import Any

from service.customers import usecases as customers
from service.customers.suppressions.rules import SuppressionReason
from service.platform.clock import database_time
from service.platform.roles import Role
from service.platform.statements import Db
from tests.api.test_events import read_all, sequenced
from tests.api.test_suppressions import LATER, soon
from tests.shop import Shop
from tests.stories.months import pass_time
from tests.stories.test_records import WORD, admin, merge, traces


async def suppress(shop: Shop, customer_id: str, reason: str, **more: Any) -> dict[str, Any]:
    path = f"/v1/customers/{customer_id}/suppressions"
    made = await shop.post(path, {"reason": reason} | more, Role.MARKETER)
    assert made.status in {200, 201}, made.text
    return made.body


async def listed(shop: Shop, customer_id: str) -> dict[str, dict[str, Any]]:
    """Read what holds for a customer, by its reason."""
    answer = await shop.get(f"/v1/customers/{customer_id}/suppressions", Role.SUPPORT)
    assert answer.status == 200, answer.text
    return {each["reason"]: each for each in answer.body["data"]}


async def doors(shop: Shop, owner: Db) -> dict[str | None, set[str]]:
    """Ask as rooms above do, for all records; gives the reasons by the callers' ids."""
    rows = await owner.fetch("SELECT id, external_id FROM customer WHERE program_id = $1", shop.program.id)
    found = await customers.suppressed(
        owner, program_id=shop.program.id, customers=[row["id"] for row in rows], now=await database_time(owner)
    )
    names = {row["id"]: row["external_id"] for row in rows}
    return {names[each]: {reason.value for reason in reasons} for each, reasons in found.items()}


async def news(shop: Shop) -> list[tuple[str, str | None, dict[str, Any]]]:
    await sequenced(shop)
    return [
        (each["type"].removeprefix("customer."), each["customer_id"], each["data"])
        for each in await read_all(shop)
        if each["type"].startswith("customer.supp")
    ]


async def test_what_holds_for_a_guest_holds_for_the_customer_from_the_merge_on(shop: Shop, owner: Db) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name)
    theirs = await suppress(shop, "guest", "open_case", reference="case-7", until=LATER)
    longer = await suppress(shop, "guest", "complaint")
    await suppress(shop, "c-42", "complaint", until=LATER)
    await suppress(shop, "guest", "opt_out", until=soon(days=9))
    own = await suppress(shop, "c-42", "opt_out", reference="its own")
    left = await suppress(shop, "c-42", "left")
    before = len(await news(shop))
    assert (await merge(shop, "guest", "c-42")).status == 200
    holds = {"open_case": theirs, "complaint": longer, "opt_out": own, "left": left}
    for name in ("guest", "c-42"):
        assert await listed(shop, name) == holds
    assert await doors(shop, owner) == {"guest": set(holds), "c-42": set(holds)}
    assert (await news(shop))[before:] == [
        ("suppressed", "c-42", {"reason": "open_case", "until": LATER}),
        ("suppressed", "c-42", {"reason": "complaint", "until": None}),
    ]
    # Under either id it is the customer's own.
    assert (await shop.call("DELETE", "/v1/customers/guest/suppressions/open_case", role=Role.SUPPORT)).status == 200
    assert (await suppress(shop, "guest", "left")) == left
    assert set(await listed(shop, "c-42")) == {"complaint", "opt_out", "left"}


async def test_through_a_chain_of_merges_nothing_is_lost(shop: Shop, owner: Db) -> None:
    for name, reason in (("a", "deceased"), ("b", "left"), ("c", "opt_out")):
        await shop.buy(customer_id=name)
        await suppress(shop, name, reason)
    for source, target in (("a", "b"), ("b", "c"), ("a", "c")):
        assert (await merge(shop, source, target)).status == 200
    every = {"deceased", "left", "opt_out"}
    assert await doors(shop, owner) == {"a": every, "b": every, "c": every}


async def test_what_is_over_when_records_become_one_does_not_go_over(shop: Shop, owner: Db) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name)
        await suppress(shop, name, "complaint", until=soon(days=2))
    await suppress(shop, "guest", "open_case", until=soon(days=9))
    await pass_time(owner, shop.program.id, timedelta(days=3))
    assert (await merge(shop, "guest", "c-42")).status == 200
    assert set(await listed(shop, "c-42")) == {"open_case"}


async def test_a_dry_run_of_a_merge_lets_everything_hold_where_it_does(shop: Shop) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name)
    await suppress(shop, "guest", "open_case")
    dry = await shop.call("POST", "/v1/customers/guest/merge?dry_run=true", {"into": "c-42"}, role=Role.ADMIN)
    assert dry.status == 200
    assert (set(await listed(shop, "guest")), await listed(shop, "c-42")) == ({"open_case"}, {})


async def test_with_an_erasure_all_end_and_no_reference_is_left_and_a_newcomer_has_none(shop: Shop, owner: Db) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name)
        await suppress(shop, name, "open_case", reference=WORD)
    await suppress(shop, "c-42", "opt_out", reference=WORD)
    await suppress(shop, "c-42", "opt_out", reference=f"{WORD} again")
    await shop.call("DELETE", "/v1/customers/c-42/suppressions/opt_out", role=Role.SUPPORT)
    await suppress(shop, "c-42", "complaint", reference=WORD, until=soon(days=1))
    await merge(shop, "guest", "c-42")
    assert "suppression.reference" in await traces(owner, shop, WORD)
    before = await news(shop)
    assert (await admin(shop, "DELETE", "/v1/customers/c-42")).status == 200
    assert await traces(owner, shop, WORD) == []
    assert (await shop.get("/v1/customers/c-42/suppressions", Role.SUPPORT)).status == 404
    assert await doors(shop, owner) == {}
    # It is told with the erasure; what was told before names nobody now, and tells what it told.
    after = await news(shop)
    assert [(kind, data) for kind, _, data in after] == [(kind, data) for kind, _, data in before]
    assert {name for _, name, _ in after} == {None}
    await shop.buy(customer_id="c-42")
    assert await listed(shop, "c-42") == {}


async def test_an_export_gives_out_what_holds_and_what_ended_and_how(shop: Shop, owner: Db) -> None:
    for name in ("guest", "c-42"):
        await shop.buy(customer_id=name)
    await suppress(shop, "c-42", "complaint", until=soon(days=1), reference="old")
    await suppress(shop, "guest", "open_case", reference="case-7")
    await pass_time(owner, shop.program.id, timedelta(days=2))
    await suppress(shop, "c-42", "complaint", reference="new")
    await suppress(shop, "c-42", "complaint", reference="newer")
    await shop.call("DELETE", "/v1/customers/c-42/suppressions/complaint", role=Role.SUPPORT)
    await merge(shop, "guest", "c-42")
    given = (await shop.get("/v1/customers/c-42/export", Role.ANALYST)).body["records"]["suppressions"]
    assert sorted((each["reference"], each["ended_as"] or "", each["lifted_by"] is not None) for each in given) == [
        ("case-7", "", False),
        ("case-7", "merged", False),
        ("new", "replaced", False),
        ("newer", "lifted", True),
        ("old", "over", False),
    ]
    assert {each["reason"] for each in given} == {SuppressionReason.COMPLAINT.value, SuppressionReason.OPEN_CASE.value}
