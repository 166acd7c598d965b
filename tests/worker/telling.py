"""A worker as the command runs it, whose death is noticed soon: `python -m tests.worker.telling`."""

import uvloop

from service.platform.settings import Settings
from service.worker import run
from tests.worker.workers import QUICK

if __name__ == "__main__":
    uvloop.run(run(Settings(), patience=QUICK))
