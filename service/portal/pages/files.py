"""What pages load: the sheet, the script, the colours of an accent. The same for everybody, and kept by browsers."""

import hashlib
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from service.portal.pages.theme import colour_of, css_of

_FOLDER: Final = Path(__file__).parent / "assets"
_KINDS: Final = {"portal.css": "text/css", "portal.js": "text/javascript"}
_FILES: Final = {name: (_FOLDER / name).read_bytes() for name in _KINDS}
_CSS: Final = _KINDS["portal.css"]
VERSION: Final = hashlib.blake2b(
    b"\n".join([*_FILES.values(), css_of((36, 87, 214)).encode()]), digest_size=6
).hexdigest()
"""Changes with what pages load, so that no browser mixes an old sheet with a new page."""


@get("/assets/{name:str}", include_in_schema=False)
async def asset(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """Serve the sheet or the script."""
    if name not in _FILES:
        raise NotFoundException
    return Response(_FILES[name], media_type=_KINDS[name], headers=_headers(request))


@get("/theme/{name:str}", include_in_schema=False)
async def theme(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[str]:
    """Serve the colours of an accent, `/portal/theme/2457d6.css`."""
    digits, dot, kind = name.partition(".")
    accent = colour_of(digits) if dot and kind == "css" and not digits.startswith("#") else None
    if accent is None:
        raise NotFoundException
    return Response(css_of(accent), media_type=_CSS, headers=_headers(request))


def _headers(request: Request[Any, Any, Any]) -> dict[str, str]:
    is_this_version = request.query_params.get("v") == VERSION
    kept = "public, max-age=31536000, immutable" if is_this_version else "public, max-age=300"
    return {
        "Cache-Control": kept,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
