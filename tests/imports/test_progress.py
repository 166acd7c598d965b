"""How an import is shown while it runs."""

import asyncio
import os
import pty
import re

import pytest

from service.platform.importing import progress
from service.platform.importing.table import BATCH
from tests.imports.importer import ORDERS, Importer, orders


async def test_elsewhere_than_on_a_terminal_a_line_tells_every_so_often(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    ended = await importer.run(importer.table("bad", *orders(range(2 * BATCH - 1))), *ORDERS)
    assert re.sub(r"\d+ %", "N %", ended.complained).splitlines() == [
        "line 2: The line has 1 columns, and column 4 is needed.",
        f"N %: {BATCH - 1} booked, 0 there already, 1 bad",
        f"N %: {2 * BATCH - 1} booked, 0 there already, 1 bad",
    ]


async def test_a_short_import_says_nothing_in_between(importer: Importer) -> None:
    assert (await importer.run(importer.table(*orders(range(3))), *ORDERS)).complained == ""


async def test_on_a_terminal_a_bar_is_drawn_and_bad_lines_stand_above_it(importer: Importer) -> None:
    table = importer.table("bad", *orders(range(2 * BATCH)))
    ours, terminal = pty.openpty()
    running = await importer.start(table, *ORDERS, stderr=terminal)
    os.close(terminal)
    drawn, (said, _) = await asyncio.gather(asyncio.to_thread(read_all, ours), running.communicate())
    assert said.decode() == f"{2 * BATCH} booked, 0 there already, 1 bad.\n"
    assert "line 2: The line has 1 columns, and column 4 is needed." in drawn
    assert f"100% {2 * BATCH} booked" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)


def read_all(terminal: int) -> str:
    """Read what was drawn on a terminal that nobody draws on any more."""
    parts: list[bytes] = []
    try:
        while part := os.read(terminal, 65536):
            parts.append(part)
    except OSError:  # Linux tells the end so
        pass
    finally:
        os.close(terminal)
    return b"".join(parts).decode()
