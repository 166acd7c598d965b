"""The OpenAPI document, made from the routes and the very structs that decode and encode.

The framework's own generator is not used: it doesn't know strict decoding, problems, rights, links and examples.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from service.app import Parts, framework_app
from service.kernel.errors import Kind
from service.kernel.ids import CALLER_ID_PATTERN
from service.platform.http.operation import Told
from service.platform.http.problems import STATUS, Problem
from service.platform.roles import RIGHTS
from service.platform.settings import CHECKOUT, Settings
from service.purchases.rules import Purchase

EXAMPLES: Final = CHECKOUT / "openapi" / "examples.json"
_INTRODUCTION: Final = """Points for purchases, booked once and for ever.

Facts (purchases) carry the caller's own id and are safe to repeat for ever: a new one is answered with 201, the same
content again with 200, the first answer and `Idempotent-Replayed: true`, other content under the id with 409. Every
refusal is an RFC 9457 problem. 503 means that the outcome is unknown: repeat the same call."""
_REASONS: Final[Mapping[int, str]] = {
    400: "The body, the path or a header can't be decoded.",
    401: "No key, or none that is valid.",
    403: "The key's role may not do this.",
    404: "Unknown, or another program's.",
    409: "Against the state of things.",
    413: "The body is too large.",
    415: "The body is no plain application/json.",
    422: "The content can't be accepted; `errors` points to the fields.",
    503: "The outcome is unknown; repeat the same call after `Retry-After` seconds.",
}
_TAGS: Final = ("Purchases", "Points", "Customers", "Program", "Health")
_CALLER_ID: Final = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": CALLER_ID_PATTERN}
_KEY_ID: Final = {"type": "string", "pattern": "^key_[0-9a-f]{32}$"}


def render() -> str:
    """Write the document as JSON text."""
    parts = Parts(Settings.model_validate({"DATABASE_URL": "postgresql://unused"}))
    return json.dumps(document(framework_app(parts)), indent=2, ensure_ascii=False) + "\n"


def document(app: Litestar) -> dict[str, Any]:
    """Make the document of an application's routes."""
    operations = sorted(_operations(app), key=lambda each: (each[0], each[1]))
    types = [kind for _, _, handler in operations for kind in _types(handler)]
    types += [Problem, Purchase]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    references = dict(zip(map(_key, types), schemas, strict=True))
    components["BatchIn"]["properties"]["purchases"]["items"] = references[_key(Purchase)]
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    paths: dict[str, Any] = {}
    for path, method, handler in operations:
        paths.setdefault(path, {})[method] = _operation(path, handler, references, examples)
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Loyalty", "version": "1", "description": _INTRODUCTION},
        "security": [{"key": []}],
        "tags": [{"name": name} for name in _TAGS],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "lk_live_... or lk_test_...",
                    "description": "An API key; it implies the program, and its role what it may do.",
                }
            },
        },
    }
    # Patterns guard against Python's `$`, which also matches before a final line feed; that of JSON Schema doesn't.
    return json.loads(json.dumps(made).replace("(?!\\\\n)", "").replace("(?!\\n)", ""))


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in sorted(set(handler.http_methods) - {"OPTIONS"}):
                    if handler.resolve_include_in_schema():
                        yield route.path_format, method.lower(), handler


def _types(handler: HTTPRouteHandler) -> list[Any]:
    sent = handler.parsed_data_field
    return [*([sent.annotation] if sent else []), _answered(handler)]


def _answered(handler: HTTPRouteHandler) -> Any:  # noqa: ANN401 - a type of any kind
    annotation = handler.parsed_fn_signature.return_type.raw
    return get_args(annotation)[0] if get_origin(annotation) is Response else annotation


def _key(kind: Any) -> str:  # noqa: ANN401 - a type of any kind
    return repr(kind)


