"""What an invoice charges: lines and their taxes, put together into tax groups. Pure.

A tax group is all lines with the same set of percentage taxes; each tax of it is reckoned once, on the sum.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from service.kernel.amounts import BOUND, MinorUnits
from service.kernel.errors import Invalid
from service.kernel.rounding import Rounding, divide

ONE: Final = 1_000_000
"""Millionths in one."""
_MILLIONTHS_IN_BASIS_POINT: Final = 100
_replace = msgspec.structs.replace

TaxName = Annotated[str, Meta(min_length=1, max_length=100)]
Millionths = Annotated[
    int, Meta(ge=0, le=10 * ONE, description="A rate in millionths: 99750 are 9.975 %, 150000 are 15 %.")
]


class Tax(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tax of a line: a rate, in `basis_points` or `millionths`, or a `fixed` amount, which is never discounted."""

    name: TaxName
    basis_points: Annotated[int, Meta(ge=0, le=100_000, description="A rate: 1500 are 15 %.")] | None = None
    millionths: Millionths | None = None
    fixed: MinorUnits | None = None


class InvoiceLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of an invoice: what it costs without taxes, and its taxes."""

    net: MinorUnits
    taxes: Annotated[tuple[Tax, ...], Meta(max_length=20)] = ()


class RatedTax(msgspec.Struct, frozen=True):
    """A tax of a group. Without a name and a rate: as it was printed, of an invoice that told no lines."""

    name: str | None
    millionths: int | None
    amount: int


class TaxGroup(msgspec.Struct, frozen=True):
    """What is charged of one tax group: the sum of its lines, and its taxes on that."""

    net: int
    taxes: tuple[RatedTax, ...] = ()

    @property
    def tax(self) -> int:
        """All its taxes."""
        return sum(each.amount for each in self.taxes)

    @property
    def rates(self) -> frozenset[tuple[str | None, int | None]]:
        """What makes it a group of its own."""
        return frozenset((each.name, each.millionths) for each in self.taxes)


class Bill(msgspec.Struct, frozen=True):
    """All that an invoice charges, or what credit notes left of it. Minor units."""

    groups: tuple[TaxGroup, ...]
    fixed: int = 0
    """Fixed taxes of all lines."""

    @property
    def net(self) -> int:
        """All without taxes: what a discount is reckoned on."""
        return sum(each.net for each in self.groups)

    @property
    def tax(self) -> int:
        """All taxes, the fixed ones among them."""
        return self.fixed + sum(each.tax for each in self.groups)

    @property
    def total(self) -> int:
        """What is to be paid."""
        return self.net + self.tax


def printed(total: int, tax: int) -> Bill:
    """Make the bill of an invoice that tells its total and the tax within; 0 <= tax <= total."""
    return Bill((TaxGroup(total - tax, (RatedTax(None, None, tax),) if tax else ()),))


def itemised(lines: Sequence[InvoiceLine], *, reduced_by: Fraction = Fraction()) -> Bill:
    """Make the bill of lines. Of a tax that is `reduced_by` a share from the start, only the rest is taxed.

    Each tax of a group is half-up(sum of net x rate). Raises Invalid for a tax without or with two rates, for one that
    stands twice on a line, and where the sum is out of bounds.
    """
    sums = dict[frozenset[tuple[str | None, int | None]], int]()
    rates = dict[frozenset[tuple[str | None, int | None]], list[tuple[str, int]]]()
    fixed = 0
    for number, line in enumerate(lines):
        its_rates, its_fixed = _taxes_of(line, f"/lines/{number}/taxes")
        key = frozenset[tuple[str | None, int | None]](its_rates)
        rates.setdefault(key, its_rates)
        sums[key] = sums.get(key, 0) + line.net
        fixed += its_fixed
    discounts = spread_share(list(sums.values()), reduced_by)
    groups = tuple(
        TaxGroup(net, tuple(RatedTax(name, rate, tax_on(net - less, rate)) for name, rate in rates[key]))
        for (key, net), less in zip(sums.items(), discounts, strict=True)
    )
    bill = Bill(groups, fixed)
    if bill.total > BOUND:
        raise Invalid("The lines come to more than 10^12.", pointer="/lines", reason="out_of_range")
    return bill


def _taxes_of(line: InvoiceLine, pointer: str) -> tuple[list[tuple[str, int]], int]:
    rates, fixed, seen = list[tuple[str, int]](), 0, set[tuple[str, int | None]]()
    for number, tax in enumerate(line.taxes):
        given = [each for each in (tax.basis_points, tax.millionths, tax.fixed) if each is not None]
        if len(given) != 1:
            detail = "A tax has one of `basis_points`, `millionths` and `fixed`."
            raise Invalid(detail, pointer=f"{pointer}/{number}", reason="exclusive")
        rate = tax.millionths if tax.basis_points is None else tax.basis_points * _MILLIONTHS_IN_BASIS_POINT
        if (tax.name, rate) in seen:
            raise Invalid("This tax stands on the line already.", pointer=f"{pointer}/{number}", reason="duplicate")
        seen.add((tax.name, rate))
        if rate is None:
            fixed += tax.fixed or 0
        else:
            rates.append((tax.name, rate))
    return rates, fixed


def tax_on(net: int, millionths: int) -> int:
    """Return half-up(net x rate)."""
    return divide(net * millionths, ONE, Rounding.HALF_UP)


def half_up(amount: Fraction) -> int:
    """Round minor units >= 0 to whole ones, a half upwards."""
    return divide(amount.numerator, amount.denominator, Rounding.HALF_UP)


def spread_share(nets: Sequence[int], share: Fraction) -> list[int]:
    """Take half-up(sum x share), 0 <= share <= 1, off nets, by largest remainder."""
    return spread(half_up(sum(nets) * share), nets)


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Spread a whole amount >= 0 over weights by largest remainder; of equal remainders the first come first.

    No part is greater than its weight where the amount isn't greater than the sum of weights. With no weight at all
    everything is in the first part; there is at least one, or nothing to spread. (Hamilton's method.)
    """
    whole = sum(weights)
    if not whole:
        return [amount if not place else 0 for place in range(len(weights))]
    parts = [divmod(amount * weight, whole) for weight in weights]
    left = amount - sum(part for part, _ in parts)
    by_rest = sorted(range(len(parts)), key=lambda place: -parts[place][1])
    more = frozenset(by_rest[:left])
    return [part + (place in more) for place, (part, _) in enumerate(parts)]
