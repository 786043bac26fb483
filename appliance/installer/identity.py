"""A flashed disk gets identifiers of its own at its first start: ``python -m appliance.installer.identity``.

Every copy of an image has the same ones, and the kernel finds root by them. With two copies in one computer it may take
the one for the other. GRUB does not: it counts each start on the disk that it was itself started from (grub.cfg,
``A_TRY`` and ``B_TRY``), and nothing has set that back yet. So the disk that was meant is known, and is made another.
"""

import fcntl
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance import command
from appliance.errors import ApplianceError
from appliance.installer import gpt
from appliance.updates import grubenv

RESTART = 10
"""Exit code: the computer has to start again, and finds the right disk then."""
NOTES = "::/QRM/GRUBENV"
LATE_SECONDS = 20.0
"""How long a first start waits for the disk that it was started from, where that is not the one root was found on."""
LOOK_SECONDS = 1.0
TROUBLE = Path("/run/appliance/start-problem")
"""What keeps the appliance from starting; its screen shows it."""


@dataclass(frozen=True, slots=True)
class Alike:
    """The disks on which root could be found: all of the same identifiers."""

    own: str
    """The one that it was found on, as a device: ``/dev/sda``."""
    counted: Mapping[str, int]
    """How many starts GRUB has counted on each of them; what cannot be read is none."""

    @property
    def started(self) -> str | None:
        """The disk that the computer was started from; None where nobody can say."""
        if len(self.counted) == 1:
            return self.own
        meant = [disk for disk, count in self.counted.items() if count]
        return meant[0] if len(meant) == 1 else None

    @property
    def may_be_another(self) -> bool:
        """Whether GRUB has started from a disk that has not come up yet: on this one it has counted nothing."""
        return len(self.counted) == 1 and not self.counted[self.own]


def alike(listed: str, own: str, root: str, counted: Callable[[str], int]) -> Alike:
    """``listed`` is what lsblk(8) says as JSON, ``root`` the partition's identifier as the kernel was told it."""
    disks = json.loads(listed or "{}").get("blockdevices") or []
    ours = {each.get("wwn") for each in disks if each.get("path") == own} - {None, ""}
    found = [str(each["path"]) for each in disks if each.get("wwn") not in ours and _has(each, root)]
    return Alike(own, {disk: counted(disk) for disk in dict.fromkeys([own, *found])})


def _has(disk: Mapping[str, Any], root: str) -> bool:
    """Whether a partition of it is called so; another way to one and the same disk has the disk's own WWN."""
    return any(str(part.get("partuuid") or "").lower() == root.lower() for part in disk.get("children") or [])


def is_first_start(table: gpt.Table) -> bool:
    """Whether the state partition is still to be made, and with it everything that this appliance is to remember."""
    return table.named("state") is None


# -- the computer


