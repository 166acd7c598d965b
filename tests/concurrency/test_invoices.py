"""Payments, credit notes and changes of invoices at once: each is booked once, and nothing is settled twice."""

import asyncio
import random
from collections import Counter

from service.platform.roles import Role
from service.platform.settings import Settings
from tests import billing
from tests.conftest import NewShop, running
from tests.shop import Answer, Shop, unique

PAID_ON = "2026-01-15"


async def test_fifty_reports_of_one_payment_settle_it_once(new_shop: NewShop, settings: Settings) -> None:
    """Through two services; all are answered alike."""
    async with running(settings) as address:
        shop = await new_shop()
        other = Shop(address, shop.client, shop.program, shop.keys, shop.database)
        invoice_id = await billing.issue(shop, terms=billing.TWO_PERCENT)
        answers = await asyncio.gather(
            *(
                billing.pay([shop, other][each % 2], invoice_id, 49_000, PAID_ON, id="p-1", currency="EUR")
                for each in range(50)
            )
        )
        assert Counter((answer.status, answer.replayed) for answer in answers) == {(201, False): 1, (200, True): 49}
        assert {answer.text for answer in answers} == {answers[0].text}
        assert (await billing.read(shop, invoice_id))["open"] == 50_000


async def test_different_payments_at_once_each_settle_what_those_before_left(shop: Shop) -> None:
    """Ten times 98.00 at 2 % settle 1,000.00 to the cent, whoever comes first; an eleventh is overpaid."""
    invoice_id = await billing.issue(shop, terms=billing.TWO_PERCENT)
    paid = await asyncio.gather(*(billing.pay(shop, invoice_id, 9_800, PAID_ON) for _ in range(11)))
    assert sum(answer.body["settled"] for answer in paid) == 100_000
    assert sorted(answer.body["overpaid"] for answer in paid) == [0] * 10 + [9_800]
    assert sum(answer.body["discount"] for answer in paid) == 2_000
    assert sorted(answer.body["remaining"] for answer in paid) == [0, 0, *range(10_000, 100_000, 10_000)]


async def test_payments_over_many_invoices_at_once_wait_for_each_other_and_never_for_ever(shop: Shop) -> None:
    """Each names all invoices of two customers, in an order of its own."""
    ids = {each: [await billing.issue(shop, customer_id=each) for _ in range(4)] for each in ("c-1", "c-2")}
    calls = list[asyncio.Task[Answer]]()
    for number in range(30):
        customer = f"c-{1 + number % 2}"
        named = random.sample(ids[customer], 4)
        pay = billing.pay_many(shop, dict.fromkeys(named, 1_000), "2026-03-01", customer_id=customer)
        calls.append(asyncio.create_task(pay))
    assert {(await each).status for each in calls} == {201}
    for named in [*ids["c-1"], *ids["c-2"]]:
        assert (await billing.read(shop, named))["open"] == 100_000 - 15 * 1_000


async def test_a_payment_bounces_once_however_often_that_is_told(shop: Shop) -> None:
    invoice_id = await billing.issue(shop, terms=billing.TWO_PERCENT)
    await billing.pay(shop, invoice_id, 98_000, PAID_ON, id="p-bounced")
    answers = await asyncio.gather(*(billing.reverse(shop, invoice_id, "p-bounced") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert {answer.text for answer in answers} == {answers[0].text}
    assert (await billing.read(shop, invoice_id))["open"] == 100_000


async def test_a_change_and_a_payment_at_once_are_one_behind_the_other(shop: Shop) -> None:
    """Whoever is first: either the payment settles the changed invoice, or the change is refused."""
    for _ in range(12):
        invoice_id = await billing.issue(shop)
        calls = [billing.put(shop, invoice_id, total=50_000), billing.pay(shop, invoice_id, 1_000, "2026-03-01")]
        random.shuffle(calls)
        statuses = sorted(answer.status for answer in await asyncio.gather(*calls))
        assert statuses in ([200, 201], [201, 409])
        assert (await billing.read(shop, invoice_id))["open"] == (49_000 if 200 in statuses else 99_000)


async def test_one_number_is_taken_by_one_of_many_invoices_at_once(shop: Shop) -> None:
    number = unique("RE")
    spellings = [number, number.lower(), f" {number} ", number.replace("-", "- ")]
    answers = await asyncio.gather(
        *(billing.put(shop, unique("inv"), number=spellings[each % 4], customer_id=f"c-{each}") for each in range(12))
    )
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 11}
    assert {answer.code for answer in answers if answer.status == 409} == {"invoice_number_taken"}


async def test_one_invoice_put_by_many_at_once_is_recorded_once(shop: Shop) -> None:
    invoice_id = unique("inv")
    answers = await asyncio.gather(*(billing.put(shop, invoice_id, customer_id="c-new") for _ in range(12)))
    assert Counter(answer.status for answer in answers) == {201: 1, 200: 11}
    assert {answer.body["version"] for answer in answers} == {1}


async def test_everything_at_once_leaves_the_books_even(shop: Shop) -> None:
    """By chance: payments, bounces and credit notes on few invoices; what is open is what all of it left."""
    ids = [await billing.issue(shop, terms=billing.TWO_PERCENT, total=119_000, tax=19_000) for _ in range(3)]
    paid = list[tuple[str, str]]()

    async def act() -> None:
        named = random.choice(ids)
        what = random.random()
        if what < 0.6:
            amount = random.choice([1_000, 20_000, 116_620, 119_000])
            answer = await billing.pay(shop, named, amount, random.choice([PAID_ON, "2026-02-20"]))
            assert answer.status == 201, answer.text
            paid.append((named, answer.body["id"]))
        elif what < 0.8 and paid:
            invoice_id, payment_id = random.choice(paid)
            assert (await billing.reverse(shop, invoice_id, payment_id)).status == 200
        else:
            answer = await billing.credit(shop, named, total=1_190, tax=190)
            assert answer.status in {201, 422}, answer.text

    for _ in range(12):
        await asyncio.gather(*(act() for _ in range(8)))
    for named in ids:
        found = await billing.read(shop, named)
        assert 0 <= found["open"] <= found["total"] - found["credited"]
        listed = await shop.get(f"/v1/invoices/{named}/payments?limit=200", Role.BILLING)
        booked = [each for each in listed.body["data"] if each["status"] == "booked"]
        settled = sum(part["settled"] for each in booked for part in each["allocations"])
        notes = (await shop.get(f"/v1/invoices/{named}/credit-notes?limit=200", Role.BILLING)).body["data"]
        alive = {each["id"] for each in booked}
        taken = sum(part["settled"] for note in notes for part in note["taken_back"] if part["payment_id"] in alive)
        assert found["open"] == found["total"] - found["credited"] - settled + taken
