"""The processes behind one port, each started again when it ends."""

import socket

from uvicorn import Config
from uvicorn.supervisors import Multiprocess


class SharedPort:
    """An address that several processes listen at, each by a socket of its own, and nobody else."""

    def __init__(self, listener: socket.socket) -> None:
        """Take over the address of `listener`, which is closed. Raises OSError."""
        self._family, self._address = listener.family, listener.getsockname()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # so that there is no moment without an owner
        self._keeper = self.bound()  # never listens: the port stays ours while no process listens
        # Two sockets of which none listens may share an address when both allow it to be used again, and another
        # service's does when it begins. This one had to allow it as well, for connections that ended not long ago.
        self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        listener.close()

    def bound(self) -> socket.socket:
        """Make a socket for one more process."""
        made = socket.socket(self._family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(self._address)
        made.set_inheritable(True)
        return made

    def close(self) -> None:
        """Give the address back, when the processes have ended."""
        self._keeper.close()


class Workers(Multiprocess):
    """The server's own, which asks each worker for a sign of life and waits for it.

    Each worker listens by a socket of its own, and the kernel spreads the connections over them. By one socket for all,
    whoever wakes first takes all connections of a burst, and the others idle.
    """

    def __init__(self, config: Config, listener: socket.socket) -> None:
        """Take over the address of `listener`, which is closed. Raises OSError."""
        self._port = SharedPort(listener)
        self._made: list[socket.socket] = []
        super().__init__(config, [])

    @property
    def sockets(self) -> list[socket.socket]:
        """A new socket, for the worker that is about to be started."""
        self._made.append(self._port.bound())
        return self._made[-1:]

    @sockets.setter
    def sockets(self, _: list[socket.socket]) -> None:
        """Leave out the one for all that the server would keep here."""

    def keep_subprocess_alive(self) -> None:
        """Start again those that have ended.

        This process keeps the workers' ends of the pipes by which they answer, so that the death of one that was just
        asked was noticed only when patience for its answer ended. Closed, the pipe itself tells. Likewise their
        sockets: those of a worker that ended would go on collecting connections that nobody accepts.
        """
        for process in self.processes:
            process.child_conn.close()
        while self._made:
            self._made.pop().close()
        super().keep_subprocess_alive()
