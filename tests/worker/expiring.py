"""A worker as a process that settles a few customers in each turn: `python -m tests.worker.expiring`."""

import asyncio
from dataclasses import replace

from service.platform.queue import sweep
from service.platform.settings import Settings
from service.worker import JOBS, run
from tests.worker.workers import QUICK

if __name__ == "__main__":
    sweep._SETTLED_AT_ONCE = 5  # pyright: ignore[reportPrivateUsage] # noqa: SLF001
    settling = [replace(job, seconds=1.0) for job in JOBS if job.name == "settle_due"]
    asyncio.run(run(Settings(), settling, patience=QUICK))
