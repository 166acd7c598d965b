"""A process that dies with this one, is started again when it dies, and is ended in order."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

from service.platform.embedded.account import Account, bound_command, our_account
from service.platform.embedded.child_log import ChildLog
from service.platform.embedded.errors import EmbeddedError, Report

PAUSES = (0.0, 1.0, 3.0)
"""Seconds before a start, after so many failures in a row."""
PATIENCE = 3.0
"""Seconds of waiting after which the person who waits is told, and again after each further such time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPlan:
    """What to run and how to judge it."""

    name: str
    command: list[str]
    """The program by its full path, then its arguments."""
    environment: Mapping[str, str] | None = None
    """The child's whole environment; None gives it this process's."""
    folder: Path | None = None
    """Where it runs; None is where this process is."""
    account: Account = field(default_factory=our_account)
    log: ChildLog | None = None
    """Where its output goes; None leaves it on this process's."""
    death_signal: Signals = SIGKILL
    """What the kernel sends it when this process dies."""
    stop_signals: tuple[tuple[Signals, float], ...] = ((SIGTERM, 25.0), (SIGKILL, 5.0))
    """What `stop` sends, one after the other, each with the seconds that the child gets to end."""
    attempts: int = 3
    """So many starts in a row may fail."""
    steady_seconds: float = 10.0
    """A start has succeeded when the child is ready and has lived this long."""
    is_ready: Callable[[int], bool] = lambda _pid: True
    """Asked with the child's process id until it says yes; must answer within some 100 ms."""
    may_start: Callable[[], bool] = lambda: True
    """Asked before a start until it says yes; must answer at once."""


class ChildProcess:
    """Runs one plan. Every method is to be called from the main thread: the child dies with the thread that made it."""

    def __init__(self, plan: ChildPlan, report: Report) -> None:
        """Remember the plan; nothing runs until `start`."""
        self.plan = plan
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._ready = False
        self._failures = 0
        self._started_at = 0.0
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, None while it doesn't run."""
        return None if self._process is None else self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it runs and has said that it is ready."""
        return self._process is not None and self._ready

    def start(self) -> None:
        """Start it without waiting until it is ready.

        Raises:
            EmbeddedError: it can't be started at all.
        """
        self._wanted = True
        self._failures = 0
        self.check()

    def wait_until_ready(self) -> None:
        """Check until it is ready. There is no limit while it lives: a recovery takes what it takes.

        Raises:
            EmbeddedError: the last start that `attempts` allows has failed.
        """
        tell_at = time.monotonic() + PATIENCE
        while not self.is_ready:
            time.sleep(0.02)
            self.check()
            if time.monotonic() >= tell_at:
                self._report(f"Waiting for {self.plan.name} to be ready.")
                tell_at += PATIENCE

    def check(self) -> None:
        """See whether it lives, start it again if not. Never waits, so an event loop may call it, twice a second.

        Raises:
            EmbeddedError: the last start that `attempts` allows has failed.
        """
        if not self._wanted:
            return
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                self._judge_health(self._process.pid)
                return
            self._note_death(status)
        if time.monotonic() >= self._not_before and self.plan.may_start():
            self._spawn()

    def stop(self) -> None:
        """End it and wait for its end; does nothing when it doesn't run."""
        self._wanted = False
        process, self._process, self._ready = self._process, None, False
        if process is None:
            return
        for signal, seconds in self.plan.stop_signals:
            if self._ends(process, signal, seconds):
                return
        self._report(f"{self.plan.name} (process {process.pid}) doesn't end.")

    def _ends(self, process: subprocess.Popen[bytes], signal: Signals, seconds: float) -> bool:
        process.send_signal(signal)
        give_up_at = time.monotonic() + seconds
        while (left := give_up_at - time.monotonic()) > 0:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(PATIENCE, left))
                return True
            self._report(f"Waiting for {self.plan.name} to end.")
        return False

    def _judge_health(self, pid: int) -> None:
        if not self._ready:
            self._ready = self.plan.is_ready(pid)
        if self._ready and time.monotonic() - self._started_at >= self.plan.steady_seconds:
            self._failures = 0
        if self.plan.log is not None:
            self.plan.log.trim()

    def _note_death(self, status: int) -> None:
        """Count a start that failed; the death of one that ran well is no failure, the next start may be."""
        plan, name = self.plan, self.plan.name
        ran_well = self._ready and time.monotonic() - self._started_at >= plan.steady_seconds
        self._process, self._ready = None, False
        self._failures = 0 if ran_well else self._failures + 1
        how = f"was killed by {Signals(-status).name}" if status < 0 else f"ended with status {status}"
        if self._failures >= plan.attempts:
            self._wanted = False
            message = f"{name} {how}, the start failed {self._failures} times in a row{self._told()}."
            raise EmbeddedError(message)
        self._report(f"{name} {how} and is started again.")
        self._not_before = time.monotonic() + PAUSES[min(self._failures, len(PAUSES) - 1)]

    def _told(self) -> str:
        log = self.plan.log
        if log is None:
            return ""
        last = log.last_line().rstrip(".")
        return f"; its log {log.path} says: {last}" if last else f"; its log is {log.path}"

    def _spawn(self) -> None:
        plan = self.plan
        output = None if plan.log is None else plan.log.open()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is the plan's
                bound_command(plan.account, plan.death_signal, plan.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=plan.folder,
                env=plan.environment,
                start_new_session=True,  # Ctrl-C is for this process, which then ends the child in order.
            )
        except OSError as error:
            message = f"{plan.name} can't be started: {error.strerror}."
            raise EmbeddedError(message) from error
        finally:
            if output is not None:
                os.close(output)
        self._started_at = time.monotonic()
        self._ready = False
