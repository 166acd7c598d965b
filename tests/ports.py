"""Ports for services that tests start as processes of their own, which take seconds until they listen."""

import secrets
import socket
from typing import Final

PORTS: Final = range(10_000, 32_768)
"""Below those that systems lend to whoever connects: such a loan, to a test that runs beside this one, would come
between. Picked at random, so that tests side by side hardly ever mean the same one."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
