"""How a volume in a directory comes to be, or gets other content: as a whole, or nothing of it is there."""

import contextlib
from collections.abc import Callable

import msgspec

from appliance.errors import Conflict
from appliance.storage import directory_filling as filling
from appliance.storage.directory_contents import Contents, Found
from appliance.storage.directory_mending import withdraw
from appliance.storage.driver import Hears
from appliance.storage.folder import Folder
from appliance.storage.record import COMING, MAKING, WHOLE, Record, written
from appliance.volume import Format, NewVolume


def make(folder: Folder, there: Contents, new: NewVolume, record: Record, fill: Callable[[Record], Record]) -> None:
    """A volume with what ``fill`` puts into its file; nothing of it is there if that fails."""
    half = there.found.get(new.id)
    if new.id in there.taken or (half and half.state == WHOLE):  # then it is damaged, and may hold all that is left
        text = f"there are files called {new.id} in {folder.path} already"
        raise Conflict("volume-id-taken", text, "ask for it under another id")
    try:
        if half:
            withdraw(folder, new.id, half.state, half.record)
        folder.put(f"{new.id}.{MAKING}", written(record))
        filled = fill(record)
        if filled != record:
            folder.put(f"{new.id}.{MAKING}", written(filled))
        if new.read_only:
            filling.protect(folder, f"{new.id}.{filled.format}")
        folder.sync()
        folder.rename(f"{new.id}.{MAKING}", f"{new.id}.{WHOLE}")
    except Exception:
        with contextlib.suppress(OSError):
            if folder.status(f"{new.id}.{WHOLE}") is None:
                withdraw(folder, new.id, MAKING, record)
        raise


def filled_from(folder: Folder, source: Found, new: NewVolume, record: Record, hears: Hears) -> Record:
    """The record of what became of it: an overlay has another format than its origin."""
    name = f"{new.id}.{record.format}"
    if not filling.share(folder, source, name):
        if source.record.read_only:
            record = msgspec.structs.replace(record, format=Format.QCOW2, needs=source.volume.id)
            filling.overlay(folder, source, f"{new.id}.{Format.QCOW2}", new.size)
            return record
        filling.copy(folder, source, name, hears)
    filling.fit(folder, name, record.format, new.size)
    return record


def replace(folder: Folder, found: Found, kept: Found, hears: Hears) -> None:
    """The content of a snapshot in the place of what its volume has."""
    coming = f"{found.volume.id}.{COMING}"
    try:
        folder.remove(coming)
        if not filling.share(folder, kept, coming):
            filling.copy(folder, kept, coming, hears)
        filling.fit(folder, coming, found.record.format, found.record.size)
        folder.rename(coming, found.file)
    except Exception:
        with contextlib.suppress(OSError):
            folder.remove(coming)
        raise
