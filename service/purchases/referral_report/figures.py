"""What a report of referrals tells. Data only, and so it goes to the wire."""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from service.earning.rules import Limit
from service.kernel.amounts import CurrencyCode
from service.kernel.shares import Apart, BasisPoints
from service.kernel.times import Time
from service.referrals.rules import ReferralReason

Count = Annotated[int, Meta(ge=0)]
Points = Annotated[int, Meta(description="Points.")]
Amount = Annotated[int, Meta(ge=0, description="Minor units of the currency.")]


class ReferralsStanding(msgspec.Struct, frozen=True):
    """Where the claims of the period stand now; together they are `signed_up`."""

    signed_up: Count
    qualified: Count
    waiting: Count
    in_review: Count
    rewarded: Count
    refused: Count
    expired: Count
    reversed: Count


class ReferralsByReason(msgspec.Struct, frozen=True):
    """So many for this reason."""

    reason: ReferralReason
    referrals: Count


class ReferralsAtLimit(msgspec.Struct, frozen=True):
    """So many that this limit refused."""

    limit: Limit
    referrals: Count


class SideCost(msgspec.Struct, frozen=True):
    """The points that one side was given, and those of them taken back: from lots, as debt, or written off."""

    given: Count
    reversed: Count


class Sum(msgspec.Struct, frozen=True):
    """Money of one currency."""

    currency: CurrencyCode
    amount: Amount


class VoucherCost(msgspec.Struct, frozen=True):
    """The vouchers that were given as prizes, and how many of them were cancelled.

    `worth` is what the rest is worth to the books: the `value` of the reward, or the amount that it takes off. Of
    `unvalued` ones the reward names no money: they are in no sum.
    """

    issued: Count
    cancelled: Count
    worth: list[Sum]
    unvalued: Count


class ReferralCost(msgspec.Struct, frozen=True):
    """What the claims of the period have cost so far.

    `points` are those given less those taken back, of both sides, and `worth` is what they are worth now, in minor
    units of the program's currency, rounded down, whether they are spent or not.
    """

    referrers: SideCost
    referees: SideCost
    points: Points
    worth: int
    vouchers: VoucherCost


class Referrals(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the claims of the period so far.

    `signed_up` are all of them; `qualified` and `rewarded` those who ever were, whatever came later. `clicks` are those
    on links within the period, by days of UTC, whatever came of them; of an offer only those on its own codes: null
    where it has none, since a click on a customer's own code is no offer's. Rates are basis points, rounded half up,
    null of none; sign-ups without a click make more than 10,000 possible.
    """

    clicks: Count | None
    signed_up: Count
    qualified: Count
    rewarded: Count
    standing: ReferralsStanding
    refused: list[ReferralsByReason]
    reversed: list[ReferralsByReason]
    limits: list[ReferralsAtLimit]
    signed_up_of_clicks: Count | None
    qualified_of_signed_up: BasisPoints | None
    rewarded_of_qualified: BasisPoints | None
    rewarded_of_signed_up: BasisPoints | None
    cost: ReferralCost


class OfferReferrals(Referrals, frozen=True, kw_only=True):
    """The same of one offer's claims."""

    offer: str


class Spend(msgspec.Struct, frozen=True):
    """What was paid in one currency less what was given back, and the mean of all customers, rounded half up."""

    currency: CurrencyCode
    amount: Amount
    per_customer: Amount


class RefereeGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What a group of customers did from their enrolment until now; a purchase that was given back whole is none.

    `mean_days` are the days since their enrolment: groups that had more time bought more. `bought` ever bought.
    `purchases_of_hundred` are the purchases of 100 customers. Means are of all customers, rounded half up; null of
    nobody.
    """

    customers: Count
    mean_days: Count | None
    bought: Count
    bought_rate: BasisPoints | None
    purchases: Count
    purchases_of_hundred: Count | None
    spend: list[Spend]


class Retained(msgspec.Struct, frozen=True):
    """Of these customers, whose window is over, so many bought `again` in it."""

    customers: Count
    again: Count
    rate: BasisPoints | None


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """Who bought again between two days behind the first purchase (of 24 hours; the last one is not in it).

    `difference` is that of the two rates, with its 95 % interval (Newcombe 1998, method 10). `enough`: in both groups
    the window of at least 100 customers is over.
    """

    from_days: Count
    to_days: Count
    referees: Retained
    others: Retained
    difference: Apart | None
    enough: bool


class ReferralReport(msgspec.Struct, frozen=True, kw_only=True):
    """What referrals brought and cost, of the days `from` to before `to`, as all stood at `made_at`.

    `referees` are customers enrolled on these days who came by a referral that stands: signed up, qualified, waiting,
    in review or rewarded. `others` were enrolled on them and came by none. `ended` were enrolled on them, too, and
    their referral was refused, expired or reversed: they are in neither group, and to leave them out flatters the
    referees, since many of them never bought. Records that were merged count once, as the one that they went into;
    those of the erased keep their numbers. Of one `offer`, customers who came by another one are in no group.

    Nobody was sent by lot: who follows a friend differs from who doesn't. So a difference is no proof that the
    referrals made it. `enough`: both groups have at least 100 customers.
    """

    from_: date = msgspec.field(name="from")
    to: date
    made_at: Time
    offer: str | None
    currency: CurrencyCode
    total: Referrals
    by_offer: list[OfferReferrals]
    referees: RefereeGroup
    others: RefereeGroup
    ended: RefereeGroup
    retention: list[Retention]
    enough: bool
