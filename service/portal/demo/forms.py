"""Forms of the demo shop's pages: who sent one, and what stands in it."""

from typing import Any, Final
from urllib.parse import parse_qs

from litestar import Request

from service.kernel.errors import Invalid, Kind, Refusal
from service.portal.demo.visits import COOKIE, Visit, is_own_page, visit_of

_MOST_FIELDS: Final = 20
_KIND: Final = "application/x-www-form-urlencoded"


class ForeignForm(Refusal):
    """A form that was not sent from a page of the visitor's own."""

    kind = Kind.FORBIDDEN
    code = "foreign_form"
    title = "This form did not come from your own page of the shop: open it again, and allow it a cookie"


async def sent_form(request: Request[Any, Any, Any]) -> tuple[Visit, dict[str, str]]:
    """Read a form and who sent it. Raises ForeignForm for another site's, Invalid."""
    check_own_page(request)
    visit = visit_of(request.cookies.get(COOKIE))
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
        raise Invalid("This is no form.", pointer="", reason="invalid_format")
    try:
        found = parse_qs((await request.body()).decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Invalid("This is no form.", pointer="", reason="invalid_format") from None
    fields = {name: values[0] for name, values in found.items()}
    if visit is None or not visit.sent_form(fields.get("token", "")):
        raise ForeignForm
    return visit, fields


def check_own_page(request: Request[Any, Any, Any]) -> None:
    """Refuse what a page of another site sent. Raises ForeignForm."""
    headers = request.headers
    if not is_own_page(site=headers.get("sec-fetch-site"), origin=headers.get("origin"), host=headers.get("host")):
        raise ForeignForm
