"""How long points last and how long they are held back is set like every other setting."""

import json
from typing import Any

import jsonschema_rs
import pytest

from service.platform.http.docs import DOCUMENT
from service.platform.roles import Role
from tests.shop import Answer, Shop

SPEC: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
NOTICE = {"days": 30, "required": True}

POLICIES: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    (
        {"expiry": {"kind": "rolling", "months": 12, "round_up_to": "quarter", "notice": NOTICE}},
        {"expiry": {"kind": "rolling", "months": 12, "days": None, "round_up_to": "quarter", "notice": NOTICE}},
    ),
    (
        {"expiry": {"kind": "rolling", "days": 90}},
        {"expiry": {"kind": "rolling", "months": None, "days": 90, "round_up_to": None, "notice": None}},
    ),
    (
        {"expiry": {"kind": "dates", "dates": ["12-31", "02-29"], "least_days": 30, "notice": {"days": 14}}},
        {
            "expiry": {
                "kind": "dates",
                "dates": ["12-31", "02-29"],
                "least_days": 30,
                "notice": {"days": 14, "required": False},
            }
        },
    ),
    (
        {"expiry": {"kind": "sliding", "months": 6, "counts": ["purchase", "redemption"]}},
        {
            "expiry": {
                "kind": "sliding",
                "months": 6,
                "days": None,
                "counts": ["purchase", "redemption"],
                "round_up_to": None,
                "notice": None,
            }
        },
    ),
    ({"expiry": "never"}, {"expiry": "never"}),
    ({"pending": {"kind": "after", "days": 14}}, {"pending": {"kind": "after", "days": 14}}),
    (
        {"pending": {"kind": "until_confirmed", "days": 30, "otherwise": "lapse"}},
        {"pending": {"kind": "until_confirmed", "days": 30, "otherwise": "lapse"}},
    ),
    ({"pending": None}, {"pending": None}),
)
OWN: tuple[Any, ...] = (
    "at_once",
    {"kind": "after", "days": 1},
    {"kind": "until_confirmed", "days": 1, "otherwise": "activate"},
    None,
)
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"expiry": "soon"}, "/settings/expiry"),
    ({"expiry": {"kind": "soon"}}, "/settings/expiry/kind"),
    ({"expiry": {"months": 12}}, "/settings/expiry/kind"),
    ({"expiry": {"kind": "rolling"}}, "/settings/expiry/months"),
    ({"expiry": {"kind": "rolling", "months": 12, "days": 30}}, "/settings/expiry/days"),
    ({"expiry": {"kind": "sliding", "months": 10**400}}, "/settings/expiry/months"),
    ({"expiry": {"kind": "sliding", "months": 12, "counts": ["purchase", "nap"]}}, "/settings/expiry/counts/1"),
    ({"expiry": {"kind": "dates", "dates": ["02-30"]}}, "/settings/expiry/dates/0"),
    ({"expiry": {"kind": "dates", "dates": ["12-31\u0000"]}}, "/settings/expiry/dates/0"),
    ({"pending": {"kind": "after", "days": 0}}, "/settings/pending/days"),
    ({"pending": {"kind": "until_confirmed", "days": 1}}, "/settings/pending/otherwise"),
    ({"base_rule": {"pending": {"kind": "after"}}}, "/settings/base_rule/pending/days"),
    ({"base_rule": {"pending": "never"}}, "/settings/base_rule/pending"),
)


async def change(shop: Shop, settings: dict[str, Any]) -> Answer:
    return await shop.call("PATCH", "/v1/program", {"settings": settings}, role=Role.ADMIN)


def allowed(settings: dict[str, Any]) -> bool:
    """Tell whether the OpenAPI document allows a change."""
    schema = {"$ref": "#/components/schemas/SettingsChange", "components": SPEC["components"]}
    return jsonschema_rs.Draft202012Validator(schema).is_valid(settings)


async def test_each_policy_is_taken_kept_and_shown_whole(shop: Shop) -> None:
    for version, (given, shown) in enumerate(POLICIES, start=2):
        changed = await change(shop, given)
        assert changed.status == 200, changed.text
        assert changed.body["version"] == version
        read = (await shop.get("/v1/program", Role.ADMIN)).body
        assert read == changed.body
        assert {name: read["settings"][name] for name in shown} == shown
        again = await change(shop, read["settings"])
        assert again.body == read, "what is shown can be sent, and changes nothing"


async def test_a_rule_may_hold_points_back_in_its_own_way(shop: Shop) -> None:
    for own in OWN:
        settings = (await change(shop, {"base_rule": {"pending": own}})).body["settings"]
        assert settings["base_rule"]["pending"] == own
        assert settings["pending"] is None


async def test_a_wrong_policy_is_pointed_at_and_nothing_is_kept(shop: Shop) -> None:
    before = await shop.get("/v1/program", Role.ADMIN)
    for given, pointer in WRONG:
        refused = await change(shop, {"hold_seconds": 1} | given)
        assert (refused.status, refused.pointer) == (422, pointer), given
    assert (await shop.get("/v1/program", Role.ADMIN)).text == before.text


@pytest.mark.parametrize(
    "given", [*(given for given, _ in POLICIES), *({"base_rule": {"pending": own}} for own in OWN)]
)
def test_the_document_allows_every_policy(given: dict[str, Any]) -> None:
    assert allowed(given)


@pytest.mark.parametrize(
    "given", [given for given, pointer in WRONG if pointer not in {"/settings/expiry/months", "/settings/expiry/days"}]
)
def test_the_document_allows_no_wrong_policy_but_for_durations_given_twice_or_not_at_all(given: dict[str, Any]) -> None:
    assert not allowed(given)
