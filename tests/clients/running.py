"""Programs of others, run beside the service under test."""

import asyncio
import os
from pathlib import Path


class Failed(AssertionError):  # noqa: N818 - it says what happened
    """A program ended badly."""

    def __init__(self, command: str, printed: str) -> None:
        super().__init__(f"{command} failed:\n{printed}")
        self.printed = printed


async def run(*command: str, cwd: Path, **environment: str) -> str:
    """Run a program to its end; give what it printed. Raises Failed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=os.environ | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:  # the test was given up
            process.kill()
    if process.returncode != 0:
        raise Failed(" ".join(command[:3]), printed)
    return printed
