"""The service started as a newcomer starts it, as a process of its own with embedded servers."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from service.platform.settings import CHECKOUT
from tests.ports import free_port

READY_SECONDS = 60


@dataclass
class Demo:
    """One data folder and port, and the process that was last started on them."""

    port: int
    folder: Path
    process: "subprocess.Popen[str] | None" = None

    @property
    def environment(self) -> dict[str, str]:
        """What the process is told: nothing of other servers."""
        inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
        return inherited | {
            "LOYALTY_PORT": str(self.port),
            "LOYALTY_DATA_DIR": str(self.folder),
            "PYTHONPATH": str(CHECKOUT),
        }

    @property
    def keys(self) -> dict[str, str]:
        """The keys of the test program."""
        return json.loads((self.folder / "keys.json").read_text(encoding="utf-8"))

    @property
    def keys_of_shop(self) -> dict[str, str]:
        """The keys of the demo shop's program."""
        return json.loads((self.folder / "shop-keys.json").read_text(encoding="utf-8"))

    @property
    def said(self) -> str:
        """What the process has printed."""
        return (self.folder.parent / "said").read_text(encoding="utf-8")

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start it, without waiting."""
        with (self.folder.parent / "said").open("w", encoding="utf-8") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service", "demo", *arguments],
                env=self.environment,
                cwd=CHECKOUT,
                text=True,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def wait_until_ready(self) -> None:
        """Wait until `/readyz` says 200."""
        give_up_at = time.monotonic() + READY_SECONDS
        while time.monotonic() < give_up_at:
            assert self.process is not None
            assert self.process.poll() is None, self.said
            try:
                if self.call("/readyz")[0] == 200:
                    return
            except (URLError, OSError):
                pass
            time.sleep(0.05)
        raise AssertionError("not ready after a minute: " + self.said)

    def call(
        self, path: str, body: Any = None, role: str = "checkout", keys: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Make one call, with the test program's keys or others."""
        headers = {"Content-Type": "application/json"}
        if path.startswith("/v1"):
            headers["Authorization"] = f"Bearer {(keys or self.keys)[role]}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers)
        try:
            with urlopen(request, timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read())

    def text(self, path: str) -> str:
        """Read what needs no key and is no JSON."""
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return answer.read().decode()

    def processes(self) -> list[str]:
        """Return the command lines of all processes that belong to the data folder."""
        found = list[str]()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    command = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                except OSError:
                    continue
                if str(self.folder).encode() in command:
                    found.append(command.replace(b"\0", b" ").decode(errors="replace")[:200])
        return found


@contextmanager
def new_demo() -> Generator[Demo]:
    """Give a demo that isn't started yet; in the end it is killed and its folder removed."""
    folder = Path(tempfile.mkdtemp(prefix="loyalty-demo-"))
    folder.chmod(0o711)  # the servers run as another user where we are root
    demo = Demo(free_port(), folder / "data")
    try:
        yield demo
    finally:
        if demo.process is not None and demo.process.poll() is None:
            demo.process.terminate()
            demo.process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
