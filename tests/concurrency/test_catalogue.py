"""What a process knows of programs and keys, while somebody else changes them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.platform.authentication import hash_of_key
from service.platform.database import Database
from service.platform.roles import Role
from service.programs import store
from service.programs.catalogue import Catalogue
from tests.conftest import NewShop
from tests.shop import Shop


@pytest.mark.parametrize("read", ["all_programs", "valid_keys"])
async def test_a_key_that_is_known_has_a_program_that_is_known(
    database: Database, new_shop: NewShop, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    """A program with its keys is made between the two reads of one look: before or behind whichever comes first."""
    made: list[Shop] = []
    reads: Callable[..., Awaitable[Any]] = getattr(store, read)

    async def and_make(*arguments: Any) -> Any:
        found = await reads(*arguments)
        if not made:
            made.append(await new_shop())
        return found

    monkeypatch.setattr(store, read, and_make)
    catalogue = Catalogue(database)
    await catalogue.refresh()
    monkeypatch.undo()
    key_hash = hash_of_key(made[0].keys[Role.CHECKOUT])
    actor = await catalogue.find(key_hash)
    assert actor is not None
    assert catalogue.program(actor.program_id).id == made[0].program.id
