"""A customer as plain values: as the model has it, as the database holds it, and as callers are told."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from asyncpg import Record

from tests.model.ledger import FAR, Customer, Lot

Picture = dict[str, Any]
BOOKED = "when it was booked"
"""Stands for a time that only the database knows."""


def balance(customer: Customer) -> Picture:
    """Give what `GET .../balance` answers."""
    return {
        "customer_id": customer.name,
        **customer.balance(),
        "lifetime_earned": customer.lifetime_earned,
        "next_expiry": customer.next_expiry(),
        "tier": None,
    }


def balance_told(body: Picture) -> Picture:
    """Read an answer of `GET .../balance`."""
    expiry = body["next_expiry"]
    return body | {"next_expiry": expiry and (expiry["points"], datetime.fromisoformat(expiry["at"]))}


def lots(customer: Customer) -> Picture:
    """Give the rows of lots, by cause."""
    return {
        " ".join(lot.cause): {
            "granted": lot.granted,
            "remaining": _remaining(customer, lot),
            "expired": sum(point.lot is lot and point.bucket == "expired" for point in customer.points),
            "is_pending": lot.is_pending,
            "slides": lot.slides,
            "ends_at": lot.ends_at,
            "available_at": lot.available_at or BOOKED,
        }
        for lot in customer.lots
    }


def lot_rows(rows: Iterable[Record], like: Picture) -> Picture:
    """Read rows of lots; times that only the database knows are not looked at."""
    found = dict[str, Any]()
    for row in rows:
        name = f"{row['cause_type']} {row['cause_id']}"
        found[name] = {column: row[column] for column in ("granted", "remaining", "expired", "is_pending", "slides",
                                                          "ends_at", "available_at")}  # fmt: skip
        if like.get(name, {}).get("available_at") == BOOKED:
            found[name]["available_at"] = BOOKED
    return found


def open_lots(customer: Customer) -> list[Picture]:
    """Give what `GET .../lots` answers."""
    return [
        {
            "granted": lot.granted,
            "remaining": remaining,
            "available_at": lot.available_at or BOOKED,
            "expires_at": None if customer.ends_at(lot) == FAR else customer.ends_at(lot),
            "cause": {"type": lot.cause[0], "id": lot.cause[1]},
        }
        for lot in reversed(customer.lots)
        if (remaining := _remaining(customer, lot))
    ]


def open_lots_told(told: list[Picture], like: list[Picture]) -> list[Picture]:
    """Read an answer of `GET .../lots`."""
    booked = [each["cause"] for each in like if each["available_at"] == BOOKED]
    return [
        each
        | {
            "available_at": BOOKED if each["cause"] in booked else datetime.fromisoformat(each["available_at"]),
            "expires_at": each["expires_at"] and datetime.fromisoformat(each["expires_at"]),
        }
        for each in told
    ]


def holds(customer: Customer) -> Picture:
    """Give the rows of holds, by id, with what each took from which lot."""
    found = dict[str, Any]()
    for hold in customer.holds.values():
        counts = [Counter(" ".join(point.lot.cause) for point in those)
                  for those in (hold.held, hold.captured, hold.restored)]  # fmt: skip
        found[hold.id] = {
            "status": hold.status,
            "points": len(hold.held),
            "captured": len(hold.captured),
            "order_id": hold.order,
            "expires_at": hold.lapses_at,
            "parts": {name: [count[name] for count in counts] for name in counts[0]},
        }
    return found


def hold_rows(rows: Iterable[Record]) -> Picture:
    """Read rows of holds."""
    columns = ("status", "points", "captured", "order_id", "expires_at")
    return {
        f"hold_{row['id'].hex}": {column: row[column] for column in columns} | {"parts": json.loads(row["parts"])}
        for row in rows
    }


def _remaining(customer: Customer, lot: Lot) -> int:
    return sum(point.lot is lot and point.bucket in {"available", "pending"} for point in customer.points)
