"""The file that a server writes its log to."""

import os
from pathlib import Path

LARGEST = 10 * 1024 * 1024
"""Bytes after which the log moves to `<name>.1` and begins anew."""
TAIL = 16 * 1024
"""Bytes that are read from the end to find the last line."""


class ChildLog:
    """A log that a child appends to and that this process keeps small."""

    def __init__(self, path: Path) -> None:
        """Name the file, which `open` makes."""
        self.path = path

    def open(self) -> int:
        """Return a descriptor to append by, mode 0600, which the caller closes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def trim(self) -> None:
        """Move a log that has grown too large aside. The child goes on writing to the same file, at its new end.

        A line that is written between the copy and the cut is lost.
        """
        try:
            if self.path.stat().st_size <= LARGEST:
                return
            content = self.path.read_bytes()
            self.path.with_name(f"{self.path.name}.1").write_bytes(content)
            os.truncate(self.path, 0)
        except OSError:
            return  # A full disk, say: it is tried again, and no reason to end the server.

    def last_line(self) -> str:
        """Return the last line that tells something, preferring what Postgres calls fatal; empty when there is none."""
        try:
            lines = self.path.read_bytes()[-TAIL:].decode(errors="replace").splitlines()
        except OSError:
            return ""
        told = [line.strip() for line in lines if line.strip()]
        fatal = [line for line in told[-10:] if "FATAL" in line or "PANIC" in line]
        return (fatal or told or [""])[-1]
