"""`./run`: which Python it takes, when it sets up, and what it becomes. The set-ups themselves are tried by CI."""

import importlib.util
import json
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "run"
MakePython = Callable[[str, str], Path]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the script as a module, with a checkout of its own that has lock files."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("run_script", str(SCRIPT))
    spec = importlib.util.spec_from_loader("run_script", loader)
    assert spec is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    for name, place in {
        "CHECKOUT": tmp_path,
        "VENV": tmp_path / ".venv",
        "PYTHON": tmp_path / ".venv/bin/python",
        "STAMP": tmp_path / ".venv/loyalty-stamp.json",
        "SET_UP_LOCK": tmp_path / ".venv/.set-up.lock",
    }.items():
        monkeypatch.setattr(module, name, place)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/embedded.txt").write_text("one==1\n")
    (tmp_path / "requirements/dev.txt").write_text("one==1\ntwo==2\n")
    return module


@pytest.fixture
def make_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePython:
    """Put a program that passes for a Python on PATH, which holds nothing else. The second argument is what it runs."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name: str, script: str) -> Path:
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    return make


@pytest.fixture
def installations(run: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for the slow steps of a set-up, and list the lock files that would have been installed."""
    done: list[str] = []

    def make_environment() -> None:
        (run.VENV / "bin").mkdir()
        run.PYTHON.symlink_to(sys.executable)

    def install(lock: Path) -> None:
        done.append(lock.stem)

    monkeypatch.setattr(run, "make_environment", make_environment)
    monkeypatch.setattr(run, "install", install)
    return done


def offer(run: Any, monkeypatch: pytest.MonkeyPatch, found: list[tuple[str, list[str]]]) -> None:
    """Let the script find these installers."""

    def installers(scratch: Path) -> Iterator[tuple[str, list[str]]]:
        assert scratch.is_dir()
        return iter(found)

    monkeypatch.setattr(run, "installers", installers)


def test_a_newer_python_is_found_by_running_it(run: Any, make_python: MakePython) -> None:
    """A name on PATH may be an old Python, or a version manager's that only fails."""
    make_python("python3.14", "echo 'no such version' >&2; exit 127")
    make_python("python3.13", "echo 3.10")
    wanted = make_python("python3.12", "echo 3.12")
    assert run.newer_python() == str(wanted)


def test_without_a_newer_python_one_sentence_is_told(run: Any, make_python: MakePython) -> None:
    """It names the version that is there and the one that is needed."""
    make_python("python3", "echo 3.9")
    with pytest.raises(run.SetUpError, match=r"no Python 3\.11 or later is on PATH"):
        run.newer_python()


def test_a_set_up_is_done_once(run: Any, installations: list[str]) -> None:
    """The second start finds the stamp."""
    run.set_up("embedded")
    run.set_up("embedded")
    assert installations == ["embedded"]


def test_a_set_up_for_the_tests_serves_the_service_too(run: Any, installations: list[str]) -> None:
    """The service doesn't set up again after `./run test`, and the tests only add to what the service has."""
    run.set_up("embedded")
    kept = run.VENV / "kept"
    kept.touch()
    run.set_up("dev")
    run.set_up("embedded")
    assert installations == ["embedded", "dev"]
    assert kept.exists()


def test_a_changed_lock_file_sets_up_anew(run: Any, installations: list[str]) -> None:
    """What the environment held before is gone."""
    run.set_up("embedded")
    (run.VENV / "left").touch()
    run.lock_file("embedded").write_text("one==2\n")
    run.set_up("embedded")
    assert installations == ["embedded", "embedded"]
    assert not (run.VENV / "left").exists()


def test_another_python_sets_up_anew(run: Any, installations: list[str]) -> None:
    """The system's Python was replaced beneath the environment."""
    run.set_up("embedded")
    stamp = json.loads(run.STAMP.read_text())
    run.STAMP.write_text(json.dumps({**stamp, "python": "3.10"}))
    run.set_up("embedded")
    assert installations == ["embedded", "embedded"]


