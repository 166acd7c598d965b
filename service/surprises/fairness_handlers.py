"""`/v1/campaigns/{id}/fairness`."""

from typing import Final
from uuid import UUID

from litestar import Router, get
from litestar.params import FromPath

from service.kernel.errors import Invalid
from service.platform.database import Database
from service.platform.http.operation import CURSOR, LIMIT, operation
from service.platform.http.paging import cursor_of, cursor_to, limit_of
from service.platform.http.request import ApiRequest, caller_id
from service.platform.roles import Right
from service.surprises import fairness
from service.surprises.fairness import Place
from service.surprises.fairness_schemas import FairnessOut, fairness_out

_ID_BYTES: Final = 16
_DRAW: Final = b"d"
_SIDE: Final = b"s"
_GREATEST_CUSTOMER: Final = 2**63 - 1


@get(
    "/{campaign_id:str}/fairness",
    operation_id="getFairness",
    opt=operation(Right.READ_FAIRNESS, parameters=(LIMIT, CURSOR)),
)
async def get_fairness(request: ApiRequest, campaign_id: FromPath[str]) -> FairnessOut:
    """Read how the draws of a campaign came about, to recompute each of them once its key is out."""
    limit, place = limit_of(request), _place(cursor_of(request, 1 + _ID_BYTES))
    async with request.part(Database).reading() as db:
        found = await fairness.read(
            db, program_id=request.actor.program_id, wire_id=caller_id(campaign_id), place=place, limit=limit
        )
    return fairness_out(found, None if found.following is None else _cursor(found.following))


def _cursor(place: Place) -> str:
    if place.customer is None:
        return cursor_to(_DRAW + place.draw.bytes)
    return cursor_to(_SIDE + place.customer.to_bytes(_ID_BYTES))


def _place(cursor: bytes | None) -> Place:
    """Read where a page begins. Raises Invalid."""
    if cursor is None:
        return Place()
    kind, where = cursor[:1], cursor[1:]
    if kind == _DRAW:
        return Place(UUID(bytes=where))
    customer = int.from_bytes(where)
    if kind != _SIDE or customer > _GREATEST_CUSTOMER:
        detail = "This cursor is not one that a list of this kind gave."
        raise Invalid(detail, pointer="?cursor", reason="invalid_format")
    return Place(customer=customer)


router = Router("/campaigns", route_handlers=[get_fairness], tags=["Campaigns"])
