"""RFC 9457 problems: the only shape in which this service says no, and the only place that knows statuses."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException

from service.kernel.errors import Invalid, Kind, Refusal, Unavailable
from service.platform.metrics.requests import observe_refusal

STATUS: Final[Mapping[Kind, int]] = {
    Kind.UNDECODABLE: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.GONE: 410,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED_MEDIA: 415,
    Kind.INVALID: 422,
    Kind.RATE_LIMITED: 429,
}

# Refusals of the framework itself, by its status: (status here, code, title).
_OF_FRAMEWORK: Final[Mapping[int, tuple[int, str, str]]] = {
    400: (400, "undecodable", "The request can't be decoded"),
    404: (404, "not_found", "There is no such thing here"),
    405: (405, "method_not_allowed", "This can't be done with this resource"),
    413: (413, "too_large", "The body is too large"),
}

_CALLER_LEFT: Final = "client disconnected prematurely"
"""The framework's words for it; it has no class of its own for that."""
_log = structlog.get_logger()


class FieldError(msgspec.Struct, frozen=True):
    """One field that can't be accepted."""

    pointer: Annotated[str, msgspec.Meta(description="RFC 6901 path in the body, or `?name` for the query.")]
    code: str
    message: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem as RFC 9457 writes it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: list[FieldError] | None = None


def of_refusal(refusal: Refusal, request_id: str | None = None) -> Problem:
    """Write a refusal as a problem; one within a batch has no request id of its own."""
    errors = None
    if isinstance(refusal, Invalid):
        errors = [FieldError(pointer=refusal.pointer, code=refusal.reason, message=refusal.detail)]
    detail = refusal.detail or refusal.title
    return _problem(STATUS[refusal.kind], refusal.code, refusal.title, detail, request_id, errors)


def _problem(
    status: int, code: str, title: str, detail: str, request_id: str | None, errors: list[FieldError] | None = None
) -> Problem:
    return Problem(
        type=f"urn:loyalty:problem:{code}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
        errors=errors,
    )


def request_id_of(scope: Mapping[str, Any]) -> str:
    """Return the id that the shell gave to a request."""
    return scope.get("loyalty_request_id", "")


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[Problem]:
    """Make the response of a problem."""
    return Response(problem, status_code=problem.status, media_type="application/problem+json", headers=headers)


def unavailable(fault: Exception, request_id: str) -> tuple[Problem, dict[str, str]]:
    """Write a fault that is no refusal: its outcome is unknown, so it is never told as one."""
    if isinstance(fault, InternalServerException) and fault.detail == _CALLER_LEFT:
        detail, retry_after = "The caller left before the request was whole.", 1
        _log.info("caller_left", request_id=request_id)
    elif isinstance(fault, Unavailable):
        detail, retry_after = fault.detail, fault.retry_after
        _log.warning("unavailable", request_id=request_id, reason=detail)
    else:
        detail, retry_after = "Something failed here; the outcome is unknown. The same call may be repeated.", 1
        _log.error("fault", request_id=request_id, exc_info=fault)
    problem = _problem(503, "unavailable", "The service can't answer now", detail, request_id)
    return problem, {"Retry-After": str(retry_after)}


def refused(refusal: Refusal, request_id: str) -> tuple[Problem, dict[str, str]]:
    """Write a refusal, with the headers that go with it."""
    observe_refusal(refusal.code)
    headers = {"WWW-Authenticate": "Bearer"} if refusal.kind is Kind.UNAUTHENTICATED else {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return of_refusal(refusal, request_id), headers


def on_refusal(request: Request[Any, Any, Any], refusal: Refusal) -> Response[Problem]:
    """Answer a refusal."""
    return answer(*refused(refusal, request_id_of(request.scope)))


def on_framework_refusal(request: Request[Any, Any, Any], refusal: HTTPException) -> Response[Problem]:
    """Answer what the framework refuses: an unknown route, a method, a size, a body that is missing."""
    known = _OF_FRAMEWORK.get(refusal.status_code)
    if known is None:
        return on_fault(request, refusal)
    status, code, title = known
    headers = {name: value for name, value in (refusal.headers or {}).items() if name.lower() == "allow"}
    detail = "A JSON body is required." if status == 400 else title  # noqa: PLR2004
    return answer(_problem(status, code, title, detail, request_id_of(request.scope)), headers)


def on_fault(request: Request[Any, Any, Any], fault: Exception) -> Response[Problem]:
    """Answer everything else: 503, never 500, and never a refusal."""
    return answer(*unavailable(fault, request_id_of(request.scope)))


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    Refusal: on_refusal,
    HTTPException: on_framework_refusal,
    Exception: on_fault,
}
