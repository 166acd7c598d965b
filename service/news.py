"""What is told of all that happens: the kinds of events of all rooms."""

from typing import Final

from service.customers import news as customers
from service.customers.usecases import named
from service.events.kinds import EventKinds
from service.purchases import news as purchases

KINDS: Final = EventKinds(named, (*customers.KINDS, *purchases.KINDS))
"""Every type of events that is told, in the feed and to webhooks."""
