"""What a route tells of itself beyond its types: the right it asks for, its parameters, refusals and links.

Authentication reads the right; the OpenAPI document is made from all of it. Numbers and traces name it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from service.kernel.errors import Refusal
from service.platform.http.paging import DEFAULT_LIMIT, GREATEST_LIMIT
from service.platform.roles import Right


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the query or a header."""

    name: str
    where: Literal["query", "header"]
    description: str
    schema: Mapping[str, Any]
    required: bool = False


DAY: Final[dict[str, Any]] = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
"""The schema of a day in a query: 2026-11-25."""
LIMIT: Final = Parameter(
    "limit",
    "query",
    "How many to give at most.",
    {"type": "integer", "minimum": 1, "maximum": GREATEST_LIMIT, "default": DEFAULT_LIMIT},
)
CURSOR: Final = Parameter(
    "cursor", "query", "`next_cursor` of the page before.", {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}
)
DRY_RUN: Final = Parameter(
    "dry_run", "query", "Answer what would be, with 200, and store nothing.", {"type": "boolean", "default": False}
)
IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key",
    "header",
    "Repeats of the call with this key repeat its answer and do nothing.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
)
COMMAND_KEY: Final = Parameter(
    IDEMPOTENCY_KEY.name,
    IDEMPOTENCY_KEY.where,
    f"{IDEMPOTENCY_KEY.description} Only a dry run can do without.",
    IDEMPOTENCY_KEY.schema,
)
REQUIRED_KEY: Final = Parameter(
    IDEMPOTENCY_KEY.name, IDEMPOTENCY_KEY.where, IDEMPOTENCY_KEY.description, IDEMPOTENCY_KEY.schema, required=True
)
"""The key of a command that has no dry run."""


@dataclass(frozen=True, slots=True)
class Link:
    """An operation that takes a value of this one's answer: `parameter` from `source`, a runtime expression."""

    operation_id: str
    parameter: str
    source: str


@dataclass(frozen=True, slots=True)
class Told:
    """All that a route tells of itself. `right` None: customers call it, each with a token of the own."""

    right: Right | None
    parameters: Sequence[Parameter]
    refusals: Sequence[type[Refusal]]
    links: Sequence[Link]
    statuses: Sequence[int]
    fact: bool
    lines: Sequence[type[Any]]

    @property
    def takes_key(self) -> bool:
        """Whether it takes an `Idempotency-Key`."""
        return any(parameter.name == IDEMPOTENCY_KEY.name for parameter in self.parameters)


def operation(
    right: Right | None,
    *,
    parameters: Sequence[Parameter] = (),
    refusals: Sequence[type[Refusal]] = (),
    links: Sequence[Link] = (),
    statuses: Sequence[int] = (),
    fact: bool = False,
    lines: Sequence[type[Any]] = (),
) -> dict[str, Any]:
    """Make the `opt` of a route; a `right` of None is for routes that customers call with their tokens.

    `statuses` are those of success, where there are several. A `fact` is known again by its own id: a repetition is
    answered with 200. A command is known again by the `Idempotency-Key` among its parameters: the status is repeated.
    With `lines` it answers in lines of these types, too, for who asks for `application/x-ndjson`.
    """
    return {"right": right, "told": Told(right, parameters, refusals, links, statuses, fact, lines)}


def operation_of(scope: Mapping[str, Any]) -> str:
    """Name the operation that the framework found for a request: its id, else its path's template, else `unknown`."""
    handler: Any = scope.get("route_handler")
    name = handler and (handler.operation_id or scope.get("path_template"))
    return name if isinstance(name, str) else "unknown"
