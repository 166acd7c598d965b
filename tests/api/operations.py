"""Every operation that exists, as a good call of it: what the tests of access and of bad input go through."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from service.platform.roles import Role
from tests import asking, billing, surprises, vouchers
from tests.activities import activity, declare, report
from tests.receiver import sending, work
from tests.shop import Shop, purchase, unique

CUSTOMER = "a known/customer"
PURCHASE = "a known/purchase"
ACTIVITY = "a known/activity"
NO_ADJUSTMENT = "adj_00000000000070008000000000000000"
NO_REDEMPTION = "hold_00000000000070008000000000000000"
NO_TRANSACTION = "txn_00000000000070008000000000000000"
NEVER_USED = "key_00000000000070008000000000000000"
NO_VOUCHER = "0000-0000-0000"
NO_RULE = "nothing"
NO_REWARD = "rwd_00000000000070008000000000000000"
INVOICE = "a known/invoice"
NO_REFERRAL = "ref_00000000000070008000000000000000"
NO_CAMPAIGN = "cmp_00000000000070008000000000000000"
NO_SURPRISE = "sur_00000000000070008000000000000000"
NO_WEBHOOK = "whk_00000000000070008000000000000000"
NO_SIGNING_KEY = "sgk_00000000000070008000000000000000"
NO_DELIVERY = f"{NO_WEBHOOK}/deliveries/evt_00000000000070008000000000000000"
CODE = "ANNA-20"
# The public key of RFC 8037, appendix A.
JWK: dict[str, Any] = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
SUPPRESSION: dict[str, Any] = {"reason": "complaint", "until": "2999-01-01T00:00:00Z", "reference": "case-7"}
WEBHOOK: dict[str, Any] = {"url": "http://127.0.0.1:9/nobody-listens"}
REWARD: dict[str, Any] = {"name": "A gift", "gives": {"kind": "gift", "description": "a mug"}, "points": 100}
TYPE: dict[str, Any] = {"name": "A survey", "properties": {"answers": {"type": "integer"}}}
TIER: dict[str, Any] = {"name": "Gold", "threshold": 1_000}
MILESTONE = "purchase:5"
OFFER: dict[str, Any] = {"name": "Bring a friend", "referrer": {"kind": "points", "points": 500}}
RULE: dict[str, Any] = {"name": "A welcome", "effect": {"kind": "bonus", "points": 50}}


@dataclass(frozen=True)
class Operation:
    """One operation. In `path`, `{id}` is the caller's id of a thing, percent-encoded, or the service's."""

    name: str
    method: str
    path: str
    roles: frozenset[Role]
    body: dict[str, Any] | None = None
    status: int = 200
    unknown: str = ""
    """An id that nobody has, where there is one in the path and it makes a difference."""
    needs_key: bool = False
    """Whether it is a command that can't do without an Idempotency-Key."""

    async def call(self, shop: Shop, role: Role | None, *, id: str = "", **sent: Any) -> Any:  # noqa: A002
        """Call it, well or, with `raw` or `headers`, otherwise."""
        body = None if "raw" in sent else self.fresh_body()
        if self.needs_key:
            sent["headers"] = {"Idempotency-Key": unique("key")} | sent.get("headers", {})
        return await shop.call(self.method, self.path.replace("{id}", id), body, role=role, **sent)

    def fresh_body(self) -> dict[str, Any] | None:
        """Make a body that books anew."""
        made = FRESH.get(self.name)
        return self.body if made is None else made()


def opening_balance(**changes: Any) -> dict[str, Any]:
    """Make an opening balance of 100 points."""
    lots = [{"points": 100, "earned_at": "2026-01-02T10:00:00Z"}]
    return {"id": unique("opening"), "customer_id": "c-42", "lots": lots} | changes


