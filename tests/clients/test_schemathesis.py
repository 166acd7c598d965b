"""Schemathesis finds nothing: all its checks in all its phases, with the exceptions that exceptions.py lists.

The seed is fixed and the examples for each operation are few, so that the tests are short and say the same each time.
For a longer look: `LOYALTY_SCHEMATHESIS_EXAMPLES=500 ./run test tests/clients`.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from service.platform.http.docs import DOCUMENT
from service.platform.roles import Role
from service.platform.settings import CHECKOUT
from tests import asking, billing, surprises
from tests.activities import declare, report
from tests.api.operations import OFFER, RULE, TIER, TYPE
from tests.clients import exceptions
from tests.clients.running import run
from tests.conftest import NewShop
from tests.portal import allow, token_of
from tests.receiver import sending, work
from tests.shop import Shop, unique
from tests.vouchers import make, voucher

pytestmark = pytest.mark.long

KEY = "/v1/api-keys/{key_id}"
ME = "the-customer-who-calls"
WEBHOOK = exceptions.WEBHOOK


async def own_keys(shop: Shop) -> list[str]:
    """Return the ids of a shop's keys."""
    return [key["id"] for key in (await shop.get("/v1/api-keys", Role.ADMIN)).body["data"]]


async def waiting_adjustment(shop: Shop) -> str:
    """Make an adjustment that waits for a second key; returns its id."""
    await limit_adjustments(shop, 0)
    body, key = {"points": 1, "reason": "goodwill"}, unique("key")
    asked = await shop.post("/v1/customers/c-42/adjustments", body, Role.SUPPORT, Idempotency_Key=key)
    await limit_adjustments(shop, None)
    return asked.body["id"]


async def limit_adjustments(shop: Shop, limit: int | None) -> None:
    """Set the program's limit."""
    settings = {"settings": {"adjustment_limit": limit}}
    assert (await shop.call("PATCH", "/v1/program", settings, role=Role.ADMIN)).status == 200


async def things(shop: Shop) -> dict[str, dict[str, str]]:
    """Make what calls made at random would hardly find: rewards with codes to load, vouchers, redemptions, keys."""
    await shop.buy(customer_id="c-42", total=100_000)
    redemptions = "/v1/redemptions/{redemption_id}"
    history = await shop.get("/v1/customers/c-42/transactions")
    made = {"POST /v1/rewards/{reward_id}/codes": {"reward_id": await make(shop, codes="third_party")}}
    made["GET /v1/transactions/{transaction_id}/explain"] = {"transaction_id": history.body["data"][0]["id"]}
    for label in ("GET /v1/vouchers/{code}", "POST /v1/vouchers/{code}/redeem", "POST /v1/vouchers/{code}/cancel"):
        made[label] = {"code": await voucher(shop, voucher={"uses": 10_000})}
    for label in (f"GET {redemptions}", f"POST {redemptions}/capture", f"POST {redemptions}/release"):
        body, key = {"customer_id": "c-42", "points": 100}, unique("key")
        held = await shop.post("/v1/redemptions", body, Idempotency_Key=key)
        made[label] = {"redemption_id": held.body["id"]}
    for name in ("gone", "guest", "c-43"):
        await shop.call("PUT", f"/v1/customers/{name}", {}, role=Role.ADMIN)
    made["DELETE /v1/customers/{customer_id}"] = {"customer_id": "gone"}
    made[exceptions.MERGE] = {"customer_id": "guest"}
    await shop.call("PUT", "/v1/customers/suppressed", {}, role=Role.ADMIN)
    await shop.post("/v1/customers/suppressed/suppressions", {"reason": "open_case"}, Role.ADMIN)
    made[f"DELETE {exceptions.SUPPRESSIONS}/{{reason}}"] = {"customer_id": "suppressed"}
    adjustments = "/v1/adjustments/{adjustment_id}"
    for label in (f"GET {adjustments}", f"POST {adjustments}/approve", f"POST {adjustments}/refuse"):
        made[label] = {"adjustment_id": await waiting_adjustment(shop)}
    for label in (f"PATCH {KEY}", f"POST {KEY}/rotate", f"POST {KEY}/revoke"):
        key = await shop.post("/v1/api-keys", {"role": "portal"}, Role.ADMIN)
        made[label] = {"key_id": key.body["id"]}
    await declare(shop, "review", properties={"product": {"type": "string"}, "stars": {"type": "integer"}})
    told = await report(shop, type="review")
    made["GET /v1/activities/{activity_id}"] = {"activity_id": told.body["id"]}
    made |= await definitions(shop)
    made |= await billed(shop)
    made |= await surprising(shop)
    made |= await own(shop)
    await shop.call("PUT", "/v1/customers/asked", {}, role=Role.ADMIN)
    await asking.reached(shop, "asked", "purchase:2")  # that of the document's example
    made[exceptions.ASKED] = {"customer_id": "asked"}
    referral = exceptions.REFERRAL
    for label in (f"GET {referral}", f"POST {referral}/approve", f"POST {referral}/refuse"):
        made[label] = {"referral_id": await brought(shop)}
    of_webhooks = ("secrets", "test", "enable", "disable", "resend")
    its_own = [*(f"{method} {WEBHOOK}" for method in ("GET", "PATCH", "DELETE"))]
    its_own += [f"GET {WEBHOOK}/deliveries", *(f"POST {WEBHOOK}/{each}" for each in of_webhooks)]
    for label in (*its_own, exceptions.RESEND):
        made[label] = {"webhook_id": await unreachable(shop)}
    made[exceptions.RESEND]["event_id"] = await untold(shop, made[exceptions.RESEND]["webhook_id"])
    return made


