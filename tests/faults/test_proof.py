"""Books that are broken are told with the test whose program it is, though they are proved once for a whole file."""

import pytest

from tests.conftest import prove
from tests.faults.conftest import ShopAlone


async def test_whoever_broke_the_books_is_named(alone: ShopAlone) -> None:
    assert (await alone.shop.buy()).status == 201
    makers = {alone.shop.program.id: "test_that_buys", alone.shop.program.id + 1: "test_of_another_program"}
    await prove(alone.database, makers)
    await alone.owner.execute("UPDATE customer SET available = available + 1")
    with pytest.raises(AssertionError, match=r"broken by \['test_that_buys'\]"):
        await prove(alone.database, makers)
