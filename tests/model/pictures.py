"""A customer as plain values: as the model has it, as the database holds it, and as callers are told."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.model.ledger import BOOKED, FAR, Cause, Customer, Lot
from tests.model.rows import HoldRow, LotRow, MoveRow

Picture = dict[str, Any]
A_MINUTE = timedelta(minutes=1)


def move(reason: str, source: str, target: str, cause_type: str, cause_id: str) -> tuple[str, ...]:
    """Name how points move. The ids of merges and erasures only the database knows."""
    return reason, source, target, cause_type, BOOKED if cause_type in {"merge", "erasure"} else cause_id


def moves(rows: Iterable[MoveRow]) -> Counter[tuple[str, ...]]:
    """Read rows of transfers."""
    found = Counter[tuple[str, ...]]()
    for row in rows:
        found[move(row.reason, row.source, row.target, row.cause_type, row.cause_id)] += row.points
    return found


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
    """Give the rows of lots, by name."""
    counted = Counter((point.lot, point.bucket) for point in customer.points)
    return {
        name: {
            "granted": lot.granted,
            "remaining": counted[lot, "available"] + counted[lot, "pending"],
            "expired": counted[lot, "expired"],
            "is_pending": lot.is_pending,
            "slides": lot.slides,
            "ends_at": lot.ends_at,
            "available_at": lot.available_at or BOOKED,
        }
        for lot, name in names(customer).items()
    }


def names(customer: Customer) -> dict[Lot, str]:
    """Name lots by their cause; those of one cause are numbered, by age."""
    known = Counter[Cause]()
    named = dict[Lot, str]()
    for lot in sorted(customer.lots, key=lambda each: each.number):
        known[lot.cause] += 1
        named[lot] = f"{' '.join(lot.cause)} {known[lot.cause]}"
    return named


def row_names(rows: Iterable[LotRow]) -> dict[UUID, str]:
    """Name rows of lots alike; they are sorted by their ids."""
    known = Counter[Cause]()
    named = dict[UUID, str]()
    for row in rows:
        cause = (row.cause_type, row.cause_id)
        known[cause] += 1
        named[row.id] = f"{' '.join(cause)} {known[cause]}"
    return named


def lot_rows(rows: Sequence[LotRow], like: Picture) -> Picture:
    """Read rows of lots; times that only the database knows are not looked at."""
    found, named = dict[str, Any](), row_names(rows)
    for row in rows:
        name = named[row.id]
        found[name] = {column: getattr(row, column) for column in ("granted", "remaining", "expired", "is_pending",
                                                                   "slides", "ends_at", "available_at")}  # fmt: skip
        if like.get(name, {}).get("available_at") == BOOKED:
            found[name]["available_at"] = BOOKED
    return found


def learn_ends(customer: Customer, rows: Sequence[LotRow]) -> None:
    """Learn when lots end that end so many days after what only the database knows; it is about when was expected."""
    ends = {name: row.ends_at for name, row in zip(row_names(rows).values(), rows, strict=True)}
    for lot, name in names(customer).items():
        if lot.ends_about:
            ends_at, expected = ends[name] or FAR, lot.ends_at or FAR
            assert abs(ends_at - expected) < A_MINUTE, (name, ends_at, expected)
            lot.ends_at, lot.ends_about = ends_at, False


def open_lots(customer: Customer) -> list[Picture]:
    """Give what `GET .../lots` answers."""
    counted = Counter(point.lot for point in customer.points if point.bucket in {"available", "pending"})
    return [
        {
            "granted": lot.granted,
            "remaining": counted[lot],
            "available_at": lot.available_at or BOOKED,
            "expires_at": None if customer.ends_at(lot) == FAR else customer.ends_at(lot),
            "cause": {"type": lot.cause[0], "id": lot.cause[1]},
        }
        for lot in sorted(customer.lots, key=lambda each: each.number, reverse=True)
        if counted[lot]
    ]


def open_lots_told(told: list[Picture], like: list[Picture]) -> list[Picture]:
    """Read an answer of `GET .../lots`."""
    booked = {place for place, each in enumerate(like) if each["available_at"] == BOOKED}
    return [
        each
        | {
            "available_at": BOOKED if place in booked else datetime.fromisoformat(each["available_at"]),
            "expires_at": each["expires_at"] and datetime.fromisoformat(each["expires_at"]),
        }
        for place, each in enumerate(told)
    ]


def holds(customer: Customer) -> Picture:
    """Give the rows of holds, by id, with what each took from which lot."""
    found, named = dict[str, Any](), names(customer)
    for hold in customer.holds.values():
        counts = [Counter(point.lot for point in those) for those in (hold.held, hold.captured, hold.restored)]
        found[hold.id] = {
            "status": hold.status,
            "points": len(hold.held),
            "captured": len(hold.captured),
            "order_id": hold.order,
            "expires_at": hold.lapses_at,
            "parts": {named[lot]: tuple(count[lot] for count in counts) for lot in counts[0]},
        }
    return found


def hold_rows(rows: Iterable[HoldRow], named: Mapping[UUID, str]) -> Picture:
    """Read rows of holds."""
    columns = ("status", "points", "captured", "order_id", "expires_at")
    return {
        f"hold_{row.id.hex}": {column: getattr(row, column) for column in columns}
        | {"parts": {named.get(lot_id, "of somebody else"): counts for lot_id, counts in row.parts.items()}}
        for row in rows
    }
