"""What the demo shop says of what was done. Pure."""

from service.invoices.payment_schemas import PaymentOut
from service.invoices.schemas import InvoiceOut
from service.portal.demo.shop import Product, counted, written
from service.purchases.schemas import PurchaseOut
from service.rewards.redemptions import RedemptionOut
from service.surprises.gift_schemas import PlayOut


def bought(product: Product, answer: PurchaseOut, *, replayed: bool) -> str:
    """Say what a purchase brought."""
    if replayed:
        return f"This order of “{product.name}” was reported before: nothing was booked twice."
    said = [f"“{product.name}” is yours, and {counted(answer.points.earned)} with it."]
    given = sum(each.points for each in answer.surprises)
    if given:
        said.append(f"And a surprise in the parcel: {counted(given)} more!")
    if answer.referral is not None:
        said.append(_REFERRED[answer.referral.status])
    return " ".join(said)


_REFERRED = {
    "qualified": "You came by a friend, and this order counts: in a moment both of you are rewarded.",
    "signed_up": "You came by a friend. With an order of €20.00 or more both of you are rewarded.",
    "refused": "The friend's code can't be used: only new customers are brought by a friend, and only once.",
}


def redeemed(answer: RedemptionOut) -> str:
    """Say what points bought."""
    if answer.voucher is None:
        return f"{counted(answer.captured)} are spent."
    return f"“{answer.voucher.name}” for {counted(answer.captured)}. Your code is {answer.voucher.code}."


def played(answer: PlayOut) -> str:
    """Say what the wheel brought."""
    if answer.prize is None:
        return "Only leaves this time."
    if answer.prize.kind == "points":
        return f"The wheel gives you {counted(answer.prize.points)}!"
    return "The wheel gives you a tin of tea to try! Its voucher is in your portal in a moment."


def invoiced(answer: InvoiceOut) -> str:
    """Say what is agreed for an invoice."""
    return f"An invoice of {written(answer.total)} is there. {answer.agreed.words}"


def paid(answer: PaymentOut) -> str:
    """Say what paying early saved and brought."""
    saved = answer.discount + answer.tax_reduction
    said = (
        f"You paid {written(answer.amount)} and saved {written(saved)}." if saved else f"{written(answer.amount)} paid."
    )
    return said if answer.points.earned == 0 else f"{said} {counted(answer.points.earned)} came on top."
