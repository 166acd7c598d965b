"""What stories share."""

from collections.abc import AsyncGenerator

import aiohttp
import pytest

from tests.conftest import Servers
from tests.stories.surprised import BEGINS, NO_POINTS, Story
from tests.stories.wall_clock import shop_with_clock


@pytest.fixture
async def story(servers: Servers, client: aiohttp.ClientSession) -> AsyncGenerator[Story]:
    """Begin on the first of December 2030."""
    async with shop_with_clock(servers, client, BEGINS, time_zone="Europe/Berlin", **NO_POINTS) as (shop, clock):
        yield Story(shop, clock)
