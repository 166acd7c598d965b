"""Workers that take long to start, as on a machine with more to do than it can, are waited for."""

import asyncio
import os
import sys
from pathlib import Path

from service.platform.settings import CHECKOUT, Settings
from tests.faults.long_run.stand import children_of, is_worker
from tests.ports import free_port

SLOW_START = """
import sys, time
if any("spawn_main" in argument for argument in sys.orig_argv):
    time.sleep(6)
"""


async def _answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    try:
        writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(0.2):
            return (await reader.read()).startswith(b"HTTP/1.1 200 ")
    except TimeoutError:
        return False
    finally:
        writer.close()


async def test_a_worker_that_starts_slowly_is_not_replaced_by_another_that_does(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW_START, encoding="utf-8")
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "LOYALTY_PORT": str(port),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(CHECKOUT)]),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", "serve", "--processes", "2",
        cwd=CHECKOUT, env=environment, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    seen = set[int]()
    try:
        async with asyncio.timeout(60):
            while not await _answers(port):
                seen |= {pid for pid in children_of(process.pid) if is_worker(pid)}
                await asyncio.sleep(0.1)
        assert len(seen) == 2
    finally:
        process.terminate()
        await process.wait()
