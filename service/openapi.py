"""The OpenAPI document, made from the routes and the very structs that decode and encode.

The framework's own generator is not used: it doesn't know strict decoding, problems, rights, links and examples.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args, get_origin

from litestar import Litestar, MediaType, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from msgspec.structs import fields

from service.app import Parts, framework_app
from service.kernel.errors import Kind
from service.news import KINDS
from service.openapi_components import as_change, components, key_of, reference
from service.openapi_paths import IN_PATH
from service.openapi_webhooks import shapes, webhooks
from service.opening_balances.rules import OpeningBalance
from service.platform.http.operation import Told
from service.platform.http.problems import STATUS, Problem
from service.platform.roles import RIGHTS
from service.platform.settings import CHECKOUT, Settings
from service.programs.rules import ProgramSettings
from service.purchases.rules import Purchase

EXAMPLES: Final = CHECKOUT / "openapi" / "examples.json"
_INTRODUCTION: Final = """Points for purchases and activities, booked once and for ever.

Facts (purchases, refunds, activities) carry the caller's own id and are safe to repeat for ever: a new one is answered
with 201, the same content again with 200, the first answer and `Idempotent-Replayed: true`, other content under the id
with 409. Every refusal is an RFC 9457 problem. Each key has a rate limit, told by `RateLimit-Policy` and `RateLimit`;
over it calls are refused with 429 and `Retry-After`, and a bulk call counts once. 503 means that the outcome is
unknown: repeat the same call."""
_REASONS: Final[Mapping[int, str]] = {
    400: "The body, the path or a header can't be decoded.",
    401: "No key, or none that is valid.",
    403: "The key's role may not do this.",
    404: "Unknown, or another program's.",
    409: "Against the state of things.",
    410: "It is of a customer who was erased.",
    413: "The body is too large.",
    415: "The body is no plain application/json.",
    422: "The content can't be accepted; `errors` points to the fields.",
    429: "More requests than the key's limit lets through, or too many without a valid key from this address.",
    503: "The outcome is unknown; repeat the same call after `Retry-After` seconds.",
}
_TO_CUSTOMERS: Final[Mapping[int, str]] = {
    **_REASONS,
    401: "No token, or none that is valid.",
    403: "The program, or this token, doesn't let customers do this.",
    404: "The customer is unknown, or what the call names.",
    429: "More requests than a customer's limit lets through, or too many without a valid token from this address.",
}
_KNOWN: Final = 200
_OF_STATUS: Final[Mapping[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_OF_LIMIT: Final = ("RateLimit-Policy", "RateLimit")
"""On all answers to who has a valid key."""
_TAGS: Final = (
    "Purchases",
    "Activities",
    "Invoices",
    "Points",
    "Adjustments",
    "Redemptions",
    "Rewards",
    "Vouchers",
    "Earning rules",
    "Activity types",
    "Tiers",
    "Referrals",
    "Referral offers",
    "Campaigns",
    "Games",
    "Surprises",
    "Customers",
    "Portal",
    "Me",
    "Events",
    "Webhooks",
    "Program",
    "Health",
)
_HEADERS: Final[Mapping[str, Any]] = {
    "Request-Id": {
        "required": True,
        "description": "Names this call, for support.",
        "schema": {"type": "string", "pattern": "^req_[0-9a-f]{32}$"},
    },
    "Idempotent-Replayed": {
        "description": "`true` on the first answer given again, else absent.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {"required": True, "description": "`Bearer`.", "schema": {"type": "string"}},
    "Retry-After": {
        "required": True,
        "description": "Seconds after which the same call may be repeated.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Policy": {
        "description": "The key's limit: `q` requests in `w` seconds (draft-ietf-httpapi-ratelimit-headers-10).",
        "schema": {"type": "string"},
        "example": '"default";q=2000;w=2',
    },
    "RateLimit": {
        "description": "What is left of it: `r` requests for the next `t` seconds. An estimate, some 100 ms old.",
        "schema": {"type": "string"},
        "example": '"default";r=1999;t=1',
    },
    "Retry-After-If-In-Flight": {
        "description": "Seconds after which to repeat the call whose first is under way; absent for other conflicts.",
        "schema": {"type": "integer", "minimum": 0},
    },
}


def render() -> str:
    """Write the document as JSON text."""
    parts = Parts(Settings.model_validate({"DATABASE_URL": "postgresql://unused"}))
    return json.dumps(document(framework_app(parts)), indent=2, ensure_ascii=False) + "\n"


def document(app: Litestar) -> dict[str, Any]:
    """Make the document of an application's routes."""
    operations = sorted(_operations(app), key=lambda each: (each[0], each[1]))
    sent = [handler.parsed_data_field.annotation for _, _, handler in operations if handler.parsed_data_field]
    sent += [Purchase, OpeningBalance, *(field.type for field in fields(ProgramSettings))]
    answered = [*(_answered(each) for _, _, each in operations), Problem, *shapes(KINDS)]
    answered += [line for _, _, each in operations for line in _lines(each)]
    references, schemas = components(sent, answered)
    # Some bodies are decoded in two steps, so that their types tell less than what they take.
    schemas["BatchIn"]["properties"]["purchases"]["items"] = references[key_of(Purchase)]
    schemas["OpeningBalancesIn"]["properties"]["balances"]["items"] = references[key_of(OpeningBalance)]
    change = "The settings to change. Each that is given is replaced whole, the others stay."
    schemas["SettingsChange"] = as_change(schemas["ProgramSettings"], "SettingsChange", change)
    schemas["ProgramChange"]["properties"]["settings"] = reference("SettingsChange")
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
        "webhooks": webhooks(KINDS, references),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "headers": _HEADERS,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "lk_live_... or lk_test_...",
                    "description": "An API key; it implies the program, and its role what it may do.",
                },
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of a customer: of `POST /v1/customers/{id}/portal-sessions`, or signed "
                    "by a partner with a key of `POST /v1/signing-keys` (Ed25519 or ES256; `kid` its id, `aud` its "
                    "audience, `sub` the customer's id, `exp` within an hour; `scope`: `read`, `redeem`, `play`, "
                    "blanks between).",
                },
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


