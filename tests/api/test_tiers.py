"""Tiers over HTTP: what a marketer sets, and what can't stand beside each other."""

from typing import Any

import pytest

from service.platform.roles import Role
from tests.rulebook import SINCE
from tests.shop import Answer, Shop

TIERS = "/v1/tiers"


async def make(shop: Shop, tier_id: str, threshold: int, **more: Any) -> Answer:
    body = {"id": tier_id, "name": tier_id.title(), "threshold": threshold, "state": "active", "valid_from": SINCE}
    return await shop.post(TIERS, body | more, Role.MARKETER)


async def qualify(shop: Shop, **policy: Any) -> Answer:
    return await shop.call("PATCH", "/v1/program", {"settings": {"tiers": policy}}, role=Role.ADMIN)


async def test_two_tiers_at_one_threshold_have_no_order(shop: Shop) -> None:
    assert (await make(shop, "silver", 500)).status == 201
    assert (await make(shop, "gold", 500)).pointer == "/threshold"
    assert (await make(shop, "gold", 500, state="draft")).pointer == "/threshold"
    assert (await make(shop, "gold", 1_000)).status == 201
    patched = await shop.call("PATCH", f"{TIERS}/gold", {"threshold": 500}, role=Role.MARKETER)
    assert patched.pointer == "/threshold"
    # What is to come counts, too: from next century on silver asks for 700.
    later = {"threshold": 700, "valid_from": "2126-01-01T00:00:00Z"}
    assert (await shop.call("PATCH", f"{TIERS}/silver", later, role=Role.MARKETER)).status == 200
    assert (await make(shop, "topaz", 700)).pointer == "/threshold"
    assert (await make(shop, "topaz", 600)).status == 201
    ended = await shop.call("PATCH", f"{TIERS}/topaz", {"state": "ended"}, role=Role.MARKETER)
    assert ended.body["status"] == "ended"
    assert (await make(shop, "opal", 600, valid_from=None)).status == 201


async def test_a_program_has_at_most_twenty_tiers(shop: Shop) -> None:
    for number in range(20):
        assert (await make(shop, f"tier-{number}", number)).status == 201
    assert (await make(shop, "one-more", 1_000)).pointer == "/name"
    again = await shop.call("PATCH", f"{TIERS}/tier-0", {"name": "Another"}, role=Role.MARKETER)
    assert again.body["name"] == "Another"


@pytest.mark.parametrize(
    ("policy", "pointer"),
    [
        ({"period": {"kind": "rolling"}}, "/settings/tiers/period/months"),
        ({"period": {"kind": "rolling", "months": 12}, "currency": "EUR"}, "/settings/tiers/currency"),
        ({"period": {"kind": "calendar", "period": "year"}, "counts": ["bonuses"] * 2}, "/settings/tiers/counts/1"),
    ],
)
async def test_a_policy_that_can_t_be_is_refused(shop: Shop, policy: dict[str, Any], pointer: str) -> None:
    assert (await qualify(shop, **policy)).pointer == pointer


async def test_a_program_says_how_customers_qualify_or_that_it_has_no_tiers(shop: Shop) -> None:
    assert (await shop.get("/v1/program", Role.ADMIN)).body["settings"]["tiers"] is None
    changed = await qualify(shop, period={"kind": "rolling", "months": 12}, qualify_by="spend")
    assert changed.body["settings"]["tiers"] == {
        "period": {"kind": "rolling", "months": 12, "days": None},
        "qualify_by": "spend",
        "currency": None,
        "counts": [],
        "downgrade": "by_balance",
        "grace_days": 0,
        "notice_days": None,
    }
    assert (await shop.call("PATCH", "/v1/program", {"settings": {"tiers": None}}, role=Role.ADMIN)).status == 200
