"""What a customer has to bring others with, and is known by: `/v1/customers/{id}/referral`, `.../marks`."""

import random
from typing import Any, Final

import msgspec
from litestar import Response, Router, get, post, put
from litestar.params import FromPath, JSONBody

from service.kernel.errors import NotFound
from service.platform.database import Database
from service.platform.http.commanding import REPLAYED, run_once
from service.platform.http.operation import COMMAND_KEY, DRY_RUN, operation
from service.platform.http.request import ApiRequest, caller_id, flag
from service.platform.roles import Right
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs.catalogue import program_of
from service.referrals import usecases
from service.referrals.codes import usecases as codes
from service.referrals.codes.schemas import (
    CodeOut,
    CodeToClose,
    CustomerReferralOut,
    KeptCode,
    NewCode,
)
from service.referrals.codes.showing import code_bits, show
from service.referrals.rules import CodeTaken
from service.referrals.schemas import Marks, MarksOut, marks_of

_RANDOM: Final = NewCode()
_OWN: Final = CodeToClose()


@get("/referral", operation_id="getCustomerReferral", opt=operation(Right.READ_CUSTOMER_REFERRALS))
async def get_referral(request: ApiRequest, customer_id: FromPath[str]) -> CustomerReferralOut:
    """Read what a customer can bring others with, and what became of it. Codes are made when they are asked for first.

    Nobody whom the customer brought is named.
    """
    return await show(request.part(Database), program=program_of(request), customer_id=caller_id(customer_id))


@post(
    "/referral/code",
    operation_id="replaceReferralCode",
    opt=operation(
        Right.MANAGE_REFERRAL_CODES,
        parameters=(DRY_RUN, COMMAND_KEY),
        refusals=(CodeTaken,),
        statuses=(200, 201),
    ),
)
async def replace_code(
    request: ApiRequest, customer_id: FromPath[str], data: JSONBody[NewCode] = _RANDOM
) -> Response[CodeOut]:
    """Close a customer's code and make another one: random, or the one that is told. The body may be empty.

    A code that the customer had before can be given back; that of anybody else is taken for ever.
    """
    named, program, dry_run = caller_id(customer_id), program_of(request), flag(request, "dry_run")
    shown = list[str | None]()

    async def work(db: Db) -> tuple[int, Any]:
        made, is_new = await codes.replace(
            db,
            program=program,
            customer_id=named,
            offer=data.offer,
            wanted=data.code,
            code_bits=code_bits,
            entropy=random.getrandbits(62),
        )
        shown[:] = [None if dry_run and data.code is None else made.code]
        return 201 if is_new else 200, msgspec.to_builtins(KeptCode(made.id, made.offer, made.is_vanity))

    answered = await run_once(request, f"replaceReferralCode {named}", data, work)
    kept = msgspec.convert(answered.answer, KeptCode)
    if not shown and kept.code_id is not None:
        async with request.part(Database).reading() as db:
            shown = [await usecases.read_code(db, program_id=program.id, code_id=kept.code_id)]
    content = CodeOut(named, kept.offer, shown[0], kept.vanity)
    return Response(content, status_code=answered.status, headers=REPLAYED if answered.replayed else None)


@post(
    "/referral/code/close",
    operation_id="closeReferralCode",
    status_code=200,
    opt=operation(Right.MANAGE_REFERRAL_CODES, parameters=(DRY_RUN, COMMAND_KEY)),
)
async def close_code(
    request: ApiRequest, customer_id: FromPath[str], data: JSONBody[CodeToClose] = _OWN
) -> Response[CodeOut]:
    """Close a customer's code without another one: nobody can be claimed with it any more. The body may be empty."""
    named, program = caller_id(customer_id), program_of(request)

    async def work(db: Db) -> tuple[int, Any]:
        await codes.close(
            db,
            program=program,
            customer_id=named,
            offer=data.offer,
            code_bits=code_bits,
            entropy=random.getrandbits(62),
        )
        return 200, msgspec.to_builtins(KeptCode(None, data.offer, vanity=False))

    answered = await run_once(request, f"closeReferralCode {named}", data, work)
    return Response(CodeOut(named, data.offer, None, vanity=False), headers=REPLAYED if answered.replayed else None)


@put(
    "/marks",
    operation_id="putMarks",
    opt=operation(Right.CLAIM_REFERRALS, parameters=(DRY_RUN,), refusals=(NotFound,)),
)
async def put_marks(request: ApiRequest, customer_id: FromPath[str], data: JSONBody[Marks]) -> MarksOut:
    """Tell by what a customer is known, to find out who refers himself. Those of before stay, the newest 20 of a kind.

    Only keyed hashes of them are kept.
    """
    named, program = caller_id(customer_id), program_of(request)

    async def work(db: Db) -> dict[str, int]:
        return await usecases.put_marks(db, program_id=program.id, customer_id=named, marks=marks_of(data))

    kept = await transact(request.part(Database).connection, work, rollback=flag(request, "dry_run"))
    return MarksOut(named, **{kind: kept.get(kind, 0) for kind in ("payment", "device", "address")})


router = Router(
    "/customers/{customer_id:str}",
    route_handlers=[get_referral, replace_code, close_code, put_marks],
    tags=["Referrals"],
)