@contextmanager
def _open(disk: str) -> Iterator[int]:
    """The whole disk. udev leaves it alone meanwhile (systemd's "Locking Block Device Access")."""
    descriptor = os.open(disk, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def table_of(disk: str, sector: int) -> gpt.Table:
    """Raises ApplianceError ``table-broken``, and OSError."""
    descriptor = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return gpt.read(os.pread(descriptor, gpt.HEAD, 0), sector)
    finally:
        os.close(descriptor)


def renew(disk: str, sector: int, fresh: gpt.Fresh = uuid.uuid4) -> None:
    """Other identifiers for a disk, its partitions and its FAT file systems. Raises ApplianceError, and OSError.

    The file systems of the slots keep theirs: nothing finds them by it, and they are the same as the signed ones.
    """
    with _open(disk) as descriptor:
        now = gpt.read(os.pread(descriptor, gpt.HEAD, 0), sector)
        new = now.renewed(fresh)
        writes = gpt.exchange(now, new)
        with suppress(ApplianceError):  # a damaged one is written anew with the partitions that are to be made
            writes += gpt.copied(_backup(descriptor, now), new)
        for part in filter(None, (now.named("esp"), now.named("seed"))):
            writes += gpt.serial(os.pread(descriptor, sector, part.start), part.start, fresh)
        for at, content in writes:
            os.pwrite(descriptor, content, at)
            os.fsync(descriptor)


def _backup(descriptor: int, now: gpt.Table) -> gpt.Table:
    begins = now.other - now.sectors
    content = os.pread(descriptor, (now.sectors + 1) * now.sector, begins * now.sector)
    return gpt.read(content, now.sector, now.other, begins)


def counted_on(disk: str, sector: int) -> int:
    """How many starts GRUB has counted there since one was good; none where its notes cannot be read."""
    with suppress(ApplianceError, OSError, ValueError):
        esp = table_of(disk, sector).named("esp")
        if esp is not None:
            notes = grubenv.parse(command.first_bytes(["mtype", "-i", f"{disk}@@{esp.start}", NOTES], grubenv.SIZE))
            return sum(int(notes.get(name) or 0) for name in ("A_TRY", "B_TRY"))
    return 0


def _own_disk() -> tuple[str, int]:
    """The disk that root is on, and the bytes of its sectors."""
    device = os.stat("/").st_dev
    place = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve(strict=True).parent
    return f"/dev/{place.name}", int((place / "queue/logical_block_size").read_text())


def _root_word() -> str:
    """The identifier in ``root=PARTUUID=...``; empty where there is none."""
    words = Path("/proc/cmdline").read_text().split()
    found = (each.removeprefix("root=PARTUUID=") for each in words if each.startswith("root=PARTUUID="))
    return next(found, "")


def _look(own: str, sector: int) -> Alike:
    listed = command.run(["lsblk", "--json", "--tree", "--output", "NAME,PATH,WWN,PARTUUID"])
    return alike(listed, own, _root_word(), lambda disk: counted_on(disk, sector))


def _settled(own: str, sector: int) -> Alike:
    """Looks until it is clear that nothing else comes, or something has."""
    end = time.monotonic() + LATE_SECONDS
    found = _look(own, sector)
    while found.may_be_another and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
        found = _look(own, sector)
    return found


def _wait_for_a_person(own: str, sector: int, found: Alike) -> None:
    """Nothing is touched until there is one disk only that can be meant."""
    disks = ", ".join(sorted(found.counted))
    problem = f"{disks} hold the same copy of the appliance, and which of them was started cannot be told"
    _say(f"{problem}. Take all but one out: the computer then restarts by itself.")
    with suppress(OSError):
        TROUBLE.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        TROUBLE.write_text(f"{problem}; take all but one out\n")
    while len(found.counted) > 1:
        time.sleep(LOOK_SECONDS)
        with suppress(ApplianceError):
            found = _look(own, sector)


def _say(text: str) -> None:
    """To the journal, and to who stands before the computer."""
    print(text, flush=True)
    with suppress(OSError):
        Path("/dev/console").write_text(f"appliance: {text}\r\n")


def main() -> int:
    """Zero: go on; RESTART: start again. Raises ApplianceError, and OSError, where there is one disk only."""
    own, sector = _own_disk()
    first = is_first_start(table_of(own, sector))
    found = _settled(own, sector) if first else _look(own, sector)
    if len(found.counted) > 1:
        return _among(found, sector)
    if first:
        renew(own, sector)
        _say(f"{own} has identifiers of its own now")
    return 0


def _among(found: Alike, sector: int) -> int:
    """The disk that was started gets identifiers that no other has: from then on it is found by them."""
    meant = found.started
    try:
        if meant is not None:
            renew(meant, sector)
    except (ApplianceError, OSError) as error:
        _say(f"{meant} cannot be given identifiers of its own: {error}")
        meant = None
    if meant is None:
        _wait_for_a_person(found.own, sector, found)
        return RESTART
    _say(f"{meant}, which the computer was started from, has identifiers of its own now")
    return 0 if meant == found.own else RESTART


def _main() -> int:
    try:
        return main()
    except (ApplianceError, OSError) as error:
        _say(f"the disk keeps the identifiers of the image: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(_main())
