"""How an import is shown while it runs, on standard error: a bar to people, else a line every so often."""

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from service.platform.importing.table import Tally

SECONDS_BETWEEN_LINES: Final = 10.0


def counted(tally: Tally, *, dry_run: bool = False) -> str:
    """Tell what became of the lines so far: `1,200 booked, 300 there already, 2 bad`."""
    booked = "would be booked" if dry_run else "booked"
    return f"{tally.booked:,} {booked}, {tally.known:,} there already, {tally.bad:,} bad"


class ImportProgress:
    """Shows a tally while the import of a file goes on; a context manager."""

    def __init__(self, tally: Tally, file: Path, *, dry_run: bool = False) -> None:
        self._tally = tally
        self._size = file.stat().st_size or None  # a pipe has no size: nobody knows how much will come
        self._dry_run = dry_run
        self._next_line_at = time.monotonic() + SECONDS_BETWEEN_LINES
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        """Begin to show."""
        console = Console(stderr=True)
        if sys.stderr.isatty() and console.is_interactive:
            columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task(self._counted(), total=self._size)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        if self._bar is not None:
            self._bar.stop()

    def went_on(self) -> None:
        """Show the tally as it is now."""
        if self._bar is not None:
            self._bar.update(self._task, completed=self._tally.bytes_read, description=self._counted())
        elif time.monotonic() >= self._next_line_at:
            self._next_line_at = time.monotonic() + SECONDS_BETWEEN_LINES
            percent = f"{self._tally.bytes_read * 100 // self._size} %: " if self._size else ""
            click.echo(f"{percent}{self._counted()}", err=True)

    def _counted(self) -> str:
        return counted(self._tally, dry_run=self._dry_run)
