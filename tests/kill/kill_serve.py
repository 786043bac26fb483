"""`qrm serve`, which holds itself before and after each commit while a file ``step`` is there.

Before it, what was reported is not kept; after it, nobody has heard that it is.

Run as a program, with the configuration file and the directory of ``step``.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from appliance import daemon
from appliance.store.store import Store


def main(configuration: Path, directory: Path) -> int:
    """Serve until it is told to stop; the exit code."""
    commit, step = Store._commit, directory / "step"

    def hold() -> None:
        if step.exists():
            os.kill(os.getpid(), signal.SIGSTOP)

    async def commit_and_hold(self: Store, batch: list[Any]) -> None:
        hold()
        await commit(self, batch)
        hold()  # those who wait for the commit are woken by the loop, which stands still here

    Store._commit = commit_and_hold  # type: ignore[method-assign]
    return daemon.serve(configuration)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
