"""The notes of the boot loader on the ESP, and who may touch them when: to renew boot loaders the ESP is unmounted."""

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from appliance.errors import ApplianceError, Conflict
from appliance.privileged.computer import Computer
from appliance.privileged.update_record import lock_file
from appliance.updates.grubenv import parse, render

log = logging.getLogger(__name__)

GRUBENV = "efi/qrm/grubenv"
"""Below /boot, on the ESP, which is mounted while it is used."""
SECOND = "efi/qrm/grubenv2"
"""A copy that is written after it (``image-builder/appliance/root/usr/lib/qrm/boot-notes``)."""
RESET = "factory_reset"
"""Asks for a factory reset; it counts in the first copy only, where it is forgotten before it is done."""
LOCK = "appliance-slot/boot-notes.lock"
"""Below /run. Shared by who writes notes, through RAUC or not; held alone by who takes the ESP away from them."""


def variables(on: Computer) -> dict[str, str] | None:
    """The boot loader's; None where they are lost. Raises ApplianceError ``grubenv-unreadable`` without the ESP."""
    try:
        return known(on)
    except OSError as error:
        text = f"{on.roots.boot / GRUBENV} cannot be read: {error.strerror}"
        raise ApplianceError("grubenv-unreadable", text, "nothing is decided about updates until it can") from error


def known(on: Computer) -> dict[str, str] | None:
    """The same; raises OSError. Where the notes are broken their second copy counts, as for the boot loader."""
    try:
        return parse((on.roots.boot / GRUBENV).read_bytes())
    except ApplianceError as error:
        log.warning("%s", error.message)
    try:
        found = parse((on.roots.boot / SECOND).read_bytes())
    except (OSError, ApplianceError):
        return None
    return {name: value for name, value in found.items() if name != RESET}


def write(on: Computer, values: Mapping[str, str]) -> None:
    """Over the old ones: the boot loader writes to that place without knowing its file system. Raises OSError."""
    block = render(values)
    descriptor = os.open(on.roots.boot / GRUBENV, os.O_WRONLY)
    try:
        os.pwrite(descriptor, block, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@asynccontextmanager
async def notes_used(on: Computer) -> AsyncIterator[None]:
    """The ESP stays where it is meanwhile. Waits while boot loaders are renewed, which takes seconds."""
    with lock_file(on, LOCK) as descriptor:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_SH)
        yield


@contextmanager
def notes_at_rest(on: Computer) -> Iterator[None]:
    """Nobody uses the ESP meanwhile. Raises Conflict ``update-busy`` where somebody does now."""
    with lock_file(on, LOCK) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = "the notes of the boot loader are being written"
            raise Conflict("update-busy", text, "wait until they are") from None
        yield
