"""`/v1/earning-rules/simulate`."""

from collections.abc import AsyncGenerator
from typing import Final, cast

import msgspec
from litestar import Response, Router, post
from litestar.params import JSONBody
from litestar.response import Stream

from service.kernel.errors import Refusal
from service.platform.http.operation import DRY_RUN, operation
from service.platform.http.problems import Problem, of_refusal, request_id_of, unavailable
from service.platform.http.request import ApiRequest, flag
from service.platform.roles import Right
from service.programs.catalogue import program_of
from service.purchases.simulating import Simulated, Trial
from service.purchases.simulations import Running, SimulationRunning, Simulations

LINES: Final = "application/x-ndjson"
_SECONDS_BETWEEN_LINES: Final = 0.5


class SimulationProgress(msgspec.Struct, frozen=True):
    """How many of the period's purchases are done."""

    done: int
    of: int


class SimulationResult(msgspec.Struct, frozen=True):
    """The last line of a simulation that came to its end."""

    result: Simulated


class SimulationFailed(msgspec.Struct, frozen=True):
    """The last line of one that didn't."""

    problem: Problem


@post(
    "/",
    operation_id="simulateEarningRules",
    status_code=200,
    opt=operation(
        Right.MANAGE_RULES,
        parameters=(DRY_RUN,),
        refusals=(SimulationRunning,),
        lines=(SimulationProgress, SimulationResult, SimulationFailed),
    ),
)
async def simulate(request: ApiRequest, data: JSONBody[Trial]) -> Response[Simulated]:
    """Try rules on the purchases of a period: what they would have given, to whom, and what it would have cost.

    Nothing is booked. With `Accept: application/x-ndjson` the answer is lines: `{"done": 4000, "of": 100000}` twice a
    second, in the end `{"result": {...}}` or `{"problem": {...}}`.
    """
    flag(request, "dry_run")  # as on all that could be taken for a write: it is one anyway
    running = request.part(Simulations).begin(program_of(request), data)
    if not _wants_lines(request):
        return Response(await running.task, status_code=200)
    await running.begun()
    lines = Stream(_lines(running, request_id_of(request.scope)), media_type=LINES, status_code=200)
    return cast("Response[Simulated]", lines)


def _wants_lines(request: ApiRequest) -> bool:
    accepted = request.headers.get("accept", "").lower().split(",")
    return any(each.partition(";")[0].strip() == LINES for each in accepted)


async def _lines(running: Running, request_id: str) -> AsyncGenerator[bytes]:
    """Tell how far it is until it has ended. Who leaves ends it."""
    try:
        while not await running.wait(_SECONDS_BETWEEN_LINES):
            yield _line(SimulationProgress(running.done, running.of))
        try:
            last: SimulationResult | SimulationFailed = SimulationResult(running.task.result())
        except Refusal as refusal:
            last = SimulationFailed(of_refusal(refusal, request_id))
        except Exception as fault:  # noqa: BLE001 - the status is sent already
            problem, _ = unavailable(fault, request_id)
            last = SimulationFailed(problem)
        yield _line(last)
    finally:
        running.task.cancel()


def _line(content: SimulationProgress | SimulationResult | SimulationFailed) -> bytes:
    return msgspec.json.encode(content) + b"\n"


router = Router("/earning-rules/simulate", route_handlers=[simulate], tags=["Earning rules"])
