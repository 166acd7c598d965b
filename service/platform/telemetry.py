"""Logs: one JSON object a line, on standard error, without secrets and personal data.

Events name what happened and carry ids of the service's own, counts and classes of faults; never what a caller sent.
"""

import json
import logging
import sys
import traceback
from pathlib import Path
from typing import Any, Final

import structlog
from structlog.typing import EventDict

from service.platform import tracing

_LONGEST_CHAIN: Final = 5
_MOST_FRAMES: Final = 20


def _fault_without_values(_: object, __: str, event: EventDict) -> EventDict:
    """Tell a fault by its class and the places it passed. Its message and variables may hold what a caller sent."""
    fault = event.pop("exc_info", None)
    if isinstance(fault, BaseException):
        chain = list[dict[str, Any]]()
        while fault is not None and len(chain) < _LONGEST_CHAIN:
            frames = traceback.extract_tb(fault.__traceback__)[-_MOST_FRAMES:]
            places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
            chain.append({"class": type(fault).__qualname__, "places": places})
            fault = fault.__cause__ or fault.__context__
        event["fault"] = chain
    return event


def place_of(fault: BaseException) -> str:
    """Tell a fault in a few words, by its class and where it was raised: `ValueError at jobs.py:40 settle_due`."""
    frames = [frame for frame in traceback.extract_tb(fault.__traceback__) if "site-packages" not in frame.filename]
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else ""
    return f"{type(fault).__qualname__}{where}"


def _with_trace(_: object, __: str, event: EventDict) -> EventDict:
    """Name the trace and the span, where there are any."""
    event.update(tracing.ids())
    return event


class _LibraryFormatter(logging.Formatter):
    """Tells that a library said something, and where: its words and tracebacks may hold what a caller sent."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        place = f"{record.filename}:{record.lineno}"
        said = {"event": "library", "level": record.levelname.lower(), "logger": record.name, "place": place}
        return json.dumps(said)


def configure(level: int = logging.INFO) -> None:
    """Set up logging for this process: what is below `level` isn't told."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _fault_without_values,
            _with_trace,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LibraryFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
