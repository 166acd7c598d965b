"""What expressions find under each name of their vocabulary is what the occasion has."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from service.earning.occasion import Known
from service.earning.showing import facts_of
from service.earning.vocabulary import ActivityFacts, CustomerFacts, ItemFacts, PurchaseFacts, TimeFacts
from service.purchases.rules import Item
from tests.rules.earning import bought

AT = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
KNOWN = Known(4, AT - timedelta(days=400), AT - timedelta(days=90), "gold", {"segment": "b2b"}, date(1990, 11, 21))


def taken(source: object, kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: getattr(source, field.name) for field in msgspec.structs.fields(kind)}


def test_a_purchase() -> None:
    items = [Item("1", 12_500, 2, "TEA-1", "tea")]
    purchase = bought(
        "EUR", 14_000, 2000, 490, points_paid=7, channel="web", items=items, at=AT, zone="Europe/Berlin", known=KNOWN
    )
    shown = facts_of(purchase)
    assert shown.activity is None
    assert CustomerFacts(**taken(shown.customer, CustomerFacts)) == CustomerFacts(
        5, "gold", {"segment": "b2b"}, 90, 400, has_birthday=True
    )
    assert TimeFacts(**taken(shown.time, TimeFacts)) == TimeFacts(2026, 11, 21, 6, 0, 30)
    told = taken(shown.purchase, PurchaseFacts)
    told["items"] = [ItemFacts(**taken(each, ItemFacts)) for each in items]
    assert PurchaseFacts(**told) == PurchaseFacts(
        "EUR", 14_000, 2000, 490, 7, "web", [ItemFacts(12_500, 2, "TEA-1", "tea")]
    )


def test_an_activity() -> None:
    survey = bought()
    survey.type, survey.properties = "survey", {"rating": 5}
    shown = facts_of(survey)
    assert shown.purchase is None
    assert ActivityFacts(**taken(shown.activity, ActivityFacts)) == ActivityFacts("survey", {"rating": 5})