async def billed(shop: Shop) -> dict[str, dict[str, str]]:
    """Make an invoice for each call that needs one, with a payment where that is asked for."""
    path, made = exceptions.INVOICE, dict[str, dict[str, str]]()
    for label in (f"GET {path}", f"GET {path}/quote", f"POST {path}/payments", f"POST {path}/credit-notes"):
        made[label] = {"invoice_id": await billing.issue(shop)}
    for label in (
        f"GET {path}/payments",
        f"GET {path}/credit-notes",
        exceptions.BOUNCE,
        "GET /v1/payments/{payment_id}",
    ):
        invoice_id = await billing.issue(shop)
        paid = await billing.pay(shop, invoice_id, 100, "2026-01-12")
        made[label] = {"invoice_id": invoice_id, "payment_id": paid.body["id"]}
    for number in ("inv-1001", "inv-1002"):  # those of the example of a payment over many
        await billing.issue(shop, number, issued_on="2026-11-02")
    await shop.call("PUT", "/v1/customers/agreed", {}, role=Role.ADMIN)
    await shop.call("PUT", "/v1/customers/agreed/payment-terms", billing.TWO_PERCENT, role=Role.ADMIN)
    made[f"GET {exceptions.PAYMENT_TERMS}"] = {"customer_id": "agreed"}
    return made


async def surprising(shop: Shop) -> dict[str, dict[str, str]]:
    """Make a campaign for each call that needs one, and a gift that was won."""
    path, made = exceptions.CAMPAIGN, dict[str, dict[str, str]]()
    for label in (
        *(f"GET {path}{each}" for each in ("", "/versions", "/fairness", "/report", "/forecast")),
        f"PATCH {path}",
        f"POST {path}/activate",
    ):
        made[label] = {"campaign_id": await surprises.made(shop)}
    for label in (f"POST {path}/pause", f"POST {path}/close"):
        made[label] = {"campaign_id": await surprises.started(shop)}
    made[f"POST {path}/customers"] = {"campaign_id": await surprises.started(shop, trigger={"kind": "list"})}
    granted = await surprises.started(shop, trigger={"kind": "play", "granted": True})
    made[f"POST {path}/play-grants"] = {"campaign_id": granted}
    game = await surprises.started(shop, trigger={"kind": "play", "per_day": None}, gifts_per_customer=None)
    made[f"POST {path}/plays"] = {"campaign_id": game}
    won = await surprises.play(shop, game)
    made["GET /v1/surprises/{surprise_id}"] = {"surprise_id": won.body["prize"]["surprise_id"]}
    return made


