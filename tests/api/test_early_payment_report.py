"""The report of early payment over HTTP: who reads it, what it refuses, and what it leaves out."""

from typing import Any

import pytest

from service.platform.roles import Role
from tests import billing
from tests.conftest import NewShop
from tests.shop import Answer, Shop

REPORT = "/v1/early-payment-report"
YEAR = "?from=2026-01-01&to=2026-07-01"


async def report(shop: Shop, query: str = YEAR, role: Role = Role.ANALYST) -> Answer:
    return await shop.get(f"{REPORT}{query}", role)


async def reported(shop: Shop, query: str = YEAR) -> dict[str, Any]:
    answer = await report(shop, query)
    assert answer.status == 200, answer.text
    return answer.body


async def test_only_who_reads_reports_has_it(shop: Shop) -> None:
    allowed = {role for role in Role if (await report(shop, role=role)).status == 200}
    assert allowed == {Role.MARKETER, Role.ANALYST, Role.ADMIN}


async def test_a_program_without_invoices_has_a_report_of_nothing(shop: Shop) -> None:
    body = await reported(shop, "?capital_basis_points=800&group_by=tier")
    assert (body["total"], body["groups"], body["others"], body["group_by"]) == ([], [], None, "tier")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("?from=2026-02-30", "?from"),
        ("?to=%00", "?to"),
        ("?from=2026-01-01&compare_to=2026-01-02", "?compare_to"),
        ("?compare_from=2999-01-01", "?compare_from"),
        ("?group_by=region", "?group_by"),
        ("?group_by=attributes.%00", "?group_by"),
        ("?capital_basis_points=0", "?capital_basis_points"),
    ],
)
async def test_what_can_not_be_reported_is_refused_where_it_stands(shop: Shop, query: str, pointer: str) -> None:
    answer = await report(shop, query)
    assert (answer.status, answer.pointer) == (422, pointer)


async def test_the_ends_of_the_calendar_can_be_asked_for(new_shop: NewShop) -> None:
    for zone in ("Asia/Tokyo", "America/New_York"):
        shop = await new_shop(time_zone=zone)
        for query in ("?from=1970-01-02&to=1970-01-03", "?from=9990-01-01&to=9999-12-31"):
            assert (await reported(shop, query))["total"] == []


async def test_a_program_sees_nothing_of_anothers(new_shop: NewShop) -> None:
    one, other = await new_shop(), await new_shop()
    await billing.issue(one)
    assert len((await reported(one))["total"]) == 1
    assert (await reported(other))["total"] == []


async def test_what_bounced_was_neither_paid_nor_given(shop: Shop) -> None:
    invoice_id = await billing.issue(shop)
    paid = await billing.pay(shop, invoice_id, 97_000, "2026-01-15")
    (eur,) = (await reported(shop))["total"]
    assert (eur["period"]["settled"], eur["period"]["given"]["discount"]) == (1, 3_000)
    assert eur["cost"]["against_due_day"]["mean_days"] == 25.0
    assert eur["worth"] is None
    await billing.reverse(shop, invoice_id, paid.body["id"])
    (eur,) = (await reported(shop))["total"]
    period = eur["period"]
    assert (period["settled"], period["open"], period["open_amount"], period["overdue"]) == (0, 1, 100_000, 1)
    assert set(period["given"].values()) == {0}
    assert (period["days_to_pay"]["median"], eur["cost"]["against_due_day"]["basis_points"]) == (None, None)


async def test_of_more_than_50_groups_the_rest_is_told_together(shop: Shop) -> None:
    for number in range(53):
        customer = f"of-{number:02}"
        body = {"attributes": {"city": f"city {number:02}"}}
        assert (await shop.call("PUT", f"/v1/customers/{customer}", body, role=Role.ADMIN)).status in {200, 201}
        await billing.issue(shop, customer_id=customer)
    await billing.issue(shop, customer_id="of-52")
    body = await reported(shop, f"{YEAR}&group_by=attributes.city")
    told = [each["group"] for each in body["groups"]]
    assert told == ["city 52", *(f"city {number:02}" for number in range(49))]
    assert (body["others"]["groups"], body["others"]["currencies"][0]["period"]["invoices"]) == (3, 3)
    assert body["total"][0]["period"]["invoices"] == 54