FRESH: dict[str, Callable[[], dict[str, Any]]] = {
    "reportPurchase": lambda: purchase(customer_id=CUSTOMER),
    "refundPurchase": lambda: {"id": unique("refund"), "amount": 1},
    "reportPurchases": lambda: {"purchases": [purchase(customer_id=CUSTOMER)]},
    "reportOpeningBalances": lambda: {"balances": [opening_balance(customer_id=CUSTOMER)]},
    "redeemVoucher": lambda: {"order_id": unique("order"), "amount": 5000, "currency": "EUR"},
    "loadCodes": lambda: {"codes": [unique("ticket")]},
    "createActivityType": lambda: {"id": unique("type")} | TYPE,
    "reportActivity": lambda: activity(customer_id=CUSTOMER, properties={"answers": 5}),
    "createTier": lambda: {"id": unique("tier")} | TIER,
    "createEarningRule": lambda: {"id": unique("rule")} | RULE,
    "createReferralOffer": lambda: {"id": unique("offer")} | OFFER,
    "claimReferral": lambda: {"code": CODE, "referee_id": unique("referee")},
    "putInvoice": lambda: billing.invoice(customer_id=CUSTOMER),
    "reportPayment": lambda: {"id": unique("pay"), "paid_on": "2026-01-12", "amount": 1},
    "reportPaymentOnMany": lambda: {
        "id": unique("pay"),
        "customer_id": CUSTOMER,
        "paid_on": "2026-01-12",
        "allocations": [{"invoice_id": INVOICE, "amount": 1}],
    },
    "createCampaign": surprises.campaign,
    "reportCreditNote": lambda: {"id": unique("credit"), "issued_on": "2026-01-20", "total": 1},
}
"""What a call of an operation sends, where each must send something else."""


def _roles(names: str) -> frozenset[Role]:
    return frozenset(Role(name) for name in names.split())


