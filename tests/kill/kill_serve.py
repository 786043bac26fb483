"""`qrm serve`, which holds itself before and after each commit while a file ``step`` is there.

Before it, what was reported is not kept; after it, nobody has heard that it is.

Run as a program, with the configuration file and the directory of ``step``.
"""

import signal
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

from appliance import daemon
from appliance.store import store
from appliance.store.thrift import Thrift


def main(configuration: Path, directory: Path) -> int:
    """Serve until it is told to stop; the exit code."""
    commit, step = store._commit, directory / "step"

    def hold() -> None:
        if step.exists():
            signal.pthread_kill(
                threading.get_ident(), signal.SIGSTOP
            )  # which stops us all, this thread before it goes on

    def commit_and_hold(db: sqlite3.Connection, batch: list[Any], thrift: Thrift) -> list[Any]:
        hold()
        outcomes = commit(db, batch, thrift)
        hold()  # those who wait for the commit have not heard of it
        return outcomes

    store._commit = commit_and_hold
    return daemon.serve(configuration)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
