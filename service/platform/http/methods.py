"""`Allow` names all methods of a path.

The framework tells OPTIONS the methods of the handler that was registered first. And a path of one method whose other
methods are those of an id (`literals`, as of the shell) is two routes there.
"""

from collections.abc import Mapping

from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.types import BeforeMessageSendHookHandler, Message, Scope

from service.platform.http.shell import canonical

_NOT_ALLOWED = 405


def allowing(literals: Mapping[str, str]) -> BeforeMessageSendHookHandler:
    """Make the hook that completes `Allow` in answers to OPTIONS and to methods that a path doesn't take."""

    async def complete(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start" or scope["type"] != "http":
            return
        headers = dict(message["headers"])
        if b"allow" not in headers or (scope["method"] != "OPTIONS" and message["status"] != _NOT_ALLOWED):
            return
        methods = set(headers[b"allow"].decode().split(", "))
        if "path_template" in scope:  # absent where no handler was found: then the framework's list is whole
            methods |= _of_route(scope["litestar_app"], scope["path_template"])
        methods |= {method for path, method in literals.items() if path == canonical(scope["raw_path"])}
        message["headers"] = [*(headers | {b"allow": ", ".join(sorted(methods)).encode()}).items()]

    return complete


def _of_route(app: Litestar, path: str) -> set[str]:
    return {
        str(method)
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path_format == path
        for method in route.methods
    }
