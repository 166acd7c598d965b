"""What a visitor of the demo shop does: what a checkout, a billing system and a page would ask of the service for it.

All goes the ways that their calls go, and gives the answers that they get. Each form brings ids of its own, so that one
that is sent twice does nothing twice.
"""

import random
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from service.invoices import payments
from service.invoices import usecases as invoices
from service.invoices.paying import on_one
from service.invoices.payment_schemas import payment_out
from service.invoices.rules import NewInvoice, NewPayment
from service.invoices.schemas import invoice_out
from service.kernel.errors import Invalid, NotFound
from service.kernel.ids import from_wire
from service.platform.database import Database
from service.platform.idempotency import Commands, hash_of_request
from service.platform.statements import Db
from service.platform.transaction import transact
from service.points.bulk import status_of
from service.portal import doing
from service.portal.demo import telling
from service.portal.demo.exchanges import Call, Exchange, Outcome, exchanged
from service.portal.demo.shop import CURRENCY, INVOICE_TAX, INVOICE_TOTAL, product_of
from service.programs.rules import Program
from service.purchases import usecases as purchases
from service.purchases.booking import Purchases
from service.purchases.rules import Item, Purchase
from service.purchases.schemas import purchase_out
from service.rewards.redemptions import RedemptionOut, redemption_out
from service.surprises import lifecycle
from service.surprises.gift_schemas import PlayOut, play_out

_ENTROPY_BITS: Final = 62
_ONCE: Final = re.compile("([0-9a-f]{11})-[0-9a-f]{8}[0-9]{0,2}")
_NOT_SOLD: Final = "The shop doesn't sell this."


@dataclass(frozen=True, slots=True)
class Once:
    """What makes an action the only one of its kind: when the page with its form was made, and random bits."""

    at: datetime
    name: str

    @classmethod
    def new(cls, now: datetime) -> str:
        """Make what a page's forms carry. Milliseconds: rules count from the moment on in which they were made."""
        return f"{int(now.timestamp() * 1000):x}-{secrets.token_hex(4)}"

    @classmethod
    def read(cls, text: str) -> "Once":
        """Read what a form carries; forms of one page add the place of theirs. Raises Invalid."""
        found = _ONCE.fullmatch(text)
        if found is None:
            raise Invalid("This form was not made here.", pointer="/once", reason="invalid_format")
        return cls(datetime.fromtimestamp(int(found[1], 16) / 1000, UTC), text)


@dataclass(frozen=True, slots=True)
class Shopper:
    """A customer of the demo shop, and the parts of the service that act for one."""

    program: Program
    customer_id: str
    database: Database
    purchases: Purchases
    commands: Commands

    async def buy(self, once: Once, *, sku: str, code: str | None) -> Exchange:
        """Report a purchase of a product, with the code of who brought the customer."""
        product = product_of(sku)
        if product is None:
            raise Invalid(_NOT_SOLD, pointer="/sku", reason="unknown_product")
        purchase = Purchase(
            f"order-{once.name}",
            self.customer_id,
            CURRENCY,
            product.price,
            once.at,
            channel="demo",
            referral_code=code,
            items=[Item("1", product.price, sku=product.sku, category=product.category)],
        )

        async def work() -> Outcome:
            draft = purchases.draft(purchase, randomness=random.getrandbits(_ENTROPY_BITS))
            accepted = await self.purchases.report(self.program.id, draft)
            answer = purchase_out(accepted)
            return Outcome(status_of(accepted), answer, telling.bought(product, answer, replayed=accepted.replayed))

        return await exchanged(Call("POST", "/v1/purchases", purchase), work)

    async def redeem(self, once: Once, *, reward_id: str) -> Exchange:
        """Pay a reward with points, and get its voucher."""
        its_id, body = from_wire("rwd", reward_id), {"reward_id": reward_id}

        async def redeemed(db: Db) -> tuple[int, Any]:
            if its_id is None:
                raise NotFound
            found = await doing.redeem_at_once(db, program=self.program, customer_id=self.customer_id, reward_id=its_id)
            return 201, msgspec.to_builtins(redemption_out(found, self.program, with_voucher=True))

        async def work() -> Outcome:
            status, answer = await self._once(once, f"redeem {self.customer_id}", body, redeemed)
            told = msgspec.convert(answer, RedemptionOut)
            return Outcome(status, told, telling.redeemed(told))

        return await exchanged(Call("POST", "/v1/me/redemptions", body, once.name), work)

    async def play(self, once: Once, *, campaign_id: str) -> Exchange:
        """Play a game. Raises NotFound for what can be none."""
        lifecycle.id_of(campaign_id)

        async def played(db: Db) -> tuple[int, Any]:
            found = await doing.play(db, program=self.program, customer_id=self.customer_id, campaign_id=campaign_id)
            return 201, msgspec.to_builtins(play_out(self.customer_id, found))

        async def work() -> Outcome:
            status, answer = await self._once(once, f"play {campaign_id} {self.customer_id}", None, played)
            told = msgspec.convert(answer, PlayOut)
            return Outcome(status, told, telling.played(told), "" if told.prize is None else told.prize.prize)

        return await exchanged(Call("POST", f"/v1/me/games/{campaign_id}/plays", {}, once.name), work)

    async def invoice(self, once: Once) -> Exchange:
        """Record an invoice of today."""
        named = f"invoice-{self.customer_id}-{once.name}"
        new = NewInvoice(self.customer_id, _day(once), CURRENCY, total=INVOICE_TOTAL, tax=INVOICE_TAX)

        async def put(db: Db) -> invoices.Recorded:
            return await invoices.put(
                db,
                program=self.program,
                invoice_id=named,
                new=new,
                entropy=random.getrandbits(_ENTROPY_BITS),
            )

        async def work() -> Outcome:
            recorded = await transact(self.database.connection, put)
            answer = invoice_out(recorded)
            return Outcome(201 if recorded.is_new else 200, answer, telling.invoiced(answer))

        return await exchanged(Call("PUT", f"/v1/invoices/{named}", new), work)

    async def pay(self, once: Once, *, invoice_id: str, amount: int) -> Exchange:
        """Report that an own invoice was paid today."""
        if not invoice_id.startswith(f"invoice-{self.customer_id}-"):
            raise NotFound
        if amount <= 0:
            raise Invalid("Nothing is no payment.", pointer="/amount", reason="out_of_range")
        new = NewPayment(f"payment-{once.name}", _day(once), amount)
        report = on_one(invoice_id, new)

        async def paid(db: Db) -> tuple[str, payments.AcceptedPayment]:
            return await payments.report_payment(
                db,
                program=self.program,
                report=report,
                randomness=random.getrandbits(_ENTROPY_BITS),
                entropy=random.getrandbits(_ENTROPY_BITS),
                dry_run=False,
            )

        async def work() -> Outcome:
            customer_id, accepted = await transact(self.database.connection, paid)
            answer = payment_out(report, customer_id, accepted.answer)
            return Outcome(status_of(accepted), answer, telling.paid(answer))

        return await exchanged(Call("POST", f"/v1/invoices/{invoice_id}/payments", new), work)

    async def _once(
        self, once: Once, named: str, content: object, work: Callable[[Db], Awaitable[tuple[int, Any]]]
    ) -> tuple[int, Any]:
        answered = await self.commands.run(
            program_id=self.program.id,
            key=f"demo:{self.customer_id}:{once.name}",
            request_hash=hash_of_request(named, content),
            work=work,
        )
        return answered.status, answered.answer


def _day(once: Once) -> date:
    return once.at.date()
