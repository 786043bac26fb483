"""Pools and volumes as people read them: how full in words, what kind, what is under way. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.pool import OF_POOLS, Deed, Use, Work, is_long
from appliance.reconcile.pool_shown import PoolView, VolumeView
from appliance.volume import GRAIN, Filling, Level, Pool, PoolKind, level
from appliance.web.console.words import BINARY, Mark, memory

KINDS: Mapping[PoolKind, str] = {
    PoolKind.LVM_THIN: "LVM, thin",
    PoolKind.LVM_THICK: "LVM, thick",
    PoolKind.DIRECTORY: "directory",
    PoolKind.MEMORY: "memory",
}
MEANINGS: Mapping[PoolKind, str] = {
    PoolKind.LVM_THIN: "Clones and snapshots are instant, and room is taken as it is written.",
    PoolKind.LVM_THICK: "All of a volume's room is taken when it is made; a clone is a copy, and takes as long.",
    PoolKind.DIRECTORY: "Files in a directory. Clones are instant where its file system shares blocks between files.",
    PoolKind.MEMORY: "Nothing is stored: it is there to try what would happen, and ends with the daemon.",
}
LEVELS: Mapping[Level, Mark] = {
    Level.FINE: Mark("disc", "good", "well", "There is room"),
    Level.ALERT: Mark("triangle", "warn", "filling up", "Make room, or add a disk"),
    Level.STOP: Mark("triangle", "bad", "nearly full", "No snapshots and clones are made any more"),
    Level.FULL: Mark("cross", "bad", "full", "Nothing can be written any more"),
}
UNDER_WAY: Mapping[Deed, str] = {
    Deed.MAKE: "being made",
    Deed.ADOPT: "being adopted",
    Deed.EXTEND: "being extended",
    Deed.RETIRE: "being retired",
    Deed.EXAMINE: "being checked",
    Deed.REPAIR: "being repaired",
    Deed.CREATE: "being made",
    Deed.GROW: "growing",
    Deed.SNAPSHOT: "being made",
    Deed.CLONE: "being made",
    Deed.FILL: "being made",
    Deed.ROLL_BACK: "being rolled back",
    Deed.RENAME: "being renamed",
    Deed.DELETE: "being deleted",
}
USES: Mapping[Use, tuple[str, str]] = {
    Use.USER: ("", ""),
    Use.IMAGE: ("an image", "/images/"),
    Use.DEPLOYMENT: ("a deployment", "/deployments/"),
    Use.VM: ("a virtual machine", ""),
}
"""What a volume is for, in words, and where that is shown."""
GONE = Mark("cross", "bad", "missing", "It cannot be looked at")
_UNITS = tuple(reversed([(1024**power, unit) for power, unit in enumerate(BINARY) if power >= 2]))
"""From the largest to MiB: volumes are made in whole grains of some."""


@dataclass(frozen=True, slots=True)
class Bar:
    """How much of something is used."""

    word: str
    meaning: str
    filling: Filling
    mark: Mark


def copying(kind: PoolKind) -> str:
    """What a clone or a snapshot takes."""
    if kind is PoolKind.DIRECTORY:
        return "Where the file system cannot share blocks between files, it is copied, which takes a while."
    at_once = "It is there at once, whatever its size."
    return "All of it is copied, which takes a while." if is_long(kind, Deed.CLONE) else at_once


def room_in_words(size: int) -> str:
    """Bytes as people type them, never more than there are: what this says fits, once it is typed."""
    size = size // GRAIN * GRAIN
    for unit, word in _UNITS:
        if size >= unit:
            hundredths = size * 100 // unit
            return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".") + f" {word}"
    return "0 MiB"


def work_on_pool(view: PoolView) -> Work | None:
    """What is under way with the pool as a whole."""
    return next((each for each in view.works if each.deed in OF_POOLS), None)


def pool_mark(view: PoolView) -> Mark:
    """The worst of what there is to say of a pool, but work before it: that is why nothing else can be done."""
    if work := work_on_pool(view):
        return Mark("busy", "busy", UNDER_WAY[work.deed])
    if view.seen is None:
        return GONE
    if view.trouble:
        return Mark("triangle", "bad", "in trouble", view.trouble)
    return LEVELS[level(view.seen)]


def volume_mark(view: VolumeView) -> Mark:
    """How a volume is."""
    if view.work:
        return Mark("busy", "busy", UNDER_WAY[view.work.deed])
    if view.volume.trouble:
        return Mark("triangle", "bad", "in trouble", view.volume.trouble)
    if view.volume.in_use:
        return Mark("disc", "good", "in use", "Somebody has it open: a machine runs from it, or it is exported")
    return Mark("circle", "neutral", "not in use", "Nobody has it open")


def bars(seen: Pool) -> list[Bar]:
    """Of data, and of metadata where the pool has some that can run out."""
    found = [Bar("Data", "Room for what is in volumes", seen.data, _level(seen.data))]
    if seen.metadata:
        meaning = "Room to note which block is whose: where it ends, nothing can be written"
        found.append(Bar("Metadata", meaning, seen.metadata, _level(seen.metadata)))
    return found


def _level(of: Filling) -> Mark:
    return LEVELS[level(Pool(PoolKind.MEMORY, of, ()))]


def promised(seen: Pool) -> str:
    """What all volumes would take if they were full; with a warning where that is more than there is."""
    if seen.promised <= seen.data.total:
        return memory(seen.promised)
    times = seen.promised / seen.data.total if seen.data.total else 0.0
    by = f"{times:.1f} times what there is" if times >= 1.05 else "more than there is"
    return f"{memory(seen.promised)}, {by}"


def is_overcommitted(seen: Pool) -> bool:
    """Whether volumes could fill up that have no room to."""
    return seen.promised > seen.data.total
