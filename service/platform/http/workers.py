"""The processes behind one port, each started again when it ends."""

from uvicorn.supervisors import Multiprocess


class Workers(Multiprocess):
    """The server's own, which asks each worker for a sign of life and waits for it."""

    def keep_subprocess_alive(self) -> None:
        """Start again those that have ended.

        This process keeps the workers' ends of the pipes by which they answer, so that the death of one that was just
        asked was noticed only when patience for its answer ended. Closed, the pipe itself tells.
        """
        for process in self.processes:
            process.child_conn.close()
        super().keep_subprocess_alive()
