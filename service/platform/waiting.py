"""Waiting, and not for ever."""

import asyncio
from contextlib import suppress


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long; it isn't told which of the two came first."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
