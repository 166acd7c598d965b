"""Calls that name a code: whoever guesses at codes is told to wait."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from service.kernel.errors import NotFound
from service.platform.authentication import caller_address
from service.platform.http.request import ApiRequest
from service.platform.rate_limits import WrongCodes


@asynccontextmanager
async def counting_wrong_codes(request: ApiRequest) -> AsyncGenerator[None]:
    """Limit how often a key, and the keys of a program from one address, may ask for codes that there are not.

    A code that is found costs nothing, and Redis isn't asked; NotFound says that there is none, and says nothing else
    within. Who has guessed too often is refused before the work begins, whatever the code. Raises TooManyRequests.
    """
    check_guesses(request)
    try:
        yield
    except NotFound:
        await count_guesses(request, 1)
        raise


def check_guesses(request: ApiRequest) -> None:
    """Refuse who was told to wait for having guessed too often. Raises TooManyRequests."""
    actor, address = request.actor, caller_address(request.scope)
    request.part(WrongCodes).check(key_id=actor.key_id, program_id=actor.program_id, address=address)


async def count_guesses(request: ApiRequest, wrong: int) -> None:
    """Count so many codes that there are not. Raises TooManyRequests where these are too many."""
    actor, address = request.actor, caller_address(request.scope)
    for _ in range(wrong):
        await request.part(WrongCodes).count(key_id=actor.key_id, program_id=actor.program_id, address=address)
