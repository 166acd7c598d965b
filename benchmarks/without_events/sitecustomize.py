"""In the path of a service's processes: it tells of nothing that happens. For measuring what telling costs."""

from collections.abc import Sequence
from datetime import datetime

from service.platform import outbox
from service.platform.outbox import Event
from service.platform.statements import Write, load

_INSERT = load(outbox.__file__)["outbox_insert"]


def _announcing(program_id: int, events: Sequence[Event], recorded_at: datetime) -> Write:
    del events
    return Write(_INSERT, (program_id, recorded_at, []), 0)


outbox.announcing = _announcing
