"""The parameters of paths in the OpenAPI document: what they look like, and one that stands in its examples."""

from collections.abc import Mapping
from typing import Any, Final

from service.customers.suppressions.rules import SuppressionReason
from service.kernel.ids import CALLER_ID_PATTERN
from service.programs.definitions import DEFINITION_ID_PATTERN

_CALLER_ID: Final = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": CALLER_ID_PATTERN}
IN_PATH: Final[Mapping[str, Any]] = {
    "purchase_id": {"schema": _CALLER_ID, "example": "order-1001", "description": "The purchase, by the caller's id."},
    "activity_id": {"schema": _CALLER_ID, "example": "review-7", "description": "The activity, by the caller's id."},
    "invoice_id": {"schema": _CALLER_ID, "example": "inv-1001", "description": "The invoice, by the caller's id."},
    "payment_id": {"schema": _CALLER_ID, "example": "pay-1", "description": "The payment, by the caller's id."},
    "customer_id": {"schema": _CALLER_ID, "example": "c-42", "description": "The customer, by the caller's id."},
    "reason": {
        "schema": {"type": "string", "enum": [each.value for each in SuppressionReason]},
        "example": SuppressionReason.OPEN_CASE.value,
        "description": "The reason of the suppression.",
    },
    "transaction_id": {
        "schema": {"type": "string", "pattern": "^txn_[0-9a-f]{32}$"},
        "example": "txn_019aa5f04c457794b35e1e8ee8f3acee",
        "description": "The transaction, by the id that the history shows.",
    },
    "adjustment_id": {
        "schema": {"type": "string", "pattern": "^adj_[0-9a-f]{32}$"},
        "example": "adj_019aa5f0601c7b3e8d11223344556677",
        "description": "The adjustment, by the id that it was made with.",
    },
    "redemption_id": {
        "schema": {"type": "string", "pattern": "^hold_[0-9a-f]{32}$"},
        "example": "hold_019aa5f0601c7b3e8d11223344556677",
        "description": "The redemption, by the id that it was made with.",
    },
    "reward_id": {
        "schema": {"type": "string", "pattern": "^rwd_[0-9a-f]{32}$"},
        "example": "rwd_019aa5f0601c7b3e8d11223344556677",
        "description": "The reward, by the id that it was made with.",
    },
    "earning_rule_id": {
        "schema": {"type": "string", "pattern": DEFINITION_ID_PATTERN},
        "example": "birthday-week",
        "description": "The earning rule, by the caller's id.",
    },
    "activity_type_id": {
        "schema": {"type": "string", "pattern": DEFINITION_ID_PATTERN},
        "example": "webinar",
        "description": "The type of activities, by the caller's id.",
    },
    "tier_id": {
        "schema": {"type": "string", "pattern": DEFINITION_ID_PATTERN},
        "example": "gold",
        "description": "The tier, by the caller's id.",
    },
    "referral_id": {
        "schema": {"type": "string", "pattern": "^ref_[0-9a-f]{32}$"},
        "example": "ref_019aa5f0601c7b3e8d11223344556677",
        "description": "The referral, by the id that it was made with.",
    },
    "referral_offer_id": {
        "schema": {"type": "string", "pattern": DEFINITION_ID_PATTERN},
        "example": "friends",
        "description": "The offer, by the caller's id.",
    },
    "campaign_id": {
        "schema": {"type": "string", "pattern": "^cmp_[0-9a-f]{32}$"},
        "example": "cmp_019aa5f0601c7b3e8d11223344556677",
        "description": "The campaign, by the id that it was made with.",
    },
    "signing_key_id": {
        "schema": {"type": "string", "pattern": "^sgk_[0-9a-f]{32}$"},
        "example": "sgk_019aa5f0601c7b3e8d11223344556677",
        "description": "The signing key, by the id that it was registered with.",
    },
    "surprise_id": {
        "schema": {"type": "string", "pattern": "^sur_[0-9a-f]{32}$"},
        "example": "sur_019aa5f0601c7b3e8d11223344556677",
        "description": "The gift, by the id that a purchase, a play or an event told.",
    },
    "code": {
        "schema": _CALLER_ID,
        "example": "7K3M-9QXA-2PHT",
        "description": "The voucher's code; case and dashes don't matter where it was generated.",
    },
    "webhook_id": {
        "schema": {"type": "string", "pattern": "^whk_[0-9a-f]{32}$"},
        "example": "whk_019aa5f0601c7b3e8d11223344556677",
        "description": "The endpoint, by the id that it was made with.",
    },
    "event_id": {
        "schema": {"type": "string", "pattern": "^evt_[0-9a-f]{32}$"},
        "example": "evt_019aa5f0601c7b3e8d11223344556677",
        "description": "The event, by its id.",
    },
    "key_id": {
        "schema": {"type": "string", "pattern": "^key_[0-9a-f]{32}$"},
        "example": "key_019c1f5d8a3b7c4e9f00112233445566",
        "description": "The key, by the id that it was made with.",
    },
}