# Who may what is copied by hand from the contract, not from the code: `checkout` reads no record with an e-mail
# address, `billing` only balances; `marketer` has customers but no purchases; `support` and `analyst` read everything.
OPERATIONS = (
    Operation("reportPurchase", "POST", "/v1/purchases", _roles("checkout admin"), {}, 201),
    Operation("reportPurchases", "POST", "/v1/purchases/batch", _roles("checkout admin"), {}),
    Operation("getPurchase", "GET", "/v1/purchases/{id}", _roles("checkout support analyst admin"), unknown="nothing"),
    Operation(
        "refundPurchase",
        "POST",
        "/v1/purchases/{id}/refunds",
        _roles("checkout admin"),
        {},
        201,
        unknown="nothing",
    ),
    Operation(
        "confirmPurchase",
        "POST",
        "/v1/purchases/{id}/confirm",
        _roles("checkout admin"),
        {},
        unknown="nothing",
        needs_key=True,
    ),
    Operation("reportActivity", "POST", "/v1/activities", _roles("checkout admin"), {}, 201),
    Operation("getActivity", "GET", "/v1/activities/{id}", _roles("checkout support analyst admin"), unknown="nothing"),
    Operation(
        "redeemPoints",
        "POST",
        "/v1/redemptions",
        _roles("checkout admin"),
        {"customer_id": CUSTOMER, "points": 1},
        201,
        needs_key=True,
    ),
    Operation(
        "getRedemption",
        "GET",
        "/v1/redemptions/{id}",
        _roles("checkout portal support marketer analyst admin"),
        unknown=NO_REDEMPTION,
    ),
    Operation(
        "captureRedemption",
        "POST",
        "/v1/redemptions/{id}/capture",
        _roles("checkout admin"),
        {},
        unknown=NO_REDEMPTION,
        needs_key=True,
    ),
    Operation(
        "releaseRedemption",
        "POST",
        "/v1/redemptions/{id}/release",
        _roles("checkout admin"),
        {},
        unknown=NO_REDEMPTION,
        needs_key=True,
    ),
    Operation("putCustomer", "PUT", "/v1/customers/{id}", _roles("checkout billing marketer admin"), {}),
    Operation(
        "getCustomer", "GET", "/v1/customers/{id}", _roles("portal support marketer analyst admin"), unknown="nobody"
    ),
    Operation(
        "exportCustomer",
        "GET",
        "/v1/customers/{id}/export",
        _roles("support analyst admin"),
        unknown="nobody",
    ),
    Operation(
        "mergeCustomer",
        "POST",
        "/v1/customers/{id}/merge",
        _roles("admin"),
        {"into": CUSTOMER},
        unknown="nobody",
        needs_key=True,
    ),
    Operation(
        "listSuppressions",
        "GET",
        "/v1/customers/{id}/suppressions",
        _roles("support marketer analyst admin"),
        unknown="nobody",
    ),
    Operation(
        "suppressCustomer",
        "POST",
        "/v1/customers/{id}/suppressions",
        _roles("support marketer admin"),
        SUPPRESSION,
        201,
        unknown="nobody",
    ),
    Operation(
        "liftSuppression",
        "DELETE",
        "/v1/customers/{id}/suppressions/complaint",
        _roles("support marketer admin"),
        unknown="nobody",
    ),
    Operation("eraseCustomer", "DELETE", "/v1/customers/{id}", _roles("admin"), unknown="nobody"),
    Operation("listCustomers", "GET", "/v1/customers", _roles("support marketer analyst admin")),
    Operation(
        "getBalance",
        "GET",
        "/v1/customers/{id}/balance",
        _roles("checkout billing portal support marketer analyst admin"),
        unknown="nobody",
    ),
    Operation(
        "listTransactions",
        "GET",
        "/v1/customers/{id}/transactions",
        _roles("checkout portal support marketer analyst admin"),
        unknown="nobody",
    ),
    Operation(
        "listLots",
        "GET",
        "/v1/customers/{id}/lots",
        _roles("checkout portal support marketer analyst admin"),
        unknown="nobody",
    ),
    Operation(
        "explainTransaction",
        "GET",
        "/v1/transactions/{id}/explain",
        _roles("checkout portal support marketer analyst admin"),
        unknown=NO_TRANSACTION,
    ),
    Operation(
        "adjustPoints",
        "POST",
        "/v1/customers/{id}/adjustments",
        _roles("support admin"),
        {"points": 5, "reason": "goodwill", "note": "late parcel"},
        201,
        unknown="nobody",
        needs_key=True,
    ),
    Operation("listAdjustments", "GET", "/v1/adjustments", _roles("support analyst admin")),
    Operation("getAdjustment", "GET", "/v1/adjustments/{id}", _roles("support analyst admin"), unknown=NO_ADJUSTMENT),
    Operation(
        "approveAdjustment",
        "POST",
        "/v1/adjustments/{id}/approve",
        _roles("admin"),
        {},
        unknown=NO_ADJUSTMENT,
        needs_key=True,
    ),
    Operation(
        "refuseAdjustment",
        "POST",
        "/v1/adjustments/{id}/refuse",
        _roles("admin"),
        {},
        unknown=NO_ADJUSTMENT,
        needs_key=True,
    ),
    Operation("reportOpeningBalances", "POST", "/v1/opening-balances", _roles("admin"), {}),
    Operation("listRewards", "GET", "/v1/rewards", _roles("checkout portal support marketer analyst admin")),
    Operation("createReward", "POST", "/v1/rewards", _roles("marketer admin"), REWARD, 201),
    Operation(
        "getReward",
        "GET",
        "/v1/rewards/{id}",
        _roles("checkout portal support marketer analyst admin"),
        unknown=NO_REWARD,
    ),
    Operation("changeReward", "PATCH", "/v1/rewards/{id}", _roles("marketer admin"), {}, unknown=NO_REWARD),
    Operation("loadCodes", "POST", "/v1/rewards/{id}/codes", _roles("marketer admin"), {}, unknown=NO_REWARD),
    Operation("getVoucher", "GET", "/v1/vouchers/{id}", _roles("checkout support analyst admin"), unknown=NO_VOUCHER),
    Operation(
        "redeemVoucher",
        "POST",
        "/v1/vouchers/{id}/redeem",
        _roles("checkout admin"),
        {},
        unknown=NO_VOUCHER,
        needs_key=True,
    ),
    Operation(
        "cancelVoucher",
        "POST",
        "/v1/vouchers/{id}/cancel",
        _roles("checkout admin"),
        {},
        unknown=NO_VOUCHER,
        needs_key=True,
    ),
    Operation("listActivityTypes", "GET", "/v1/activity-types", _roles("support marketer analyst admin")),
    Operation("createActivityType", "POST", "/v1/activity-types", _roles("marketer admin"), {}, 201),
    Operation(
        "getActivityType",
        "GET",
        "/v1/activity-types/{id}",
        _roles("support marketer analyst admin"),
        unknown=NO_RULE,
    ),
    Operation("changeActivityType", "PATCH", "/v1/activity-types/{id}", _roles("marketer admin"), {}, unknown=NO_RULE),
    Operation(
        "listActivityTypeVersions",
        "GET",
        "/v1/activity-types/{id}/versions",
        _roles("support marketer analyst admin"),
        unknown=NO_RULE,
    ),
    Operation("listTiers", "GET", "/v1/tiers", _roles("support marketer analyst admin")),
    Operation("createTier", "POST", "/v1/tiers", _roles("marketer admin"), {}, 201),
    Operation("getTier", "GET", "/v1/tiers/{id}", _roles("support marketer analyst admin"), unknown=NO_RULE),
    Operation("changeTier", "PATCH", "/v1/tiers/{id}", _roles("marketer admin"), {}, unknown=NO_RULE),
    Operation(
        "listTierVersions",
        "GET",
        "/v1/tiers/{id}/versions",
        _roles("support marketer analyst admin"),
        unknown=NO_RULE,
    ),
    Operation("claimReferral", "POST", "/v1/referrals", _roles("checkout admin"), {}, 201, needs_key=True),
    Operation("clickReferralCode", "POST", "/v1/referrals/clicks", _roles("checkout admin"), {"code": CODE}),
    Operation("listReferrals", "GET", "/v1/referrals", _roles("support marketer analyst admin")),
    Operation(
        "getReferral",
        "GET",
        "/v1/referrals/{id}",
        _roles("checkout support marketer analyst admin"),
        unknown=NO_REFERRAL,
    ),
    Operation(
        "approveReferral",
        "POST",
        "/v1/referrals/{id}/approve",
        _roles("marketer admin"),
        {},
        unknown=NO_REFERRAL,
        needs_key=True,
    ),
    Operation(
        "refuseReferral",
        "POST",
        "/v1/referrals/{id}/refuse",
        _roles("marketer admin"),
        {},
        unknown=NO_REFERRAL,
        needs_key=True,
    ),
    Operation(
        "getCustomerReferral",
        "GET",
        "/v1/customers/{id}/referral",
        _roles("checkout portal support marketer analyst admin"),
        unknown="nobody",
    ),
    Operation(
        "replaceReferralCode",
        "POST",
        "/v1/customers/{id}/referral/code",
        _roles("marketer admin"),
        {},
        201,
        unknown="nobody",
        needs_key=True,
    ),
    Operation(
        "closeReferralCode",
        "POST",
        "/v1/customers/{id}/referral/code/close",
        _roles("marketer admin"),
        {},
        unknown="nobody",
        needs_key=True,
    ),
    Operation(
        "tellReferralAsked",
        "POST",
        "/v1/customers/{id}/referral/asked",
        _roles("checkout portal marketer admin"),
        {"milestone": MILESTONE},
        unknown="nobody",
        needs_key=True,
    ),
    Operation(
        "putMarks",
        "PUT",
        "/v1/customers/{id}/marks",
        _roles("checkout admin"),
        {"payment": "a hash", "device": "another"},
        unknown="nobody",
    ),
    Operation("getReferralReport", "GET", "/v1/referral-report", _roles("marketer analyst admin")),
    Operation("listReferralOffers", "GET", "/v1/referral-offers", _roles("support marketer analyst admin")),
    Operation("createReferralOffer", "POST", "/v1/referral-offers", _roles("marketer admin"), {}, 201),
    Operation(
        "getReferralOffer",
        "GET",
        "/v1/referral-offers/{id}",
        _roles("support marketer analyst admin"),
        unknown=NO_RULE,
    ),
    Operation(
        "changeReferralOffer", "PATCH", "/v1/referral-offers/{id}", _roles("marketer admin"), {}, unknown=NO_RULE
    ),
    Operation(
        "listReferralOfferVersions",
        "GET",
        "/v1/referral-offers/{id}/versions",
        _roles("support marketer analyst admin"),
        unknown=NO_RULE,
    ),
    Operation("putInvoice", "PUT", "/v1/invoices/{id}", _roles("billing admin"), {}, 201),
    Operation(
        "getInvoice", "GET", "/v1/invoices/{id}", _roles("billing portal support analyst admin"), unknown="nothing"
    ),
    Operation("listInvoices", "GET", "/v1/invoices", _roles("billing portal support analyst admin")),
    Operation(
        "quoteInvoice",
        "GET",
        "/v1/invoices/{id}/quote",
        _roles("billing portal support analyst admin"),
        unknown="nothing",
    ),
    Operation(
        "reportPayment", "POST", "/v1/invoices/{id}/payments", _roles("billing admin"), {}, 201, unknown="nothing"
    ),
    Operation(
        "listPayments",
        "GET",
        "/v1/invoices/{id}/payments",
        _roles("billing portal support analyst admin"),
        unknown="nothing",
    ),
    # The payment that is tried here bears the id of its invoice.
    Operation(
        "reversePayment",
        "POST",
        "/v1/invoices/{id}/payments/{id}/reverse",
        _roles("billing admin"),
        {},
        unknown="nothing",
        needs_key=True,
    ),
    Operation(
        "reportCreditNote",
        "POST",
        "/v1/invoices/{id}/credit-notes",
        _roles("billing admin"),
        {},
        201,
        unknown="nothing",
    ),
    Operation(
        "listCreditNotes",
        "GET",
        "/v1/invoices/{id}/credit-notes",
        _roles("billing portal support analyst admin"),
        unknown="nothing",
    ),
    Operation("reportPaymentOnMany", "POST", "/v1/payments", _roles("billing admin"), {}, 201),
    Operation(
        "getPayment", "GET", "/v1/payments/{id}", _roles("billing portal support analyst admin"), unknown="nothing"
    ),
    Operation("getEarlyPaymentReport", "GET", "/v1/early-payment-report", _roles("marketer analyst admin")),
    Operation(
        "putPaymentTerms",
        "PUT",
        "/v1/customers/{id}/payment-terms",
        _roles("billing admin"),
        billing.TWO_PERCENT,
        unknown="nobody",
    ),
    Operation(
        "getPaymentTerms",
        "GET",
        "/v1/customers/{id}/payment-terms",
        _roles("billing portal support analyst admin"),
        unknown="nobody",
    ),
    Operation(
        "removePaymentTerms", "DELETE", "/v1/customers/{id}/payment-terms", _roles("billing admin"), unknown="nobody"
    ),
    Operation("listEarningRules", "GET", "/v1/earning-rules", _roles("support marketer analyst admin")),
    Operation("createEarningRule", "POST", "/v1/earning-rules", _roles("marketer admin"), {}, 201),
    Operation(
        "getEarningRule",
        "GET",
        "/v1/earning-rules/{id}",
        _roles("support marketer analyst admin"),
        unknown=NO_RULE,
    ),
    Operation("changeEarningRule", "PATCH", "/v1/earning-rules/{id}", _roles("marketer admin"), {}, unknown=NO_RULE),
    Operation(
        "listEarningRuleVersions",
        "GET",
        "/v1/earning-rules/{id}/versions",
        _roles("support marketer analyst admin"),
        unknown=NO_RULE,
    ),
    Operation(
        "simulateEarningRules",
        "POST",
        "/v1/earning-rules/simulate",
        _roles("marketer admin"),
        {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z", "rules": [{"id": "welcome"} | RULE]},
    ),
    Operation(
        "getCampaignReport",
        "GET",
        "/v1/campaigns/{id}/report",
        _roles("marketer analyst admin"),
        unknown=NO_CAMPAIGN,
    ),
    Operation(
        "getCampaignForecast",
        "GET",
        "/v1/campaigns/{id}/forecast",
        _roles("marketer analyst admin"),
        unknown=NO_CAMPAIGN,
    ),
    Operation("getSurpriseReport", "GET", "/v1/surprise-report", _roles("marketer analyst admin")),
    Operation("listCampaigns", "GET", "/v1/campaigns", _roles("support marketer analyst admin")),
    Operation("createCampaign", "POST", "/v1/campaigns", _roles("marketer admin"), {}, 201),
    Operation(
        "getCampaign",
        "GET",
        "/v1/campaigns/{id}",
        _roles("support marketer analyst admin"),
        unknown=NO_CAMPAIGN,
    ),
    Operation("changeCampaign", "PATCH", "/v1/campaigns/{id}", _roles("marketer admin"), {}, unknown=NO_CAMPAIGN),
    Operation(
        "listCampaignVersions",
        "GET",
        "/v1/campaigns/{id}/versions",
        _roles("support marketer analyst admin"),
        unknown=NO_CAMPAIGN,
    ),
    Operation(
        "listCampaignStops",
        "GET",
        "/v1/campaigns/{id}/stops",
        _roles("support marketer analyst admin"),
        unknown=NO_CAMPAIGN,
    ),
    Operation(
        "activateCampaign",
        "POST",
        "/v1/campaigns/{id}/activate",
        _roles("marketer admin"),
        {},
        unknown=NO_CAMPAIGN,
    ),
    Operation("pauseCampaign", "POST", "/v1/campaigns/{id}/pause", _roles("marketer admin"), {}, unknown=NO_CAMPAIGN),
    Operation("closeCampaign", "POST", "/v1/campaigns/{id}/close", _roles("marketer admin"), {}, unknown=NO_CAMPAIGN),
    Operation(
        "getFairness",
        "GET",
        "/v1/campaigns/{id}/fairness",
        _roles("checkout billing portal support marketer analyst admin"),
        unknown=NO_CAMPAIGN,
    ),
    Operation(
        "getCampaignReport",
        "GET",
        "/v1/campaigns/{id}/report",
        _roles("marketer analyst admin"),
        unknown=NO_CAMPAIGN,
    ),
    Operation(
        "getCampaignForecast",
        "GET",
        "/v1/campaigns/{id}/forecast",
        _roles("marketer analyst admin"),
        unknown=NO_CAMPAIGN,
    ),
    Operation("getSurpriseReport", "GET", "/v1/surprise-report", _roles("marketer analyst admin")),
    Operation(
        "addCampaignCustomers",
        "POST",
        "/v1/campaigns/{id}/customers",
        _roles("marketer admin"),
        {"customer_ids": [CUSTOMER]},
        unknown=NO_CAMPAIGN,
    ),
    Operation(
        "grantPlays",
        "POST",
        "/v1/campaigns/{id}/play-grants",
        _roles("checkout marketer admin"),
        {"customer_id": CUSTOMER},
        201,
        unknown=NO_CAMPAIGN,
        needs_key=True,
    ),
    Operation(
        "playGame",
        "POST",
        "/v1/campaigns/{id}/plays",
        _roles("checkout admin"),
        {"customer_id": CUSTOMER},
        201,
        unknown=NO_CAMPAIGN,
        needs_key=True,
    ),
    Operation(
        "getSurprise",
        "GET",
        "/v1/surprises/{id}",
        _roles("checkout portal support marketer analyst admin"),
        unknown=NO_SURPRISE,
    ),
    Operation(
        "listSurprises",
        "GET",
        "/v1/customers/{id}/surprises",
        _roles("checkout portal support marketer analyst admin"),
        unknown="nobody",
    ),
    Operation("listEvents", "GET", "/v1/events", _roles("billing marketer analyst admin")),
    Operation("getProgram", "GET", "/v1/program", _roles("analyst admin")),
    Operation("changeProgram", "PATCH", "/v1/program", _roles("admin"), {}),
    Operation("listApiKeys", "GET", "/v1/api-keys", _roles("admin")),
    Operation("createApiKey", "POST", "/v1/api-keys", _roles("admin"), {"role": "portal"}, 201),
    Operation("changeApiKey", "PATCH", "/v1/api-keys/{id}", _roles("admin"), {}, unknown=NEVER_USED),
    Operation("rotateApiKey", "POST", "/v1/api-keys/{id}/rotate", _roles("admin"), {}, 201, unknown=NEVER_USED),
    Operation("revokeApiKey", "POST", "/v1/api-keys/{id}/revoke", _roles("admin"), {}, unknown=NEVER_USED),
    Operation("openPortalSession", "POST", "/v1/customers/{id}/portal-sessions", _roles("portal admin"), {}, 201),
    Operation("listSigningKeys", "GET", "/v1/signing-keys", _roles("admin")),
    Operation("createSigningKey", "POST", "/v1/signing-keys", _roles("admin"), {"jwk": JWK}, 201),
    Operation("revokeSigningKey", "POST", "/v1/signing-keys/{id}/revoke", _roles("admin"), {}, unknown=NO_SIGNING_KEY),
    Operation("listWebhooks", "GET", "/v1/webhooks", _roles("admin")),
    Operation("createWebhook", "POST", "/v1/webhooks", _roles("admin"), WEBHOOK, 201),
    Operation("getWebhook", "GET", "/v1/webhooks/{id}", _roles("admin"), unknown=NO_WEBHOOK),
    Operation("changeWebhook", "PATCH", "/v1/webhooks/{id}", _roles("admin"), {}, unknown=NO_WEBHOOK),
    Operation("deleteWebhook", "DELETE", "/v1/webhooks/{id}", _roles("admin"), unknown=NO_WEBHOOK),
    Operation("rotateWebhookSecret", "POST", "/v1/webhooks/{id}/secrets", _roles("admin"), {}, 201, NO_WEBHOOK),
    Operation("testWebhook", "POST", "/v1/webhooks/{id}/test", _roles("admin"), {}, unknown=NO_WEBHOOK),
    Operation("enableWebhook", "POST", "/v1/webhooks/{id}/enable", _roles("admin"), {}, unknown=NO_WEBHOOK),
    Operation("disableWebhook", "POST", "/v1/webhooks/{id}/disable", _roles("admin"), {}, unknown=NO_WEBHOOK),
    Operation("listDeliveries", "GET", "/v1/webhooks/{id}/deliveries", _roles("admin"), unknown=NO_WEBHOOK),
    # Its id is of the endpoint and of the event: both stand in the path.
    Operation("resendDelivery", "POST", "/v1/webhooks/{id}/resend", _roles("admin"), {}, unknown=NO_DELIVERY),
    Operation(
        "resendDeliveries",
        "POST",
        "/v1/webhooks/{id}/resend",
        _roles("admin"),
        {"since": "2026-01-01T00:00:00Z"},
        unknown=NO_WEBHOOK,
    ),
)
BY_NAME = {operation.name: operation for operation in OPERATIONS}
WITH_BODY = tuple(operation for operation in OPERATIONS if operation.body is not None)
BODY_OPTIONAL = {
    "rotateApiKey",
    "revokeApiKey",
    "openPortalSession",
    "revokeSigningKey",
    "confirmPurchase",
    "captureRedemption",
    "releaseRedemption",
    "cancelVoucher",
    "approveAdjustment",
    "refuseAdjustment",
    "approveReferral",
    "refuseReferral",
    "reversePayment",
    "replaceReferralCode",
    "closeReferralCode",
    "rotateWebhookSecret",
    "testWebhook",
    "enableWebhook",
    "disableWebhook",
    "resendDelivery",
    "activateCampaign",
    "pauseCampaign",
    "closeCampaign",
}
BODY_REQUIRED = tuple(operation for operation in WITH_BODY if operation.name not in BODY_OPTIONAL)
LISTS = tuple(operation for operation in OPERATIONS if operation.name.startswith("list"))


@dataclass
class Known:
    """The ids of things that a shop has, for each operation."""

    shop: Shop

    async def id_for(self, operation: Operation) -> str:
        """Return an id that a good call takes, as it stands in a path."""
        makers: dict[str, Callable[[Operation], Awaitable[str]]] = {
            "/api-keys/": self._key,
            "/transactions/{id}": self._transaction,
            "/v1/adjustments/": self._adjustment,
            "/redemptions/": self._redemption,
            "/rewards/": self._reward,
            "/earning-rules/": self._rule,
            "/activity-types/": self._type,
            "/tiers/": self._tier,
            "/vouchers/": self._voucher,
            "/referral-offers/": self._offer,
            "/referrals/{id}": self._referral,
            "/campaigns/": self._campaign,
            "/v1/surprises/": self._surprise,
            "/webhooks/": self._webhook,
            "/signing-keys/": self._signing_key,
            "/invoices/": self._invoice,
            "/payments/{id}": self._payment,
            "/payment-terms": self._payment_terms,
        }
        for part, make in makers.items():
            if part in operation.path:
                return await make(operation)
        if operation.name in {"mergeCustomer", "eraseCustomer", "suppressCustomer", "liftSuppression"}:
            guest = unique("guest")
            await self.shop.call("PUT", f"/v1/customers/{guest}", {})
            if operation.name == "liftSuppression":
                await self.shop.post(f"/v1/customers/{guest}/suppressions", SUPPRESSION, Role.ADMIN)
            return guest
        if operation.name == "tellReferralAsked":
            await asking.reached(self.shop, CUSTOMER, MILESTONE)
        if "activities" in operation.path:
            return _in_path(ACTIVITY)
        return _in_path(PURCHASE if "purchases" in operation.path else CUSTOMER)

    async def _key(self, _: Operation) -> str:
        made = await self.shop.post("/v1/api-keys", {"role": "portal", "name": unique("key")}, Role.ADMIN)
        return made.body["id"]

    async def _transaction(self, _: Operation) -> str:
        history = f"/v1/customers/{_in_path(CUSTOMER)}/transactions"
        return (await self.shop.get(history)).body["data"][-1]["id"]

    async def _signing_key(self, _: Operation) -> str:
        return (await self.shop.post("/v1/signing-keys", {"jwk": JWK}, Role.ADMIN)).body["id"]

    async def _redemption(self, _: Operation) -> str:
        body = {"customer_id": CUSTOMER, "points": 1}
        held = await self.shop.post("/v1/redemptions", body, Role.ADMIN, Idempotency_Key=unique("key"))
        return held.body["id"]

    async def _reward(self, operation: Operation) -> str:
        codes = {"codes": "third_party"} if operation.name == "loadCodes" else {}
        return (await self.shop.post("/v1/rewards", REWARD | codes, Role.ADMIN)).body["id"]

    async def _type(self, _: Operation) -> str:
        return (await self.shop.post("/v1/activity-types", FRESH["createActivityType"](), Role.ADMIN)).body["id"]

    async def _tier(self, _: Operation) -> str:
        return (await self.shop.post("/v1/tiers", FRESH["createTier"](), Role.ADMIN)).body["id"]

    async def _rule(self, _: Operation) -> str:
        return (await self.shop.post("/v1/earning-rules", FRESH["createEarningRule"](), Role.ADMIN)).body["id"]

    async def _offer(self, _: Operation) -> str:
        return (await self.shop.post("/v1/referral-offers", FRESH["createReferralOffer"](), Role.ADMIN)).body["id"]

    async def _referral(self, operation: Operation) -> str:
        """Return the id of a referral: one that is open, or whose referee bought already."""
        claim = FRESH["claimReferral"]()
        made = await self.shop.post("/v1/referrals", claim, Idempotency_Key=unique("key"))
        if operation.name != "approveReferral":
            return made.body["id"]
        bought = await self.shop.buy(customer_id=unique("referee"), referral_code=CODE)
        return bought.body["referral"]["id"]

    async def _invoice(self, operation: Operation) -> str:
        """Return the id of an invoice: one that there isn't yet, or is paid in part, or bears its payment's id."""
        if operation.name == "putInvoice":
            return unique("inv")
        named = await billing.issue(self.shop, customer_id=CUSTOMER)
        if operation.name == "reversePayment":
            paid = await billing.pay(self.shop, named, 1, "2026-01-12", id=named)
            assert paid.status == 201, paid.text
        return named

    async def _payment(self, _: Operation) -> str:
        return (await billing.pay(self.shop, _in_path(INVOICE), 1, "2026-01-12")).body["id"]

    async def _payment_terms(self, _: Operation) -> str:
        path = f"/v1/customers/{_in_path(CUSTOMER)}/payment-terms"
        assert (await self.shop.call("PUT", path, billing.TWO_PERCENT, role=Role.ADMIN)).status == 200
        return _in_path(CUSTOMER)

    async def _campaign(self, operation: Operation) -> str:
        """Return the id of a campaign: a draft, one that runs, one with a list, or a game."""
        triggers: dict[str, dict[str, Any]] = {
            "addCampaignCustomers": {"kind": "list"},
            "grantPlays": {"kind": "play", "granted": True},
            "playGame": {"kind": "play", "per_day": None},
        }
        if operation.name in triggers:
            return await surprises.started(self.shop, trigger=triggers[operation.name])
        return await (surprises.started if operation.name == "pauseCampaign" else surprises.made)(self.shop)

    async def _surprise(self, _: Operation) -> str:
        game = await surprises.started(self.shop, trigger={"kind": "play"})
        return (await surprises.play(self.shop, game, CUSTOMER)).body["prize"]["surprise_id"]

    async def _voucher(self, _: Operation) -> str:
        return await vouchers.voucher(self.shop)

    async def _webhook(self, operation: Operation) -> str:
        """Return the id of an endpoint, and of an event that it could not be told, where that is asked for."""
        for each in (await self.shop.get("/v1/webhooks", Role.ADMIN)).body["data"]:  # there can be only so many
            await self.shop.call("DELETE", f"/v1/webhooks/{each['id']}", role=Role.ADMIN)
        its_id = (await self.shop.post("/v1/webhooks", WEBHOOK, Role.ADMIN)).body["id"]
        if operation.name != "resendDelivery":
            return its_id
        assert self.shop.database is not None
        await self.shop.buy()
        async with sending() as sender:
            await work(self.shop.database, self.shop, sender)
        (told, *_) = (await self.shop.get(f"/v1/webhooks/{its_id}/deliveries", Role.ADMIN)).body["data"]
        return f"{its_id}/deliveries/{told['event_id']}"

    async def _adjustment(self, operation: Operation) -> str:
        """Return the id of an adjustment: a booked one can be approved again, only one that waits can be refused."""
        await self._limit_adjustments(0 if operation.name == "refuseAdjustment" else None)
        body = {"points": 1, "reason": "correction"}
        path = f"/v1/customers/{_in_path(CUSTOMER)}/adjustments"
        made = await self.shop.post(path, body, Role.SUPPORT, Idempotency_Key=unique("key"))
        await self._limit_adjustments(None)
        return made.body["id"]

    async def _limit_adjustments(self, limit: int | None) -> None:
        settings = {"settings": {"adjustment_limit": limit}}
        assert (await self.shop.call("PATCH", "/v1/program", settings, role=Role.ADMIN)).status == 200


def _in_path(its_id: str) -> str:
    return its_id.replace("/", "%2F").replace(" ", "%20")


async def stocked(shop: Shop) -> Known:
    """Report the known purchase, activity and invoice of the known customer, who has a known code."""
    reported = await shop.buy(id=PURCHASE, customer_id=CUSTOMER)
    assert reported.status == 201, reported.text
    await declare(shop, **TYPE)
    assert (await report(shop, id=ACTIVITY, customer_id=CUSTOMER)).status == 201
    code = f"/v1/customers/{_in_path(CUSTOMER)}/referral/code"
    made = await shop.post(code, {"code": CODE}, Role.ADMIN, Idempotency_Key=unique("key"))
    assert made.status == 201, made.text
    await billing.issue(shop, _in_path(INVOICE), customer_id=CUSTOMER)
    return Known(shop)
