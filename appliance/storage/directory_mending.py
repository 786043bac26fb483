"""What was cut off in the directory of a pool, finished or taken back."""

import msgspec

from appliance.storage.directory_contents import Contents, Found
from appliance.storage.folder import FULL, Folder
from appliance.storage.record import COMING, PARTS, REMOVING, TROUBLE, WHOLE, Record, claimed, written
from appliance.volume import VolumeId


def withdraw(folder: Folder, key: VolumeId, state: str, record: Record) -> None:
    """The files of a volume that is not whole; its record, which says that they are ours, goes last. Raises OSError."""
    for ending in sorted(claimed(state, record)):
        folder.remove(f"{key}.{ending}")
    folder.remove(f"{key}.{state}")


def forget(folder: Folder, found: Found) -> None:
    """A volume, as far as it is there. Raises OSError."""
    key, state = found.volume.id, found.state
    if state == WHOLE:
        folder.rename(f"{key}.{WHOLE}", f"{key}.{REMOVING}")
        state = REMOVING
    withdraw(folder, key, state, found.record)


def mend(folder: Folder, there: Contents) -> tuple[str, ...]:
    """What there was, in words. Raises OSError."""
    said = [words for found in there.found.values() if (words := _mended(folder, found))]
    for name in there.parts:
        folder.remove(name)
        said.append(f"{name} was not written to its end, and was taken away")
    return tuple(said)


def _mended(folder: Folder, found: Found) -> str:
    named = f"{found.record.name} ({found.volume.id})"
    if found.state != WHOLE:
        forget(folder, found)
        return f"{named} was {TROUBLE[found.state]}, and was taken away"
    words = [_dropped(folder, found, ending) for ending in sorted(found.endings & {COMING, *PARTS})]
    if found.holds > found.record.size and _noted(folder, found):
        words.append(f"has grown to {found.holds} bytes, which is noted now")
    return f"{named} {', and '.join(words)}" if words else ""


def _noted(folder: Folder, found: Found) -> bool:
    """Not while the file system is full: its volume is whole without that."""
    record = msgspec.structs.replace(found.record, size=found.holds)
    try:
        folder.put(f"{found.volume.id}.{WHOLE}", written(record))
    except OSError as error:
        if error.errno in FULL:
            return False
        raise
    return True


def _dropped(folder: Folder, found: Found, ending: str) -> str:
    folder.remove(f"{found.volume.id}.{ending}")
    return "was to be rolled back, and is as it was" if ending == COMING else "was to be noted anew, and is as it was"
