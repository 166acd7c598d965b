"""Refusals: what a caller did that can't be done, in the words of the domain.

A refusal names its kind, never an HTTP status: `service.platform.http.problems` alone knows which status a kind has.
Faults of the infrastructure are not refusals; their outcome is unknown, and `Unavailable` says so.
"""

from enum import Enum
from typing import ClassVar


class Kind(Enum):
    """Why a call was refused."""

    UNDECODABLE = "undecodable"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    GONE = "gone"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA = "unsupported_media"
    INVALID = "invalid"
    RATE_LIMITED = "rate_limited"


class Refusal(Exception):  # noqa: N818 - it is an answer of the domain, not an error of the program
    """A call that is refused; repeating it unchanged is refused again.

    `code` is stable and machine-readable, `title` names the class of problem, `detail` this very case. `detail` never
    holds what the caller sent: it may be personal data and would end in logs.
    """

    kind: ClassVar[Kind]
    code: ClassVar[str]
    title: ClassVar[str]
    retry_after: int | None = None
    """Seconds after which the same call may be answered otherwise; None where it won't."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail


class NotFound(Refusal):
    """Unknown, or another program's: the two are told alike."""

    kind = Kind.NOT_FOUND
    code = "not_found"
    title = "There is no such thing here"


class Invalid(Refusal):
    """What can't be accepted. `pointer` is the RFC 6901 path of the field in the body, or `?name` of the query."""

    kind = Kind.INVALID
    code = "invalid_content"
    title = "The content can't be accepted"

    def __init__(self, detail: str, *, pointer: str, reason: str) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.reason = reason


class Unavailable(Exception):  # noqa: N818 - see Refusal
    """The infrastructure failed: the outcome is unknown. The same call may be repeated after `retry_after` seconds."""

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
