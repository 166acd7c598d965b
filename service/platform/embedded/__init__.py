"""Servers for `./run` and the tests, where no DATABASE_URL or REDIS_URL is given: Postgres and Valkey as children.

They die with this process however it ends, are started again when they die, and keep their data in one folder.

    servers = EmbeddedServers(Path(".loyalty"), print)
    addresses = servers.start()
    ...                 # servers.check() twice a second
    servers.stop()
"""

from service.platform.embedded.child import ChildPlan, ChildProcess
from service.platform.embedded.errors import EmbeddedError, Report
from service.platform.embedded.servers import Addresses, EmbeddedServers, temporary_servers

__all__ = [
    "Addresses",
    "ChildPlan",
    "ChildProcess",
    "EmbeddedError",
    "EmbeddedServers",
    "Report",
    "temporary_servers",
]
