"""A worker of one lane in a process of its own, for tests to kill; it takes the program's number and the id."""

import asyncio
import sys

from service.news import KINDS
from service.platform.database import Database
from service.platform.queue.turn import Turn
from service.platform.settings import Settings, WebhookTargets
from service.webhooks.jobs import deliver
from service.webhooks.sending import Sender


async def main(program_id: int, webhook_id: str) -> None:
    """Work the lane until killed."""
    database, sender = Database(Settings()), Sender(WebhookTargets.ANY)
    await database.open(size=2)
    while True:
        await deliver(database, Turn(program_id, webhook_id, seconds=60), kinds=KINDS, sender=sender)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
