"""`/widget.js`: the script of `<loyalty-balance>`, for a script tag on any page."""

import hashlib
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get

SCRIPT: Final = Path(__file__).with_name("loyalty-balance.js")
_CONTENT: Final = SCRIPT.read_bytes()
_TAG: Final = f'"{hashlib.blake2b(_CONTENT, digest_size=16).hexdigest()}"'
_HEADERS: Final = {
    "Cache-Control": "public, max-age=300",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "ETag": _TAG,
    "X-Content-Type-Options": "nosniff",
}


@get("/widget.js", include_in_schema=False, media_type="text/javascript; charset=utf-8")
async def script(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Serve the script; who has it already is told so. It is the same for everybody, so every page may have it."""
    if request.headers.get("if-none-match") == _TAG:
        return Response(b"", status_code=304, headers=_HEADERS, media_type="text/javascript; charset=utf-8")
    return Response(_CONTENT, headers=_HEADERS, media_type="text/javascript; charset=utf-8")
