"""The record of updates on the state partition. Helper and judge are processes of their own, and both change it."""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from appliance.errors import ApplianceError
from appliance.privileged.computer import Computer
from appliance.state import write_whole
from appliance.updates import record as records
from appliance.updates.record import Record

log = logging.getLogger(__name__)

RECORD = "updates/record.json"
"""On the state partition; everybody may read it."""
LOCK = "appliance-slot/record.lock"
"""Below /run: a full state partition has no room for one."""


def kept_record(on: Computer) -> Record:
    """The record of updates; an empty one where there was none, or where it cannot be read."""
    try:
        return records.parse((on.roots.state / RECORD).read_bytes())
    except FileNotFoundError:
        return Record()
    except ApplianceError as error:
        log.warning("%s", error.message)
        return Record()


def change_record(on: Computer, change: Callable[[Record], Record]) -> Record:
    """Read it, change it and keep it, while nobody else does; what it is then. One that stays the same is not written.

    ``change`` waits for nothing. Raises ApplianceError ``state-unwritable``, and what ``change`` raises.
    """
    with _alone(on):
        before = kept_record(on)
        after = change(before)
        if after != before:
            _keep(on, after)
    return after


@contextmanager
def _alone(on: Computer) -> Iterator[None]:
    """Waits for whoever changes it: that takes one write to the disk."""
    with lock_file(on, LOCK) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def lock_file(on: Computer, name: str) -> Iterator[int]:
    """The descriptor of a file below /run, for flock(2): what is locked is free again after the with-block."""
    path = on.roots.run / name
    make_public(on, path.parent.name)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make_public(on: Computer, name: str) -> None:
    """A directory below /run that everybody may look into, whatever our umask is."""
    path = on.roots.run / name
    path.mkdir(mode=0o755, exist_ok=True)
    path.chmod(0o755)


def _keep(on: Computer, record: Record) -> None:
    path = on.roots.state / RECORD
    try:
        path.parent.mkdir(mode=0o755, exist_ok=True)
        path.parent.chmod(0o755)  # the daemon reads it
    except OSError as error:
        text = f"{path.parent}: {error.strerror or error}"
        raise ApplianceError("state-unwritable", text, "free some space on the state partition") from error
    write_whole(path, records.render(record), 0o644)
    path.chmod(0o644)
