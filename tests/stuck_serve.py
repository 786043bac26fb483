"""`qrm serve` on a disk that gets stuck: while the file that the environment's STUCK names is there, no commit returns.

The thread that writes hangs, as it would in fsync(2); nothing else of the daemon knows. Times are short, so that a
test need not wait for minutes.
"""

import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from appliance import daemon
from appliance.assembly import patience
from appliance.reconcile import room, stuck
from appliance.store import store
from appliance.store.thrift import Thrift


def main(configuration: Path, sign: Path) -> int:
    """Serve until it is told to stop; the exit code."""
    commit = store._commit
    stuck.LOOK_SECONDS, stuck.STUCK_SECONDS, patience.SECONDS = 0.1, 0.5, 1.0
    room.LOOK_SECONDS = 0.2

    def commit_or_hang(db: sqlite3.Connection, batch: list[Any], thrift: Thrift) -> list[Any]:
        while sign.exists():
            time.sleep(0.02)
        return commit(db, batch, thrift)

    store._commit = commit_or_hang
    return daemon.serve(configuration)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(os.environ["STUCK"])))