@pytest.mark.parametrize("damage", ["no stamp", "half a stamp", "no python", "moved"])
def test_a_broken_environment_is_made_anew(run: Any, installations: list[str], damage: str) -> None:
    """An interrupted set-up, a removed Python and a moved checkout all end in a working environment."""
    run.set_up("embedded")
    if damage == "no stamp":
        run.STAMP.unlink()
    elif damage == "half a stamp":
        run.STAMP.write_text('{"checkout":')
    elif damage == "no python":
        run.PYTHON.unlink()
    else:
        run.STAMP.write_text(run.STAMP.read_text().replace(str(run.CHECKOUT), "/elsewhere"))
    run.set_up("embedded")
    assert installations == ["embedded", "embedded"]
    run.set_up("embedded")
    assert len(installations) == 2


def test_two_set_ups_at_once_are_kept_apart(run: Any, installations: list[str]) -> None:
    """The second waits, and finds that nothing is left to do."""
    with run.set_up_lock():
        second = threading.Thread(target=run.set_up, args=("embedded",))
        second.start()
        second.join(0.3)
        assert second.is_alive()
        assert installations == []
        run.make_environment()
        run.write_stamp("embedded")
    second.join(30)
    assert installations == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["service", "demo"]),
        (["--demo"], ["service", "demo", "--with-sample"]),
        (["test", "-k", "ledger"], ["pytest", "-k", "ledger"]),
        (["keys", "list", "--help"], ["service", "keys", "list", "--help"]),
    ],
)
def test_arguments_choose_the_program(run: Any, arguments: list[str], expected: list[str]) -> None:
    """What isn't the script's own is handed on as it is."""
    assert run.module_and_arguments(arguments) == expected


def test_the_launcher_finds_the_service_from_anywhere(run: Any, installations: list[str]) -> None:
    """`.venv/bin/loyalty` runs the checkout's service, even beside a folder that is called service too."""
    run.set_up("embedded")
    assert installations
    for place, text in ((run.CHECKOUT, "ours"), (run.CHECKOUT / "elsewhere", "theirs")):
        (place / "service").mkdir(parents=True)
        (place / "service/__init__.py").touch()
        (place / "service/__main__.py").write_text(f"import sys\nprint({text!r}, *sys.argv[1:])\n")
    launcher = run.VENV / "bin/loyalty"
    assert launcher.stat().st_mode & stat.S_IXUSR
    said = subprocess.check_output([launcher, "keys", "a b"], cwd=run.CHECKOUT / "elsewhere", text=True)
    assert said == "ours keys a b\n"


def test_the_installers_heed_the_persons_index_alone(run: Any) -> None:
    """Settings that would put packages elsewhere are left out."""
    given = {"PIP_INDEX_URL": "x", "UV_INDEX_URL": "y", "PIP_TARGET": "/t", "PYTHONHOME": "/h", "PIP_USER": "1"}
    left = run.set_up_environment(given)
    assert (left["PIP_INDEX_URL"], left["UV_INDEX_URL"], left["PIP_USER"]) == ("x", "y", "0")
    assert not {"PIP_TARGET", "PYTHONHOME"} & set(left)


def test_no_installer_at_all_is_one_sentence(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    offer(run, monkeypatch, [])
    with pytest.raises(run.SetUpError, match=r"install uv, or pip, or Python's venv package"):
        run.install(run.lock_file("embedded"))


def test_a_failing_installer_makes_room_for_the_next(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both fail, both are heard."""
    failing = [("uv", ["/bin/sh", "-c", "echo error: one >&2; exit 2"]), ("pip", ["/bin/sh", "-c", "exit 1"])]
    working = ("pip", ["/bin/sh", "-c", "exit 0"])
    offer(run, monkeypatch, [failing[0], working])
    run.install(run.lock_file("embedded"))
    offer(run, monkeypatch, failing)
    with pytest.raises(run.SetUpError, match=r"uv says: error: one pip says: nothing, status 1"):
        run.install(run.lock_file("embedded"))


def test_the_help_needs_no_set_up(tmp_path: Path) -> None:
    """`./run --help` answers at once, also in a checkout that nobody may write to."""
    copy = tmp_path / "run"
    copy.write_bytes(SCRIPT.read_bytes())
    said = subprocess.check_output([sys.executable, str(copy), "--help"], text=True)
    assert "./run test" in said
    assert not (tmp_path / ".venv").exists()