def _answered(handler: HTTPRouteHandler) -> Any:  # noqa: ANN401 - a type of any kind
    annotation = handler.parsed_fn_signature.return_type.raw
    return get_args(annotation)[0] if get_origin(annotation) is Response else annotation


def _lines(handler: HTTPRouteHandler) -> Sequence[type[Any]]:
    told: Told | None = handler.opt.get("told")
    return told.lines if told else ()


def _content(handler: HTTPRouteHandler, references: Mapping[str, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    """Tell what an answer holds: JSON, but for the few operations that say otherwise."""
    if handler.media_type == MediaType.TEXT:
        return {"text/plain": {"schema": {"type": "string"}}}
    media: dict[str, Any] = {"schema": references[key_of(_answered(handler))]}
    if "response" in example:
        media["example"] = example["response"]
    made = {"application/json": media}
    if _lines(handler):
        # OpenAPI 3.1 has no word for a stream: the schema is that of each line.
        schema = {"description": "Of each line.", "anyOf": [references[key_of(line)] for line in _lines(handler)]}
        made["application/x-ndjson"] = {"schema": schema}
    return made


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
        media: dict[str, Any] = {"schema": references[key_of(handler.parsed_data_field.annotation)]}
        if "request" in example:
            media["example"] = example["request"]
        made["requestBody"] = {
            "required": not handler.parsed_data_field.has_default,
            "content": {"application/json": media},
        }
    if told is None:
        return made | {"security": []}
    if told.right is None:
        return made | {"description": "With a token of the customer.", "security": [{"token": []}]}
    roles = sorted(role.value for role, rights in RIGHTS.items() if told.right in rights)
    return made | {"description": f"Roles: {', '.join(roles)}.", "x-right": told.right.value, "x-roles": roles}


def _tags(handler: HTTPRouteHandler) -> list[str]:
    return sorted({tag for layer in handler.ownership_layers for tag in layer.tags or ()})


def _summary(handler: HTTPRouteHandler) -> str:
    return handler.summary or " ".join((handler.fn.__doc__ or "").split())


def _parameters(path: str, told: Told | None) -> list[dict[str, Any]]:
    in_path = [segment[1:-1] for segment in path.split("/") if segment.startswith("{")]
    found: list[dict[str, Any]] = [{"name": name, "in": "path", "required": True, **IN_PATH[name]} for name in in_path]
    return found + [
        {
            "name": parameter.name,
            "in": parameter.where,
            "required": parameter.required,
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }
        for parameter in (told.parameters if told else ())
    ]


def _responses(
    path: str, handler: HTTPRouteHandler, told: Told | None, references: Mapping[str, Any], example: Mapping[str, Any]
) -> dict[str, Any]:
    content = _content(handler, references, example)
    writes = "GET" not in handler.http_methods
    found: dict[str, Any] = {}
    for status in told.statuses if told and told.statuses else [handler.status_code]:
        meaning, headers = (
            _meaning(int(status), told) if writes else "What was asked for.",
            _headers(*(_OF_LIMIT if told else ())),
        )
        if told and (told.takes_key or (told.fact and status == _KNOWN)):
            headers |= _headers("Idempotent-Replayed")
        found[str(status)] = {"description": meaning, "headers": headers, "content": content}
        if told and told.links:
            found[str(status)]["links"] = {
                link.operation_id: {"operationId": link.operation_id, "parameters": {link.parameter: link.source}}
                for link in told.links
            }
    if told is None:
        if str(handler.operation_id) == "readiness":
            found["503"] = {**found["200"], "description": "It can't.", "headers": _headers("Retry-After")}
        return found
    reasons = _TO_CUSTOMERS if told.right is None else _REASONS
    for status, codes in _problems(path, handler, told).items():
        text = reasons[status] + (f" Codes: {', '.join(f'`{code}`' for code in codes)}." if codes else "")
        content = {"application/problem+json": {"schema": references[key_of(Problem)]}}
        limit = () if status == STATUS[Kind.UNAUTHENTICATED] else _OF_LIMIT
        headers = _headers(*_OF_STATUS.get(status, ()), *limit)
        if "idempotency_key_in_flight" in codes:
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After-If-In-Flight"}
        found[str(status)] = {"description": text, "headers": headers, "content": content}
    return dict(sorted(found.items()))


def _headers(*more: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("Request-Id", *more)}


def _meaning(status: int, told: Told | None) -> str:
    if status == _KNOWN:
        return "Done, or done before, or what a dry run would do."
    return "Made." if told is None or told.fact else "Made, now or, with `Idempotent-Replayed`, before."


def _problems(path: str, handler: HTTPRouteHandler, told: Told) -> dict[int, list[str]]:
    """Give the statuses of the problems that an operation may answer with, and the codes that are its own."""
    has_body, writes = handler.parsed_data_field is not None, "GET" not in handler.http_methods
    statuses = {401, 429, 503} | ({403} if told.right is not None else set[int]())
    if "{" in path or has_body or told.parameters:
        statuses |= {400}
    if "{" in path and "PUT" not in handler.http_methods:  # which makes what isn't there
        statuses |= {404}
    if has_body:
        statuses |= {413, 415, 422}
    if told.parameters:
        statuses |= {422}
    codes: dict[int, list[str]] = {status: [] for status in statuses}
    for refusal in told.refusals:
        codes.setdefault(STATUS[refusal.kind], []).append(refusal.code)
    if writes and told.takes_key:
        codes.setdefault(STATUS[Kind.CONFLICT], []).append("idempotency_key_in_flight")
        codes[422].append("idempotency_key_reused")
    return codes
