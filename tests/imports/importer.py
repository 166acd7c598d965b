"""The command as an operator runs it, on a table that a test wrote."""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from service.__main__ import loyalty
from service.platform.settings import CHECKOUT, Settings

ORDERS = (
    "--column",
    "id=order",
    "--column",
    "customer_id=customer",
    "--column",
    "total=amount",
    "--column",
    "occurred_at=date",
    "--value",
    "currency=EUR",
    "--decimal",
)
"""How a table with the columns of `HEADER` is read."""
HEADER = "order,customer,amount,date"


def orders(numbers: range) -> list[str]:
    """Make lines of 5 customers who pay 1.00."""
    return [f"o-{number},c-{number % 5},1.00,2026-01-02T10:00:00Z" for number in numbers]


@dataclass(frozen=True)
class Ended:
    """How the command ended: its exit status, standard output and standard error."""

    status: int
    said: str
    complained: str

    @property
    def bad_lines(self) -> list[str]:
        """The lines that it told as bad."""
        return [line for line in self.complained.splitlines() if line.startswith("line")]


@dataclass(frozen=True)
class Importer:
    """The command, on one database and program, with a folder for tables."""

    settings: Settings
    program: str
    folder: Path
    what: str = "purchases"

    @property
    def environment(self) -> dict[str, str | None]:
        """What tells the command its database."""
        return {"DATABASE_URL": self.settings.database_url, "DATABASE_OWNER_URL": self.settings.database_owner_url}

    def table(self, *lines: str, header: str = HEADER) -> Path:
        """Write a table."""
        return self.file("\n".join([header, *lines, ""]).encode())

    def file(self, content: bytes) -> Path:
        """Write a file."""
        path = self.folder / "orders.csv"
        path.write_bytes(content)
        return path

    async def run(self, path: Path, *options: str) -> Ended:
        """Run the command to its end. It has an event loop of its own, and so a thread."""
        return await self.run_command(("import", self.what), path, *options)

    async def run_command(self, command: Sequence[str], path: Path, *options: str) -> Ended:
        """Run another command that takes a file to its end; what the options say counts, also of the program."""
        arguments = [*command, str(path), "--program", self.program, *options]
        result = await asyncio.to_thread(CliRunner().invoke, loyalty, arguments, env=self.environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    async def start(
        self, path: Path, *options: str, stderr: int = asyncio.subprocess.PIPE
    ) -> asyncio.subprocess.Process:
        """Start the command as a process of its own."""
        told = {**os.environ, **self.environment, "TERM": "xterm"}
        environment = {name: value for name, value in told.items() if value is not None}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service",
            "import",
            self.what,
            str(path),
            "--program",
            self.program,
            *options,
            cwd=CHECKOUT,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
