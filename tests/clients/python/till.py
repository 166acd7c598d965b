"""A till on the generated Python client: earns points, reads them, and meets problems.

test_python.py puts it beside the client that it generates, checks its types and runs it.
"""

import os
from datetime import UTC, datetime
from http import HTTPStatus

from loyalty_client import AuthenticatedClient
from loyalty_client.api.points import get_balance, list_transactions
from loyalty_client.api.purchases import report_purchase, report_purchases
from loyalty_client.models import BalanceOut, BatchIn, BatchOut, Item, Problem, Purchase, PurchaseOut, TransferPage

CUSTOMER = "ann/42 of Bonn"
BOUGHT_AT = datetime(2026, 1, 2, 10, tzinfo=UTC)


def purchase(name: str, total: int, currency: str = "EUR") -> Purchase:
    return Purchase(name, CUSTOMER, currency, total, BOUGHT_AT, items=[Item("1", total, quantity=2, sku="TEA-1")])


def earn(client: AuthenticatedClient) -> None:
    booked = report_purchase.sync_detailed(client=client, body=purchase("order/1", 12990))
    assert booked.status_code == HTTPStatus.CREATED
    assert isinstance(booked.parsed, PurchaseOut)
    assert (booked.parsed.points.earned, booked.parsed.balance.available) == (129, 129)
    assert booked.parsed.points.lines[0].rule == "base"

    again = report_purchase.sync_detailed(client=client, body=purchase("order/1", 12990))
    assert again.status_code == HTTPStatus.OK
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.parsed == booked.parsed

    basket = report_purchase.sync(client=client, body=purchase("basket", 500), dry_run=True)
    assert isinstance(basket, PurchaseOut)
    assert basket.points.earned == 5

    both = report_purchases.sync(
        client=client, body=BatchIn([purchase("order/2", 100), purchase("order/1", 1)]), idempotency_key="night-1"
    )
    assert isinstance(both, BatchOut)
    first, second = both.results
    assert isinstance(first.purchase, PurchaseOut)
    assert isinstance(second.problem, Problem)
    assert second.problem.code == "purchase_conflict"


def read(client: AuthenticatedClient) -> None:
    balance = get_balance.sync(CUSTOMER, client=client)
    assert isinstance(balance, BalanceOut)
    assert (balance.customer_id, balance.available, balance.next_expiry) == (CUSTOMER, 130, None)

    newest = list_transactions.sync(CUSTOMER, client=client, limit=1)
    assert isinstance(newest, TransferPage)
    assert newest.has_more
    assert newest.next_cursor is not None
    older = list_transactions.sync(CUSTOMER, client=client, cursor=newest.next_cursor)
    assert isinstance(older, TransferPage)
    transfers = newest.data + older.data
    assert [transfer.cause.id for transfer in transfers] == ["order/2", "order/1"]
    assert transfers[1].occurred_at == BOUGHT_AT
    assert (transfers[1].from_, transfers[1].to, transfers[1].points) == ("issued", "available", 129)


def meet_problems(client: AuthenticatedClient, stranger: AuthenticatedClient) -> None:
    conflict = report_purchase.sync(client=client, body=purchase("order/1", 1))
    assert isinstance(conflict, Problem)
    assert (conflict.status, conflict.code) == (HTTPStatus.CONFLICT, "purchase_conflict")

    invalid = report_purchase.sync(client=client, body=purchase("order/3", 1, currency="XXX"))
    assert isinstance(invalid, Problem)
    assert invalid.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert isinstance(invalid.errors, list)
    assert [(error.pointer, error.code) for error in invalid.errors] == [("/currency", "unknown_currency")]

    unknown = get_balance.sync("nobody", client=client)
    assert isinstance(unknown, Problem)
    assert unknown.code == "not_found"

    refused = get_balance.sync_detailed(CUSTOMER, client=stranger)
    assert refused.status_code == HTTPStatus.UNAUTHORIZED
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert isinstance(refused.parsed, Problem)
    assert refused.parsed.request_id == refused.headers["Request-Id"]


if __name__ == "__main__":
    address = os.environ["LOYALTY_ADDRESS"]
    till = AuthenticatedClient(base_url=address, token=os.environ["LOYALTY_KEY"], raise_on_unexpected_status=True)
    earn(till)
    read(till)
    meet_problems(till, AuthenticatedClient(base_url=address, token="lk_test_of_nobody"))  # noqa: S106
