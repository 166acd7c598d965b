"""A data folder for each test, and ways to ask the servers in it."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGKILL
from subprocess import PIPE, Popen
from typing import TypeAlias

import asyncpg
import pytest

from service.platform.embedded import EmbeddedServers
from service.platform.embedded.account import server_account, temporary_places

CHECKOUT = Path(__file__).resolve().parents[2]
Query: TypeAlias = Callable[[str | None, str], object]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a data folder where the servers' user can go too, unlike pytest's own for root."""
    place = temporary_places(server_account(Path("/nowhere")))[0]
    made = Path(tempfile.mkdtemp(prefix="loyalty-test-", dir=place))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def reports() -> list[str]:
    """Collect what the servers tell the person who started them."""
    return []


@pytest.fixture
def servers(folder: Path, reports: list[str]) -> Iterator[EmbeddedServers]:
    """Durable servers on `folder`, not started; stopped afterwards if the test has left them running."""
    made = EmbeddedServers(folder, reports.append)
    yield made
    made.stop()


@pytest.fixture
def query() -> Query:
    """Run one statement at an address, on a loop of its own, and return its value."""

    async def ask(address: str, statement: str) -> object:
        connection = await asyncpg.connect(address, timeout=10)
        try:
            value: object = await connection.fetchval(statement)
            return value
        finally:
            await connection.close()

    def run(address: str | None, statement: str) -> object:
        assert address is not None
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(ask(address, statement))).result()

    return run


@pytest.fixture
def start_parent(folder: Path) -> Iterator[Callable[[str], "Popen[str]"]]:
    """Start a Python program with the import path of the checkout; `FOLDER` in it is the data folder."""
    started: list[Popen[str]] = []

    def start(program: str) -> "Popen[str]":
        text = f"from pathlib import Path\nFOLDER = Path({str(folder)!r})\n{program}"
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        process = Popen([sys.executable, "-c", text], stdout=PIPE, text=True, env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.send_signal(SIGKILL)
        process.communicate()
