"""The state directory: private, owned by one daemon at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.errors import ApplianceError


@contextmanager
def state_directory(path: Path) -> Iterator[Path]:
    """The directory, made with mode 0700 where missing, and locked for the length of the with-block.

    Raises ApplianceError ``state-unusable``, or ``state-in-use`` when another daemon runs on it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        hint = "make the directory and give it to the user that runs the daemon"
        raise ApplianceError("state-unusable", f"{path}: {error.strerror}", hint) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            hint = "stop it first; two daemons on one state would give addresses twice"
            raise ApplianceError("state-in-use", f"another daemon runs on {path}", hint) from error
        yield path
    finally:
        os.close(descriptor)
