"""Invoices as tables: on which day what is done, and what the answer says to book. Amounts in cents.

Each story is of one invoice; a credit note and a bounce are told as what is open after them.
"""

from typing import Any, Final

import pytest

from tests import billing
from tests.shop import Shop

Row = tuple[str, str, int, dict[str, int]]
"""What is done, on which day, with which amount, and what the answer says."""

VAT: Final = {"name": "VAT", "basis_points": 1500}
STORIES: Final[dict[str, tuple[dict[str, Any], list[Row]]]] = {
    "early, in the second step, late": (
        {"terms": billing.TWO_STEPS},
        [
            ("pay", "2026-01-17", 29_100, {"settled": 30_000, "discount": 900, "remaining": 70_000}),
            ("pay", "2026-01-18", 29_400, {"settled": 30_000, "discount": 600, "remaining": 40_000}),
            ("pay", "2026-01-24", 9_800, {"settled": 10_000, "discount": 200, "remaining": 30_000}),
            ("pay", "2026-01-25", 29_400, {"settled": 29_400, "discount": 0, "remaining": 600}),
            ("pay", "2026-03-01", 1_000, {"settled": 600, "discount": 0, "overpaid": 400, "remaining": 0}),
            ("pay", "2026-03-02", 1_000, {"settled": 0, "discount": 0, "overpaid": 1_000, "remaining": 0}),
        ],
    ),
    "a cent too little stays due, and is paid": (
        {"terms": billing.TWO_PERCENT},
        [
            ("pay", "2026-01-20", 97_999, {"settled": 99_999, "discount": 2_000, "remaining": 1}),
            ("pay", "2026-01-20", 1, {"settled": 1, "discount": 0, "remaining": 0}),
        ],
    ),
    "a cent too little and two days late are borne": (
        {"terms": billing.TWO_PERCENT | {"tolerance": {"days": 2, "amount": 1}}},
        [("pay", "2026-01-22", 97_999, {"settled": 100_000, "discount": 2_001, "remaining": 0})],
    ),
    "three days late is too late": (
        {"terms": billing.TWO_PERCENT | {"tolerance": {"days": 2, "amount": 1}}},
        [("pay", "2026-01-23", 98_000, {"settled": 98_000, "discount": 0, "remaining": 2_000})],
    ),
    "only who pays in full is discounted": (
        {"terms": billing.TWO_PERCENT | {"partial": "full_only"}},
        [
            ("pay", "2026-01-12", 50_000, {"settled": 50_000, "discount": 0, "remaining": 50_000}),
            ("pay", "2026-01-13", 49_000, {"settled": 50_000, "discount": 1_000, "remaining": 0}),
        ],
    ),
    "more than the price and less than all closes it": (
        {"terms": billing.TWO_PERCENT},
        [("pay", "2026-01-20", 99_000, {"settled": 100_000, "discount": 1_000, "remaining": 0})],
    ),
    "a bounce opens what it settled, and what others settled stays": (
        {"terms": billing.TWO_PERCENT},
        [
            ("pay", "2026-01-12", 49_000, {"settled": 50_000, "discount": 1_000, "remaining": 50_000}),
            ("pay", "2026-01-13", 49_000, {"settled": 50_000, "discount": 1_000, "remaining": 0}),
            ("bounce 1", "", 0, {"open": 50_000}),
            ("pay", "2026-03-01", 50_000, {"settled": 50_000, "discount": 0, "remaining": 0}),
            ("bounce 2", "", 0, {"open": 50_000}),
            ("bounce 1", "", 0, {"open": 50_000}),
        ],
    ),
    "a credit note takes from what is open, then the newest settlement": (
        {"terms": billing.TWO_PERCENT},
        [
            ("pay", "2026-01-12", 49_000, {"settled": 50_000, "discount": 1_000, "remaining": 50_000}),
            ("pay", "2026-01-13", 29_400, {"settled": 30_000, "discount": 600, "remaining": 20_000}),
            ("credit", "2026-01-14", 25_000, {"from_open": 20_000, "overpaid": 4_900, "discount": 100, "remaining": 0}),
            ("credit", "2026-01-15", 30_000, {"from_open": 0, "overpaid": 29_400, "discount": 600, "remaining": 0}),
            ("bounce 1", "", 0, {"open": 45_000}),
            ("credit", "2026-01-16", 45_000, {"from_open": 45_000, "overpaid": 0, "discount": 0, "remaining": 0}),
        ],
    ),
    "a credit note before the payment leaves less to discount": (
        {"terms": billing.TWO_PERCENT, "total": 119_000, "tax": 19_000},
        [
            ("credit 9500", "2026-01-12", 59_500, {"from_open": 59_500, "overpaid": 0, "remaining": 59_500}),
            ("pay", "2026-01-20", 58_310, {"settled": 59_500, "discount": 1_000, "tax_reduction": 190, "remaining": 0}),
        ],
    ),
    "lines of two tax groups and a fixed tax": (
        {
            "total": ...,
            "lines": [
                {"net": 100_000, "taxes": [VAT, {"name": "eco", "fixed": 5}]},
                {"net": 200_000, "taxes": []},
            ],
            "terms": {"kind": "steps", "steps": [{"days": 10, "basis_points": 1000}]},
        },
        [("pay", "2026-01-20", 283_505, {"settled": 315_005, "discount": 30_000, "tax_reduction": 1_500})],
    ),
    "a yearly rate by the days that are gained": (
        {"terms": {"kind": "yearly_rate", "basis_points": 1800, "year_days": 360}, "due_on": "2026-02-09"},
        [
            ("pay", "2026-02-02", 49_825, {"settled": 50_000, "discount": 175, "remaining": 50_000}),
            ("pay", "2026-02-09", 50_000, {"settled": 50_000, "discount": 0, "remaining": 0}),
        ],
    ),
    "dinars have three decimals, yen none": (
        {"currency": "KWD", "total": 1_000_005, "terms": billing.TWO_PERCENT},
        [("pay", "2026-01-20", 980_005, {"settled": 1_000_005, "discount": 20_000, "remaining": 0})],
    ),
}


@pytest.mark.parametrize("story", STORIES)
async def test_an_invoice_goes_its_way(shop: Shop, story: str) -> None:
    changes, rows = STORIES[story]
    invoice_id, paid = await billing.issue(shop, **changes), list[str]()
    for number, (what, day, amount, expected) in enumerate(rows):
        done, _, which = what.partition(" ")
        if done == "pay":
            answer = await billing.pay(shop, invoice_id, amount, day)
            assert answer.status == 201, answer.text
            paid.append(answer.body["id"])
            told = answer.body
        elif done == "bounce":
            answer = await billing.reverse(shop, invoice_id, paid[int(which) - 1])
            assert answer.status == 200, answer.text
            told = await billing.read(shop, invoice_id)
        else:
            note = {"issued_on": day, "total": amount} | ({"tax": int(which)} if which else {})
            answer = await billing.credit(shop, invoice_id, **note)
            assert answer.status == 201, answer.text
            told = answer.body
        assert {name: told[name] for name in expected} == expected, f"row {number}"
        open_now = (await billing.read(shop, invoice_id))["open"]
        assert open_now == told.get("remaining", open_now)
