"""Copies the running appliance onto a disk, reads back all that was written, and makes it bootable as the last step.

Until then the target has no partition table, so that whatever ends this in between, nothing half-made ever boots.
"""

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.command import run
from appliance.errors import ApplianceError
from appliance.installer.disks import COLUMNS, Disk, Needs, parse
from appliance.installer.plan import (
    BOOT_CODE,
    EDGE,
    ENVIRONMENT,
    MARK,
    SUPERBLOCK,
    Copy,
    Layout,
    Plan,
    environment_block,
    is_made,
    make_plan,
    needed_bytes,
    parse_sfdisk,
    used_of_slot,
)

CHUNK = 4 << 20
"""Bytes that are read and written at once."""
PROGRAM_SECONDS = 120.0

ENVIRONMENT_FILE = "::/QRM/GRUBENV"
"""On the ESP; in capitals, so that it has no long name there."""

Tell = Callable[[float, str], None]
"""Told how far it is (0 to 1), and what goes on."""
Wanted = Callable[[], bool]
"""Whether it is to go on."""


class Cancelled(ApplianceError):
    """A person left it in the middle."""


def read_layout(source: Path) -> Layout:
    """The partitions of the disk that runs; raises ApplianceError, ``program-failed`` for no disk with a table."""
    return parse_sfdisk(run(["sfdisk", "--json", str(source)], PROGRAM_SECONDS))


def list_disks(source: Path) -> tuple[Disk, ...]:
    """Every disk of this computer, and why one cannot be installed onto. Raises ApplianceError."""
    layout = read_layout(source)
    text = run(["lsblk", "--json", "--bytes", "--output", COLUMNS], PROGRAM_SECONDS)
    return parse(text, Needs(needed_bytes(layout), layout.sector_size, {str(source), os.path.realpath(source)}))


def find_disk(source: Path, wanted: Disk) -> Disk:
    """The disk that was chosen, looked at again: another one may have its name by now.

    Raises ApplianceError ``disk-changed`` where it is gone, or holds something else than was shown.
    """
    for disk in list_disks(source):
        if disk == wanted:
            return disk
    text = f"{wanted} is gone, or no longer as it was shown"
    raise ApplianceError("disk-changed", text, "look at the list of disks again")


class _Meter:
    """How far it is: every byte is written once and read back once. Ends it when nobody wants it any more."""

    def __init__(self, plan: Plan, tell: Tell, wanted: Wanted) -> None:
        self._all, self._done = 2 * plan.bytes, 0
        self._tell, self._wanted = tell, wanted

    def went_on(self, count: int, doing: str) -> None:
        """So many bytes more; raises Cancelled."""
        if not self._wanted():
            text = "the installation was stopped; the disk has no partition table and does not boot"
            raise Cancelled("install-cancelled", text, "install again, or use the disk for something else")
        self._done += count
        self._tell(0.99 * self._done / self._all, doing)


def install(source: Path, slot: str, target: Disk, tell: Tell, wanted: Wanted) -> None:
    """Copy the appliance from the disk ``source``, whose root slot ``slot`` runs, onto ``target``.

    Raises ApplianceError: ``install-refused``, ``disk-busy``, ``install-failed`` where what was read back is not what
    was written or the disk answers with an error, and Cancelled. The target does not boot then.
    """
    layout = read_layout(source)
    plan = make_plan(layout, slot, target, _used(source, layout, slot))
    meter = _Meter(plan, tell, wanted)
    os.sync()  # what the running system wrote into the ESP is on the stick then, which is read past its cache
    with _reading(source) as read, _writing(target) as write:
        _clear(write, target.size)
        sums = [_copy(read, write, copy, meter) for copy in plan.copies]
        _forget_cache(write)
        for copy, expected in zip(plan.copies, sums, strict=True):
            if _sum(write, copy.target, copy, meter) != expected:
                raise _untrue(target)
        boot_code = os.pread(read, BOOT_CODE, 0)
    _write_environment(target, plan)
    _make_bootable(target, plan, boot_code)
    tell(1.0, "done")


def _used(source: Path, layout: Layout, slot: str) -> int | None:
    """Bytes of the running slot that hold something; None where that is not known."""
    with source.open("rb") as disk:
        disk.seek(layout.slot(slot).start + SUPERBLOCK)
        return used_of_slot(disk.read(SUPERBLOCK))


