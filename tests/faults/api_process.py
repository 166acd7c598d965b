"""The API as a process of its own, as `loyalty serve` runs it."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

import aiohttp

from service.platform.settings import CHECKOUT, Settings
from tests.ports import free_port

STARTS_WITHIN = 30.0
"""Seconds."""


@dataclass
class ApiProcess:
    """A running API."""

    address: str
    process: asyncio.subprocess.Process

    @property
    def workers(self) -> set[int]:
        """The processes that serve for it, where they are several."""
        found = set[int]()
        for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii").split():
            with suppress(OSError):  # one that was killed may be gone by now
                # The first child of Python's multiprocessing only tidies up behind the others.
                if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.add(int(child))
        return found

    async def kill(self) -> None:
        """End it as nothing can be ended more suddenly."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def api_process(
    settings: Settings,
    *arguments: str,
    variables: Mapping[str, str] = MappingProxyType({}),
    log: int | IO[bytes] = asyncio.subprocess.DEVNULL,
    until_ready: bool = True,
) -> AsyncGenerator[ApiProcess]:
    """Run an API process, with arguments and variables of the environment; at the end it is told to stop, and must."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "LOYALTY_PORT": str(port),
        "LOYALTY_POOLED": settings.pooled.value,
        **variables,
    }
    if settings.database_owner_url is not None:
        environment["DATABASE_OWNER_URL"] = settings.database_owner_url
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        "serve",
        *arguments,
        cwd=CHECKOUT,
        env=environment,
        stderr=log,
    )
    running = ApiProcess(f"http://127.0.0.1:{port}", process)
    try:
        if until_ready:
            await _wait_until_ready(running)
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(25):
            await process.wait()


async def _wait_until_ready(running: ApiProcess) -> None:
    async with asyncio.timeout(STARTS_WITHIN), aiohttp.ClientSession() as client:
        while True:
            assert running.process.returncode is None, "the API didn't start"
            try:
                async with client.get(f"{running.address}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.02)
