"""Times: RFC 3339 with a zone on the wire, in both directions; UTC inside."""

from datetime import UTC, datetime
from typing import Annotated, Final

from msgspec import Meta

from service.kernel.errors import Invalid

Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 with a zone.")]

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
