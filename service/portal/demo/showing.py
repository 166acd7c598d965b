"""What the demo shop's page shows, and the page itself."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.portal.demo.acting import Once
from service.portal.demo.exchanges import Exchange, in_json
from service.portal.demo.shop import NAME, PRODUCTS, counted, written
from service.portal.demo.visits import Visit, Who
from service.portal.demo.wheel import Field, fields_of, lands_on
from service.portal.schemas import Everything, GameOut, MyTransactionOut
from service.rewards.rules import WhyNot
from service.rewards.schemas import RewardOut

DONE: Final = ("buy", "redeem", "invoice", "play")
"""The parts of the page, by what is done there."""
MOST_TRANSACTIONS: Final = 6
_AVAILABLE: Final = "available"
_FOR: Final = {
    "purchase": "An order",
    "surprise": "A surprise",
    "referral": "A friend",
    "payment": "An invoice, paid early",
    "redemption": "Spent",
}
_WHY_NOT: Final = {
    WhyNot.TIER_TOO_LOW: "For a higher tier",
    WhyNot.LIMIT_REACHED: "You had yours",
    WhyNot.OUT_OF_STOCK: "None left",
}


class Shown(msgspec.Struct, frozen=True):
    """What a page is made of.

    `code` is the referral code that the visitor came with, `done` the part where something was done just now. `once` is
    what the page's forms carry.
    """

    visit: Visit
    who: Who
    everything: Everything
    exchanges: list[Exchange]
    program: str
    now: datetime
    code: str | None = None
    done: str | None = None

    @property
    def customer_id(self) -> str:
        """Whose page it is."""
        return self.visit.customer_id(self.who)

    @property
    def newest(self) -> Exchange | None:
        """What was done just now, where it is known."""
        return self.exchanges[0] if self.done is not None and self.exchanges else None


class Game(msgspec.Struct, frozen=True):
    """A game with its wheel, and the field on which it stopped just now."""

    its: GameOut
    fields: list[Field]
    stop: int | None


def _what_for(each: MyTransactionOut) -> str:
    """Say in a few words what points were for; what has none of them in sentences of the ledger."""
    return _FOR.get(each.reason, each.why)


_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"money": written, "points": counted, "json": in_json, "what_for": _what_for}


def page_of(shown: Shown) -> str:
    """Render the page."""
    everything = shown.everything
    return _render(
        "page.html",
        shown=shown,
        me=everything.me,
        products=PRODUCTS,
        rewards=[(each, why_not(each)) for each in everything.rewards],
        vouchers=[each for each in everything.vouchers if each.redeemable][:MOST_TRANSACTIONS],
        transactions=[each for each in everything.transactions.data if _AVAILABLE in {each.source, each.target}][
            :MOST_TRANSACTIONS
        ],
        referral=everything.referral,
        invoices=everything.invoices,
        games=[_game(each, shown.newest) for each in everything.games],
        once=Once.new(shown.now),
    )


def problem_page(title: str, detail: str) -> str:
    """Render a page that says why there is no other."""
    return _render("problem.html", title=title, detail=detail)


def _render(name: str, **content: Any) -> str:  # noqa: ANN401 - whatever the template shows
    return _ENVIRONMENT.get_template(name).render(shop=NAME, **content)


def why_not(reward: RewardOut) -> str | None:
    """Say why a customer can't have a reward now; None where it can be had."""
    its = reward.for_customer
    if its is None or its.available:
        return None
    if its.why is None or its.missing_points is not None:
        return f"{counted(its.missing_points or 0)} to go"
    return _WHY_NOT.get(its.why, "Not now")


def _game(its: GameOut, newest: Exchange | None) -> Game:
    fields = fields_of(its.prizes)
    return Game(its, fields, lands_on(fields, None if newest is None else newest.prize, its.prizes))