@contextmanager
def _reading(source: Path) -> Iterator[int]:
    descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _writing(target: Disk) -> Iterator[int]:
    """The disk, for us alone: the kernel refuses O_EXCL where anything of it is in use (open(2))."""
    alone = os.O_EXCL if stat.S_ISBLK(os.stat(target.path).st_mode) else 0
    try:
        descriptor = os.open(target.path, os.O_RDWR | os.O_CLOEXEC | alone)
    except OSError as error:
        reason = "something uses it" if error.errno == errno.EBUSY else error.strerror
        raise ApplianceError("disk-busy", f"{target}: {reason}", "unmount it, or choose another disk") from error
    try:
        yield descriptor
    except OSError as error:
        text = f"{target}: {error.strerror or error}; it does not boot now"
        raise ApplianceError("install-failed", text, "check the disk and its cable, or choose another one") from error
    finally:
        os.close(descriptor)


def _clear(descriptor: int, size: int) -> None:
    """Tables, boot code and marks of arrays at both ends go first; from here on the disk boots nothing."""
    os.pwrite(descriptor, MARK.ljust(EDGE, b"\0"), 0)
    _write_all(descriptor, bytes(EDGE), size - EDGE)
    os.fsync(descriptor)


def _copy(read: int, write: int, copy: Copy, meter: _Meter) -> str:
    """SHA-256 of what was read, all of which is on the disk when this returns."""
    done, digest = 0, hashlib.sha256()
    while done < copy.size:
        chunk = os.pread(read, min(CHUNK, copy.size - done), copy.source + done)
        if not chunk:
            raise ApplianceError("install-source", f"the stick ends within {copy.name}", "write the stick anew")
        digest.update(chunk)
        _write_all(write, chunk, copy.target + done)
        done += len(chunk)
        meter.went_on(len(chunk), f"copying {copy.name}: {done >> 20} of {copy.size >> 20} MiB")
    os.fsync(write)
    return digest.hexdigest()


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    rest = memoryview(content)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _forget_cache(descriptor: int) -> None:
    """What is read next comes from the disk: pages that are on it already are dropped (posix_fadvise(2))."""
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _sum(descriptor: int, offset: int, copy: Copy, meter: _Meter) -> str:
    """SHA-256 of what the disk gives back."""
    done, digest = 0, hashlib.sha256()
    while done < copy.size and (chunk := os.pread(descriptor, min(CHUNK, copy.size - done), offset + done)):
        digest.update(chunk)
        done += len(chunk)
        meter.went_on(len(chunk), f"reading {copy.name} back: {done >> 20} of {copy.size >> 20} MiB")
    return digest.hexdigest()


def _untrue(target: Disk) -> ApplianceError:
    text = f"{target} gives back something else than was written to it; it does not boot now"
    return ApplianceError("install-failed", text, "this disk is not to be trusted: choose another one")


def _write_environment(target: Disk, plan: Plan) -> None:
    """The stick may have booted before: its machine-id and what it knows of its slots stay with it."""
    where = f"{target.path}@@{plan.esp}"
    with tempfile.TemporaryDirectory() as directory:
        file, back = Path(directory, "grubenv"), Path(directory, "back")
        file.write_bytes(environment_block(ENVIRONMENT))
        run(["mcopy", "-o", "-i", where, str(file), ENVIRONMENT_FILE], PROGRAM_SECONDS)
        run(["mcopy", "-o", "-i", where, ENVIRONMENT_FILE, str(back)], PROGRAM_SECONDS)
        if back.read_bytes() != file.read_bytes():
            raise _untrue(target)


def _make_bootable(target: Disk, plan: Plan, boot_code: bytes) -> None:
    """The table, and then GRUB's first sector; both go again where they are not what was wanted."""
    run(["sgdisk", *plan.table, target.path], PROGRAM_SECONDS)
    made = is_made(read_layout(Path(target.path)), plan)
    with _writing(target) as write:
        if not made:
            _clear(write, target.size)
            raise _untrue(target)
        _write_all(write, boot_code, 0)
        os.fsync(write)
