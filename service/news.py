"""What is told of all that happens: the kinds of events of all rooms."""

from typing import Final

from service.adjustments import news as adjustments
from service.customers import news as customers
from service.customers.usecases import named
from service.earning import news as earning
from service.events.kinds import EventKinds
from service.invoices import news as invoices
from service.opening_balances import news as opening_balances
from service.points import news as points
from service.programs import news as programs
from service.purchases import news as purchases
from service.referrals import news as referrals
from service.rewards import news as rewards
from service.surprises import news as surprises
from service.tiers import news as tiers
from service.webhooks import news as webhooks

KINDS: Final = EventKinds(
    named,
    (
        *programs.KINDS,
        *webhooks.KINDS,
        *customers.KINDS,
        *points.KINDS,
        *tiers.KINDS,
        *adjustments.KINDS,
        *opening_balances.KINDS,
        *rewards.KINDS,
        *earning.KINDS,
        *referrals.KINDS,
        *surprises.KINDS,
        *purchases.KINDS,
        *invoices.KINDS,
    ),
)
"""Every type of events that is told, in the feed and to webhooks."""
