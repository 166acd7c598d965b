"""Answers in HTML: pages with their headers, and what is told where something can't be shown or done."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, cast

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

from service.kernel.errors import Refusal, Unavailable
from service.platform.http import problems
from service.portal.admission import CustomerActor
from service.portal.pages.files import VERSION
from service.portal.pages.rendering import PLAIN, Chrome, Look, Notice, plain_page
from service.portal.pages.texts import locale_of, message
from service.portal.pages.words import Words
from service.programs.catalogue import Catalogue
from service.programs.rules import Program

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_UTC: Final = "UTC"
_SORRY: Final[Mapping[int, tuple[str, str]]] = {
    HTTPStatus.UNAUTHORIZED: (
        message("Please come in through the shop"),
        message(
            "This page shows your points. It opens for a while when you come from the shop or the app. "
            "That time is over, or you came another way."
        ),
    ),
    HTTPStatus.FORBIDDEN: (
        message("That didn't come from your page"),
        message("To protect you, nothing was done. Go back to your points and try it there."),
    ),
    HTTPStatus.NOT_FOUND: (
        message("There is nothing here yet"),
        message("Your points will show up here after your first purchase."),
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        message("That was a little too fast"),
        message("Wait for a moment, then try again."),
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        message("We can't show this right now"),
        message("Something failed on our side. Your points are safe. Try again in a moment."),
    ),
}
OTHERWISE: Final = (
    message("That can't be shown"),
    message("Something about the address or the form wasn't right. Go back to your points."),
)
_ENDED: Final = frozenset({HTTPStatus.UNAUTHORIZED})


def words_for(request: Request[Any, Any, Any], *, program: Program | None, told: str | None = None) -> Words:
    """Find the words for who looks: `?lang=`, the customer's own locale, the browser's languages."""
    catalogue: Catalogue = request.app.state.services[Catalogue]
    asked = request.query_params.get("lang")
    name = locale_of(asked, told, request.headers.get("accept-language", ""))
    try:
        now = catalogue.now()
    except Unavailable:  # a page that says so has no dates in it
        now = datetime.min.replace(tzinfo=UTC)
    return Words(name, _UTC if program is None else program.settings.time_zone, now)


def look_of(program: Program) -> Look:
    """Return what a partner's pages look like."""
    portal = program.settings.portal
    logo = None if portal.logo is None else f"/portal/logo?v={VERSION}-{program.version}"
    return Look(portal.name or program.name, portal.accent.removeprefix("#").lower(), logo, portal.home)


def headers_of(program: Program | None) -> dict[str, str]:
    """Give the headers of every page: nothing from elsewhere, nothing inline, kept by nobody, framed by who may."""
    framed_by = () if program is None else program.settings.portal.framed_by
    framing = " ".join(framed_by) or "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"form-action 'self'; base-uri 'none'; frame-ancestors {framing}"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    } | ({} if framed_by else {"X-Frame-Options": "DENY"})


def html(
    content: str, *, words: Words, program: Program | None, status: int = 200, headers: Mapping[str, str] = NO_HEADERS
) -> Response[str]:
    """Answer with a page."""
    its = headers_of(program) | {"Content-Language": words.tag} | dict(headers)
    return Response(content, status_code=status, media_type=MediaType.HTML, headers=its)


def see_other(address: str, program: Program | None, headers: Mapping[str, str] = NO_HEADERS) -> Response[str]:
    """Lead on to another page."""
    its = headers_of(program) | {"Location": address} | dict(headers)
    return Response("", status_code=HTTPStatus.SEE_OTHER, media_type=MediaType.HTML, headers=its)


def sorry(
    request: Request[Any, Any, Any],
    status: int,
    *,
    said: tuple[str, str] | None = None,
    notice: str | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Response[str]:
    """Answer with a page that says what couldn't be shown or done; a title and a text, those of the status else."""
    program = _program_of(request)
    words = words_for(request, program=program)
    title, text = said or _SORRY.get(status, OTHERWISE)
    chrome = Chrome("/portal", VERSION, None if notice is None else Notice("good", words.t(notice)))
    content = plain_page(
        words.t(title),
        words.t(text),
        words=words,
        look=PLAIN if program is None or status in _ENDED else look_of(program),
        chrome=chrome,
        again=status not in _ENDED,
    )
    return html(content, words=words, program=program, status=status, headers=headers)


def _program_of(request: Request[Any, Any, Any]) -> Program | None:
    """Return the program whose customer it is, where a valid token said so."""
    actor: object = cast("Mapping[str, object]", request.scope).get("auth")
    if not isinstance(actor, CustomerActor):
        return None
    catalogue: Catalogue = request.app.state.services[Catalogue]
    return catalogue.program(actor.program_id)


def on_refusal(request: Request[Any, Any, Any], refusal: Refusal) -> Response[str]:
    """Tell a refusal."""
    problem, headers = problems.refused(refusal, problems.request_id_of(request.scope))
    kept = {name: value for name, value in headers.items() if name == "Retry-After"}
    return sorry(request, problem.status, headers=kept)


def on_framework_refusal(request: Request[Any, Any, Any], refusal: HTTPException) -> Response[str]:
    """Tell what the framework refuses: a method, a size."""
    if refusal.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return on_fault(request, refusal)
    allow = (refusal.headers or {}).get("Allow")
    return sorry(request, refusal.status_code, headers={"Allow": allow} if allow else NO_HEADERS)


def on_fault(request: Request[Any, Any, Any], fault: Exception) -> Response[str]:
    """Tell that something failed: 503, and the same can be tried again."""
    _, headers = problems.unavailable(fault, problems.request_id_of(request.scope))
    return sorry(request, HTTPStatus.SERVICE_UNAVAILABLE, headers=headers)


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    Refusal: on_refusal,
    HTTPException: on_framework_refusal,
    Exception: on_fault,
}