async def own(shop: Shop) -> dict[str, dict[str, str]]:
    """Let there be a customer who may redeem and play, with the points for that."""
    await allow(shop, may_redeem=True, may_play=True)
    await shop.buy(customer_id=ME, total=100_000_000)
    game = await surprises.started(shop, trigger={"kind": "play", "per_day": None}, gifts_per_customer=None)
    return {exceptions.MY_REDEMPTION: {"reward_id": await make(shop)}, exceptions.MY_PLAY: {"campaign_id": game}}


async def tokens(shops: Iterable[Shop]) -> dict[str, str]:
    """Make a token of the same customer in each program; gives them for the headers with its key."""
    made = dict[str, str]()
    for shop in shops:
        await shop.call("PUT", f"/v1/customers/{ME}", {}, role=Role.ADMIN)
        token = await token_of(shop, ME, expires_in=3_600)
        made[f"Bearer {shop.keys[Role.ADMIN]}"] = f"Bearer {token}"
    return made


async def definitions(shop: Shop) -> dict[str, dict[str, str]]:
    """Make of each kind of definitions what can be read and changed."""
    made = dict[str, dict[str, str]]()
    for path, body in (
        (exceptions.RULE, RULE),
        (exceptions.TYPE, TYPE),
        (exceptions.TIER, TIER),
        (exceptions.OFFER, OFFER),
    ):
        below, _, name = path.partition("/{")
        for label in (f"GET {path}", f"PATCH {path}", f"GET {path}/versions"):
            defined = await shop.post(below, {"id": unique("defined")} | body, Role.ADMIN)
            made[label] = {name.removesuffix("}"): defined.body["id"]}
    return made


async def brought(shop: Shop) -> str:
    """Let somebody come with a code and buy; returns the referral's id. The code is that of the document's example."""
    path, key = "/v1/customers/anna/referral/code", unique("key")
    await shop.call("PUT", "/v1/customers/anna", {})
    assert (await shop.post(path, {"code": "ANNA20"}, Role.ADMIN, Idempotency_Key=key)).status in {200, 201}
    bought = await shop.buy(customer_id=unique("referee"), referral_code="ANNA20")
    return bought.body["referral"]["id"]


async def unreachable(shop: Shop) -> str:
    """Make an endpoint where nobody listens; returns its id."""
    return (await shop.post("/v1/webhooks", {"url": "http://127.0.0.1:9/"}, Role.ADMIN)).body["id"]


async def untold(shop: Shop, webhook_id: str) -> str:
    """Try to tell an endpoint what happened; returns the id of the event."""
    assert shop.database is not None
    await shop.buy(customer_id="c-42")
    async with sending() as sender:
        await work(shop.database, shop, sender)
    return (await shop.get(f"/v1/webhooks/{webhook_id}/deliveries", Role.ADMIN)).body["data"][0]["event_id"]


async def test_schemathesis_finds_nothing(new_shop: NewShop, tmp_path: Path) -> None:
    shops = {"one": await new_shop(), "other": await new_shop()}
    callers = tmp_path / "callers.json"
    keys = {name: f"Bearer {shop.keys[Role.ADMIN]}" for name, shop in shops.items()}
    headers = {name: [{"name": "Authorization", "value": key}] for name, key in keys.items()}
    callers.write_text(json.dumps({"auth": [{"name": name, "fixedHeaders": headers[name]} for name in shops]}))
    examples = os.environ.get("LOYALTY_SCHEMATHESIS_EXAMPLES")
    kept = " ".join([key for shop in shops.values() for key in await own_keys(shop)])
    await run(
        *(sys.executable, "-m", "schemathesis.cli", "--no-color"),
        *("--config-file", str(Path(__file__).with_name("schemathesis.toml"))),
        *("run", str(DOCUMENT), "--url", shops["one"].address),
        *(("--max-examples", examples) if examples else ()),
        cwd=tmp_path,
        PYTHONPATH=str(CHECKOUT),
        SCHEMATHESIS_HOOKS=exceptions.__name__,
        LOYALTY_CALLERS=str(callers),
        **{exceptions.THINGS: json.dumps(await things(shops["one"]))},
        **{exceptions.KEPT_KEYS: kept},
        **{exceptions.TOKENS: json.dumps(await tokens(shops.values()))},
    )
    for shop in shops.values():
        assert (await shop.get("/v1/program", Role.ADMIN)).status == 200, "its key still opens"
