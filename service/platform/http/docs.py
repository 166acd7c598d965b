"""The OpenAPI document and a page that shows it. Nothing is loaded from elsewhere; the page runs no inline script."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from litestar import MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from service.platform.settings import CHECKOUT

DOCUMENT: Final = CHECKOUT / "openapi" / "openapi.json"
# Its files only: the package's code, which fits other frameworks, is not imported.
_PACKAGE: Final = find_spec("swagger_ui")
_ASSETS: Final = Path(str(_PACKAGE.origin)).parent / "static" if _PACKAGE else Path("/nonexistent")
_SERVED: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Loyalty: the API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="document"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
"""
_START: Final = """window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#document", deepLinking: true, defaultModelsExpandDepth: 0
});
"""


@get("/openapi.json", include_in_schema=False)
async def document() -> Response[bytes]:
    """Serve the OpenAPI document, as it stands in the repository."""
    return Response(DOCUMENT.read_bytes(), media_type=MediaType.JSON)


@get("/docs", include_in_schema=False)
async def page() -> Response[str]:
    """Serve the page."""
    return Response(_PAGE, media_type=MediaType.HTML, headers=_HEADERS)


@get("/docs/{name:str}", include_in_schema=False)
async def asset(name: FromPath[str]) -> Response[bytes]:
    """Serve what the page needs."""
    if name == "start.js":
        return Response(_START.encode(), media_type="text/javascript", headers=_HEADERS)
    if name not in _SERVED:
        raise NotFoundException
    return Response((_ASSETS / name).read_bytes(), media_type=_SERVED[name], headers=_HEADERS)


routes: Final = [document, page, asset]
