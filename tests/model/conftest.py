"""The service that the model is held against."""

from collections.abc import AsyncGenerator

import pytest

from tests.conftest import Servers
from tests.model.stand import Stand, standing


@pytest.fixture(scope="module")
async def stand(servers: Servers) -> AsyncGenerator[Stand]:
    """Give a program of a running service, on a database of its own."""
    async with standing(servers) as made:
        yield made
