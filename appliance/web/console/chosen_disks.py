"""Disks and partitions that a form has chosen for a pool, with what is on them at this moment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from appliance.errors import Conflict, Invalid
from appliance.pool import PoolPart
from appliance.reconcile.consequences import Consequences
from appliance.reconcile.pool_offer import OfferedDisk, OfferedPartition


@dataclass(frozen=True, slots=True)
class Chosen:
    """A disk or a partition that was chosen, as it is at this moment."""

    part: PoolPart
    disk: OfferedDisk
    partition: OfferedPartition | None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.partition.size if self.partition else self.disk.size

    @property
    def word(self) -> str:
        """As a button calls it."""
        return self.partition.name if self.partition else self.disk.identifier


@dataclass(frozen=True, slots=True)
class Taking:
    """What is agreed to: disks, and what they lose."""

    chosen: tuple[Chosen, ...]
    foreseen: Consequences
    seen: str
    """Fingerprint of what is on them: it comes back with the agreement."""


def value_of(disk: OfferedDisk, partition: OfferedPartition | None = None) -> str:
    """How a form names a disk, or one of its partitions."""
    return f"{disk.identifier}/{partition.uuid}" if partition else disk.identifier


def chosen_of(disks: Iterable[OfferedDisk], wanted: Sequence[str]) -> tuple[Chosen, ...]:
    """Those of the values that a form has sent.

    Raises Conflict ``disk-refused`` with why, Invalid ``disk-unknown`` for what is not there, or not any more.
    """
    offered = {}
    for disk in disks:
        offered[value_of(disk)] = Chosen(disk.part(), disk, None)
        for each in disk.partitions:
            offered[value_of(disk, each)] = Chosen(disk.part(each.uuid), disk, each)
    found = []
    for value in dict.fromkeys(wanted):
        if value not in offered or not value:
            raise Invalid("disk-unknown", f"there is no disk {value[:80]!r} any more", "choose again", "disks")
        one = offered[value]
        if why := one.partition.refused if one.partition else one.disk.refused:
            raise Conflict("disk-refused", f"{one.word} cannot be chosen: {why}", "choose another one", "disks")
        found.append(one)
    _check_apart(found)
    return tuple(found)


def _check_apart(found: Sequence[Chosen]) -> None:
    whole = {each.disk.identifier for each in found if each.partition is None}
    for each in found:
        if each.partition and each.disk.identifier in whole:
            text = f"{each.partition.name} is a part of {each.disk.identifier}, which is chosen as a whole"
            raise Conflict("disk-twice", text, "choose the disk, or its partitions", "disks")


def seen_on(chosen: Iterable[Chosen]) -> str:
    """Another one once something else is on one of them."""
    return sha256(
        repr([(each.part.disk, each.part.partition, each.part.holds) for each in chosen]).encode()
    ).hexdigest()


def check_same(taking: Taking, seen: str) -> None:
    """Raises Conflict ``content-changed`` where something else is on the disks than what was ``seen`` and agreed to."""
    if seen != taking.seen:
        text = "What is on the disks has changed since it was shown"
        raise Conflict("content-changed", text, "look at it again, then go on", "form")