def _operation(
    path: str, handler: HTTPRouteHandler, references: Mapping[str, Any], examples: Mapping[str, Any]
) -> dict[str, Any]:
    told: Told | None = handler.opt.get("told")
    name = str(handler.operation_id)
    example = examples.get(name, {})
    made: dict[str, Any] = {
        "operationId": name,
        "tags": _tags(handler),
        "summary": _summary(handler),
        "parameters": _parameters(path, told),
        "responses": _responses(path, handler, told, references, example),
    }
    if handler.parsed_data_field is not None:
        media: dict[str, Any] = {"schema": references[_key(handler.parsed_data_field.annotation)]}
        if "request" in example:
            media["example"] = example["request"]
        made["requestBody"] = {
            "required": not handler.parsed_data_field.has_default,
            "content": {"application/json": media},
        }
    if told is None:
        return made | {"security": []}
    roles = sorted(role.value for role, rights in RIGHTS.items() if told.right in rights)
    return made | {"description": f"Roles: {', '.join(roles)}.", "x-right": told.right.value, "x-roles": roles}


def _tags(handler: HTTPRouteHandler) -> list[str]:
    return sorted({tag for layer in handler.ownership_layers for tag in layer.tags or ()})


def _summary(handler: HTTPRouteHandler) -> str:
    return " ".join((handler.fn.__doc__ or "").split())


def _parameters(path: str, told: Told | None) -> list[dict[str, Any]]:
    in_path = [segment[1:-1] for segment in path.split("/") if segment.startswith("{")]
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _KEY_ID if name == "key_id" else _CALLER_ID}
        for name in in_path
    ]
    return found + [
        {
            "name": parameter.name,
            "in": parameter.where,
            "required": False,
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }
        for parameter in (told.parameters if told else ())
    ]


def _responses(
    path: str, handler: HTTPRouteHandler, told: Told | None, references: Mapping[str, Any], example: Mapping[str, Any]
) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": references[_key(_answered(handler))]}
    if "response" in example:
        media["example"] = example["response"]
    request_id = {"Request-Id": {"schema": {"type": "string"}, "description": "Names this call, for support."}}
    found: dict[str, Any] = {}
    for status in told.statuses if told and told.statuses else [handler.status_code]:
        meaning = {201: "Made.", 200: "Done, or done before."}[int(status)]
        found[str(status)] = {"description": meaning, "headers": request_id, "content": {"application/json": media}}
        if told and told.links:
            found[str(status)]["links"] = {
                link.operation_id: {"operationId": link.operation_id, "parameters": {link.parameter: link.source}}
                for link in told.links
            }
    if told is None:
        found |= {"503": {"description": "It can't.", "headers": request_id, "content": {"application/json": media}}}
        return found if str(handler.operation_id) == "readiness" else {"200": found["200"]}
    for status, codes in _problems(path, handler, told).items():
        text = _REASONS[status] + (f" Codes: {', '.join(f'`{code}`' for code in codes)}." if codes else "")
        content = {"application/problem+json": {"schema": references[_key(Problem)]}}
        found[str(status)] = {"description": text, "headers": request_id, "content": content}
    return dict(sorted(found.items()))


def _problems(path: str, handler: HTTPRouteHandler, told: Told) -> dict[int, list[str]]:
    """Give the statuses of the problems that an operation may answer with, and the codes that are its own."""
    has_body, writes = handler.parsed_data_field is not None, "GET" not in handler.http_methods
    statuses = {401, 403, 503}
    if "{" in path or has_body or told.parameters:
        statuses |= {400}
    if "{" in path:
        statuses |= {404}
    if has_body:
        statuses |= {413, 415, 422}
    if told.parameters:
        statuses |= {422}
    codes: dict[int, list[str]] = {status: [] for status in statuses}
    for refusal in told.refusals:
        codes.setdefault(STATUS[refusal.kind], []).append(refusal.code)
    if writes and any(parameter.name == "Idempotency-Key" for parameter in told.parameters):
        codes.setdefault(STATUS[Kind.CONFLICT], []).append("idempotency_key_in_flight")
        codes[422].append("idempotency_key_reused")
    return codes
