"""Makes a Postgres cluster in one step: whoever finds the folder finds a finished one."""

import os
import shutil
import subprocess
from pathlib import Path
from signal import SIGKILL

from service.platform.embedded.account import Account, bound_command
from service.platform.embedded.binaries import PostgresBinaries
from service.platform.embedded.errors import EmbeddedError
from service.platform.embedded.private_file import sync_folder

FIRST_WITH_BUILTIN_LOCALES = 17
HOST_RULES = "# Every role by password, over the socket alone.\nlocal all all scram-sha-256\n"
ROLES = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'loyalty_service') THEN
        CREATE ROLE loyalty_service NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'loyalty_owner') THEN
        CREATE ROLE loyalty_owner LOGIN CREATEROLE CREATEDB;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'loyalty_login') THEN
        CREATE ROLE loyalty_login LOGIN;
    END IF;
END $$;

GRANT loyalty_service TO loyalty_login;

GRANT loyalty_service TO loyalty_owner WITH ADMIN OPTION;

"""
DATABASE = "CREATE DATABASE loyalty OWNER loyalty_owner;\n\n"
ROLES_WITH_PASSWORD = ("postgres", "loyalty_owner", "loyalty_login")


def server_environment() -> dict[str, str]:
    """Return the environment of Postgres' programs: none of the PG* variables, messages in English, times in UTC."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


class Cluster:
    """The files of one Postgres server, at `path`, owned by `account`."""

    def __init__(self, path: Path, binaries: PostgresBinaries, account: Account) -> None:
        """Name the place, which `make` fills."""
        self.path = path
        self.binaries = binaries
        self.account = account

    def check_version(self) -> None:
        """Compare the cluster's major version with the binaries'.

        Raises:
            EmbeddedError: another major version of Postgres made the cluster.
        """
        made_by = (self.path / "PG_VERSION").read_text(encoding="ascii").strip()
        if made_by != str(self.binaries.major):
            found = f"the programs in {self.binaries.folder} are Postgres {self.binaries.major}"
            advice = f"let LOYALTY_POSTGRES_BIN name a Postgres {made_by}, or choose another data folder"
            message = f"{self.path} was made by Postgres {made_by} and {found}: {advice}."
            raise EmbeddedError(message)

    def make(self, passwords: dict[str, str], *, durable: bool) -> None:
        """Make the cluster with its database and roles, beside its place first; a part of an earlier try is removed.

        Raises:
            EmbeddedError: initdb or the server fails; the sentence holds what they said.
        """
        self._remove_drafts()
        draft = self.path.parent / f".{self.path.name}.new-{os.getpid()}"
        draft.mkdir(mode=0o700)
        self.account.give(draft)
        self._initdb(draft, durable=durable)
        self._run_sql(draft, ROLES + DATABASE + _password_statements(passwords))
        rules = draft / "pg_hba.conf"
        rules.write_text(HOST_RULES, encoding="ascii")
        self.account.give(rules)
        draft.rename(self.path)
        sync_folder(self.path.parent)
        self._remove_drafts()  # again: what a killed start had begun may still have written while the first was removed

    def _remove_drafts(self) -> None:
        """Remove what killed first starts have left."""
        for left in self.path.parent.glob(f".{self.path.name}.new-*"):
            shutil.rmtree(left, ignore_errors=True)

    def set_roles(self, passwords: dict[str, str]) -> None:
        """Make what roles are missing and set the passwords, on a cluster whose server doesn't run."""
        self._run_sql(self.path, ROLES + _password_statements(passwords))

    def accepts(self, setting: str, value: str) -> bool:
        """Whether the server takes `value` for `setting`: some are a matter of how it was compiled."""
        options = ["-C", setting, "-c", f"{setting}={value}", "-D", str(self.path)]
        return self._run([self.binaries.server, *options]).returncode == 0

    def _initdb(self, folder: Path, *, durable: bool) -> None:
        """Run initdb. The order of text must not depend on the system's libraries, which change beneath an index."""
        options = ["-D", str(folder), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--data-checksums"]
        if not durable:
            options.append("--no-sync")
        locales = [["--locale=C.UTF-8"], ["--locale=C"]]
        if self.binaries.major >= FIRST_WITH_BUILTIN_LOCALES:
            locales = [["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]]
        done = None
        for locale in locales:
            done = self._run([self.binaries.initdb, *options, *locale])
            if done.returncode == 0:
                return
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1] if done is not None else ""
        message = f"Postgres can't make its data in {folder.parent}; initdb says: {said.rstrip('.')}."
        raise EmbeddedError(message)

    def _run_sql(self, folder: Path, statements: str) -> None:
        """Run statements, each ended by `;` and an empty line, in a server for this one user; nothing else can log in.

        initdb has left the door open (`trust`) until the passwords are set, and no server listens before.
        """
        options = ["--single", "-j", "-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", "-D", str(folder)]
        done = self._run([self.binaries.server, *options, "postgres"], statements)
        if done.returncode != 0:
            said = next((line for line in reversed(done.stderr.splitlines()) if "FATAL" in line or "ERROR" in line), "")
            message = f"Postgres can't prepare its roles in {folder}; it says: {said.rstrip('.') or 'nothing'}."
            raise EmbeddedError(message)

    def _run(self, command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - Postgres' own programs
            bound_command(self.account, SIGKILL, command),
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=server_environment(),
        )


def _password_statements(passwords: dict[str, str]) -> str:
    return "".join(f"ALTER ROLE {role} PASSWORD '{passwords[role]}';\n\n" for role in ROLES_WITH_PASSWORD)
