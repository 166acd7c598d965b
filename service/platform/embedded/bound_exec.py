"""Becomes another program that the kernel ends when the process that started it dies.

Run as a script, by path and with `-I -S`, so it imports nothing but the standard library:

    bound_exec.py PARENT_PID SIGNAL UID GID PROGRAM ARGUMENT...

A script in between, instead of a `preexec_fn`: the parent may run threads and an event loop, and code between its fork
and exec could deadlock (Python 3.12 warns about it). The process id stays the same.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""


def die_with_parent(death_signal: int) -> None:
    """Ask the kernel to send this process a signal when its parent dies, however that ends; Linux only.

    Whoever asks looks afterwards whether the parent is still there.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")


def main() -> None:
    """Drop to the account, bind to the parent, exec. Exits with 1 when the parent is gone already."""
    parent, death_signal, uid, gid = (int(argument) for argument in sys.argv[1:5])
    command = sys.argv[5:]
    if os.geteuid() != uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        die_with_parent(death_signal)  # after the change of user, which clears the signal
        if os.getppid() != parent:  # It died before the signal was asked for.
            sys.exit(1)
    try:
        os.execv(command[0], command)  # noqa: S606 - the program is the caller's; no shell is meant to be here
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
