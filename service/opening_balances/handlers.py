"""`/v1/opening-balances`: what customers bring from elsewhere, in bulk."""

import random
from typing import Final

import msgspec
from litestar import Response, Router, post
from litestar.params import JSONBody

from service.kernel.errors import Invalid
from service.opening_balances import usecases
from service.opening_balances.rules import OpeningBalance
from service.opening_balances.schemas import OpeningBalancesIn, OpeningBalancesOut, entry_out
from service.opening_balances.usecases import OPENING_BALANCES, BalanceDraft
from service.platform.http.body import decode
from service.platform.http.commanding import REPLAYED
from service.platform.http.operation import DRY_RUN, IDEMPOTENCY_KEY, operation
from service.platform.http.request import ApiRequest
from service.platform.roles import Right
from service.points.bulk import BULK_BYTES, report_each

MOST_LOTS_AT_ONCE: Final = 5_000
"""In one call: they are one transaction, which must end long before callers give up."""


@post(
    "/opening-balances",
    operation_id="reportOpeningBalances",
    status_code=200,
    request_max_body_size=BULK_BYTES,
    opt=operation(Right.IMPORT_BALANCES, parameters=(DRY_RUN, IDEMPOTENCY_KEY)),
)
async def report_opening_balances(
    request: ApiRequest, data: JSONBody[OpeningBalancesIn]
) -> Response[OpeningBalancesOut]:
    """Report up to 500 opening balances, with 5,000 lots; each is booked once or refused on its own."""
    left = MOST_LOTS_AT_ONCE

    def draft(raw: msgspec.Raw) -> BalanceDraft:
        nonlocal left
        made = usecases.draft(decode(raw, OpeningBalance), randomness=random.getrandbits(62))
        left -= len(made.content.lots)
        if left < 0:
            detail = f"One call takes up to {MOST_LOTS_AT_ONCE} lots: report this balance in another one."
            raise Invalid(detail, pointer="/lots", reason="out_of_range")
        return made

    ended = await report_each(request, "reportOpeningBalances", data.balances, OPENING_BALANCES, draft)
    entries = [entry_out(fate, accepted) for fate, accepted in ended.entries]
    return Response(OpeningBalancesOut(entries), headers=REPLAYED if ended.replayed else None)


router = Router("/", route_handlers=[report_opening_balances], tags=["Adjustments"])
