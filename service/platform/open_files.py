"""How many connections a process may have."""

import sys
from typing import Final

_ENOUGH: Final = 65536


def allow_many() -> None:
    """Take as many open files as the system grants.

    Beyond the usual 1024 callers would be cut instead of answered, and webhooks be taken for away because some hang.
    """
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(_ENOUGH, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
