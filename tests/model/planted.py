"""Mistakes for the service to have, so that the machine proves its power: it must find each of them."""

import inspect
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from typing import Any


@dataclass(frozen=True)
class Mistake:
    """A function of the service, and a piece of its text that is replaced."""

    module: str
    function: str
    right: str
    wrong: str


_REST = 'self._give_back(parts, cause, self.now, reason="release")'
_DOWN, _NEAREST = "Rounding.DOWN", "Rounding.HALF_UP"
_ACCOUNT, _REVERSING, _POINTS = "points.account", "points.reversing", "points.usecases"
_SHARES, _REFUNDS, _ADJUSTMENTS = "purchases.refunding", "purchases.returning", "adjustments.rules"
_MERGING, _KEEPER, _OPENING = "points.merging", "rewards.keeping", "opening_balances.rules"
_REDEEMING, _VOUCHERS = "rewards.redeeming", "rewards.vouchers"

MISTAKES = {
    "refunds have no cap": Mistake(_SHARES, "_by_amount", "purchase.total - before.amount", "purchase.total"),
    "returned pieces have no cap": Mistake(_SHARES, "_by_items", "item.quantity - earlier", "item.quantity"),
    "what is kept is rounded to the nearest": Mistake(_SHARES, "_kept", _DOWN, _NEAREST),
    "what pieces are worth is rounded to the nearest": Mistake(_SHARES, "_worth", _DOWN, _NEAREST),
    "what is restored is rounded to the nearest": Mistake(_SHARES, "restorable", _DOWN, _NEAREST),
    "lots are spent by age": Mistake(_ACCOUNT, "Account.open_lots", "expiry_order(lot, alive_until)", "lot.id"),
    "points end a day early": Mistake("points.policies", "_end_of", "last, zone", "last - timedelta(1), zone"),
    "points that come back repay no debt": Mistake(_ACCOUNT, "Account._give_back", "self.repay(", "("),
    "points that become available repay no debt": Mistake(_ACCOUNT, "Account.activate", "self.repay(", "("),
    "restored points repay no debt": Mistake(_REVERSING, "restore", "account.repay(", "("),
    "a capture of a part keeps the rest": Mistake(_ACCOUNT, "Account.capture", _REST, "()"),
    "what comes back after its end lives on": Mistake(_ACCOUNT, "Account._give_back", "self.has_ended(lot, at)", "0"),
    "what is restored after its end lives on": Mistake(_REVERSING, "restore", "account.has_ended(", "not ("),
    "what ends first is restored first": Mistake(_REVERSING, "restore", "reverse=True", "reverse=False"),
    "the limit of debt is for each refund": Mistake(_REVERSING, "take_back", "+ has.held - has.debt", "+ has.held"),
    "a refund takes from other lots first": Mistake(_REVERSING, "take_back", "lot.id != lot_id", "lot.id == lot_id"),
    "what ended unspent is claimed again": Mistake(_POINTS, "refund", "own.granted - own.expired", "own.granted"),
    "the oldest redemption is restored first": Mistake(_POINTS, "refund", "reverse=True", "reverse=False"),
    "balances are read as booked": Mistake(_POINTS, "balances", "if standing.is_due", "if False"),
    "lots are read as booked": Mistake(_POINTS, "lots", "if not is_due(customer, now)", "if True"),
    "a redemption is no activity": Mistake("points.holding", "capture", "account.touch(", "("),
    "when pending points come is not noted": Mistake(_ACCOUNT, "Account._count", "due.append(lot.available_at)", "()"),
    "when a hold lapses is not noted": Mistake(_ACCOUNT, "Account._count_again", "is HoldStatus.HELD", "is None"),
    "activity moves an end to the front": Mistake(_ACCOUNT, "Account.touch", "alive.until > before", "alive"),
    "what should lapse becomes available": Mistake("points.settling", "_activate", "if lot.lapses", "if False"),
    "what is due is booked in any order": Mistake("points.settling", "settle", "sorted(", "("),
    "a repeated refund is booked again": Mistake(_REFUNDS, "report_refund", "if claim is not None:", "if False:"),
    "a conflict is taken for a repetition": Mistake(_REFUNDS, "report_refund", "claim.content_hash != hashed", "False"),
    "who asked approves": Mistake(_ADJUSTMENTS, "approved", "by.origin == adjustment.asked_by.origin", "False"),
    "small adjustments add up to nothing": Mistake(
        "adjustments.rules", "must_wait", "abs(points) + counted", "abs(points)"
    ),
    "what is given by hand repays no debt": Mistake(_ACCOUNT, "Account.grant", "self.repay(", "("),
    "what lapsed is not given back": Mistake(_REDEEMING, "give_back_ended", "piece_ids=ended", "piece_ids=[]"),
    "what is released is not given back": Mistake(_REDEEMING, "release", "if piece is not None", "if False"),
    "one more than the limit is given": Mistake("rewards.rules", "hindrance", "had >= terms", "had > terms"),
    "a voucher ends a day early": Mistake(_VOUCHERS, "valid_until", "terms.days_valid + 1", "terms.days_valid"),
    "a discount is rounded to the nearest": Mistake(_VOUCHERS, "discount", _DOWN, _NEAREST),
    "a cancelled voucher is redeemed": Mistake(_VOUCHERS, "unredeemable", "voucher.cancelled_at is not None", "False"),
    "a merge loses holds": Mistake("points.store", "rehome", '"hold_rehome"', ""),
    "a merge loses what slides": Mistake(_MERGING, "merge", "_keep_alive(source, target)", "()"),
    "who goes into another one repays nothing": Mistake(_MERGING, "merge", "target.repay(", "("),
    "who is gone into repays nothing": Mistake(_MERGING, "merge", "source.repay(", "("),
    "who goes into another one is not told": Mistake(_MERGING, "_keep_alive", "if slides and", "if False and"),
    "what was bought before is not counted": Mistake("customers.rules", "joined", "source.purchase_count +", "0 +"),
    "an erased customer owes": Mistake(_MERGING, "close", "account.customer.balance.debt)", "0)"),
    "an erased customer's hold stays": Mistake(_MERGING, "close", "each.status is HoldStatus.HELD", "False"),
    "an erased customer's piece is not given back": Mistake(_KEEPER, "RewardsKeeper.erase", "if held:", "if 0:"),
    "a debt that is brought is not repaid": Mistake(_OPENING, "bring_in", "account.repay(", "("),
    "points that are brought don't wait": Mistake(
        _OPENING, "_life", "available_at=lot.available_at", "available_at=None"
    ),
    "each hold pays for a whole share": Mistake(
        "points.holding", "hold", "await _paying(db, program.id, account, order_id)", "0"
    ),
    "what is captured for an order is not counted": Mistake(
        "points.holding", "_paying", "sum(each.captured for each in captured)", "0"
    ),
    "a late notice moves no end": Mistake("points.settling", "_notify", "if lot.needs_notice", "if False"),
    "a late notice of what slides moves no end": Mistake("points.settling", "_notify", "if must_wait", "if False"),
    "points end without their notice": Mistake(_ACCOUNT, "Account.has_ended", "if lot.needs_notice and", "if 0 and"),
    "who is told is told again": Mistake("points.settling", "_notify", "(lot, notify_at=None,", "(lot,"),
    "what is pending is not told of": Mistake(
        "points.settling", "_notify", "if lot.remaining and", "if lot.remaining and not lot.is_pending and"
    ),
    "when to tell is not noted": Mistake(
        _ACCOUNT, "Account._count", "lot.notify_at or lot.expires_at", "lot.expires_at"
    ),
    "one lot of those that end next is told of": Mistake(
        _ACCOUNT, "Account._count", "(ending if lot.expires_at == ends else 0)", "0"
    ),
    "what slides hides what ends with it": Mistake("customers.rules", "ending_next", "if own == alive_until", "if 0"),
    "a notice forgets what was spent": Mistake(
        "points.settling", "_notify", "ending.get(ends_at, 0) + lot.remaining", "ending.get(ends_at, 0) + lot.granted"
    ),
    "grace is for what has not ended, too": Mistake(_REVERSING, "restore", "not account.has_ended(", "not ("),
    "a grace is over at once": Mistake(_REVERSING, "restore", "expires_at=account.now + grace, ", ""),
    "what is brought keeps nothing alive": Mistake(_OPENING, "bring_in", "account.touch(", "("),
}


@contextmanager
def planted(mistake: Mistake) -> Generator[None]:
    """Let the service have a mistake, whoever calls the function."""
    function: Any = attrgetter(mistake.function)(import_module(f"service.{mistake.module}"))
    text = textwrap.dedent(inspect.getsource(function))
    assert mistake.right in text, f"{mistake.right} has moved: plant the mistake where it is now"
    made: dict[str, Any] = {}
    exec(text.replace(mistake.right, mistake.wrong), function.__globals__, made)  # noqa: S102
    real, function.__code__ = function.__code__, made[function.__name__].__code__
    try:
        yield
    finally:
        function.__code__ = real
