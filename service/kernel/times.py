"""Times on the wire: RFC 3339 with a zone, in both directions."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 with a zone.")]
