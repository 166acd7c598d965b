"""Times: RFC 3339 with a zone on the wire, in both directions; UTC inside; what times of facts can be."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from msgspec import Meta

from service.kernel.errors import Invalid

Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 with a zone.")]

GREATEST_LEAD: Final = timedelta(minutes=5)
"""How far ahead of the database's clock a fact may claim to have happened: clocks differ."""

FIRST_MOMENT: Final = datetime.min.replace(tzinfo=UTC)
"""Before all that can be told, and the one moment that the database's driver writes as '-infinity' and reads back
without a zone."""


def in_utc(moment: datetime, pointer: str) -> datetime:
    """Bring a time that a caller told, at `pointer`, to UTC. Raises Invalid for one that is outside the calendar there.

    What it gives is after FIRST_MOMENT.
    """
    try:
        found = moment.astimezone(UTC)
    except OverflowError:
        found = FIRST_MOMENT
    if found == FIRST_MOMENT:
        raise Invalid("This time is outside the calendar.", pointer=pointer, reason="out_of_range")
    return found


def check_happened(moment: datetime, *, now: datetime, pointer: str) -> None:
    """Refuse a fact from the future. Raises Invalid."""
    if moment > now + GREATEST_LEAD:
        detail = "This is more than 5 minutes in the future."
        raise Invalid(detail, pointer=pointer, reason="in_the_future")
