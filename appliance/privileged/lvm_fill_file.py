"""Carries out ``lvm.fill-file``: a file of the daemon's becomes what a volume holds.

The daemon names a file and no path. Root opens it only where it lies in the one directory that is there for this, where
no link leads to it or is it, and where it belongs to whoever the directory belongs to.
"""

import errno
import fcntl
import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.errors import Invalid
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.lvm import change, pool, said, volume
from appliance.privileged.lvm_fill import Progress, each_piece, failed, in_a_thread, read, write, zero
from appliance.privileged.lvm_volumes import made_whole
from appliance.privileged.verb import Done
from appliance.privileged.verbs.lvm import Group, Logical
from appliance.privileged.verbs.lvm_fill_file import FillFile
from appliance.privileged.verbs.lvm_tags import FILE_SYSTEM, MAKING, tag
from appliance.volume import FILLING, check_id, filling_missing

PLACE = ("var", "lib", "appliance", FILLING)
"""From the state partition to the directory."""
KINDS = frozenset({"", "ext4"})
_NAME = re.compile(r"[0-9a-f]{16}(\.[a-z0-9]{1,8})?")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DISCARD = 0x1277
"""BLKDISCARD (linux/fs.h): two 64-bit numbers, offset and length. What a thin volume has given back reads as zeros."""
_CANNOT = {errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL}


async def fill_file(verb: FillFile, on: Computer, tell: Tell) -> Done:
    """Raises as the verb says; what is whole already is left as it is."""
    if verb.file_system not in KINDS:
        text = f"{verb.file_system[:20]!r} is no file system that volumes are filled with"
        raise Invalid("file-system", text, "it is ext4", "file_system")
    group = await pool(on, verb.group, live=True)
    unfilled = [each for each in group.of(check_id(verb.id)) if each.state == MAKING]
    if not unfilled:
        volume(group, verb.id)
        return Done()
    target = unfilled[0]
    path = on.roots.dev / group.name / target.name
    with _opened(on, verb.file) as source:
        if (size := os.fstat(source).st_size) > target.size:
            text = f"{verb.file} has {size} bytes, and the volume {target.size}"
            raise Invalid("filling-too-large", text, "make the volume larger", "size")
        try:
            await in_a_thread(tell, "writing what it is to hold", lambda told: _copy(source, size, path, target, told))
        except OSError as error:
            raise failed(error, verb.file, path) from error
    if verb.file_system:
        await _checked(on, group, target, path, verb.file_system, tell)
    await made_whole(on, group, target.name, verb.read_only)
    return Done()


async def _checked(on: Computer, group: Group, target: Logical, path: Path, kind: str, tell: Tell) -> None:
    """Read back as a whole: what is mounted later is mounted by the kernel."""
    tell(1.0, "checking what was written")
    await said(on, "e2fsck", "-f", "-n", str(path))
    await change(on, "lvchange", "--yes", "--addtag", tag(FILE_SYSTEM, kind), f"{group.name}/{target.name}")


@contextmanager
def _opened(on: Computer, name: str) -> Iterator[int]:
    """A descriptor of the file; raises NotFound ``filling-missing``."""
    descriptor = _found(on, name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _found(on: Computer, name: str) -> int:
    if not _NAME.fullmatch(name):
        raise filling_missing(name)
    descriptor = os.open(on.roots.state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in PLACE:
            descriptor = _next(descriptor, part, _DIRECTORY)
        owner = os.fstat(descriptor).st_uid
        descriptor = _next(descriptor, name, _FILE)
    except OSError as error:
        os.close(descriptor)
        raise filling_missing(name) from error
    found = os.fstat(descriptor)
    # A second name could be one of a file that the daemon itself must not read.
    if not stat.S_ISREG(found.st_mode) or found.st_uid != owner or found.st_nlink != 1:
        os.close(descriptor)
        raise filling_missing(name)
    return descriptor


def _next(parent: int, name: str, flags: int) -> int:
    """In the place of its parent, which is closed where it was opened."""
    opened = os.open(name, flags, dir_fd=parent)
    os.close(parent)
    return opened


def _copy(source: int, size: int, path: Path, target: Logical, progress: Progress) -> None:
    """Blocking. Raises OSError: EBUSY where somebody has the volume open, InterruptedError as ``progress`` does."""
    out = os.open(path, os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC)
    try:
        empty = bool(target.pool) and _emptied(out, target.size)

        def step(at: int, count: int) -> None:
            data = _piece(source, size, at, count)
            if data.strip(b"\0"):
                write(out, at, data)
            elif not empty:
                zero(out, at, count)

        each_piece(0, target.size, progress, out, step)
    finally:
        os.close(out)


def _emptied(out: int, size: int) -> bool:
    """Whether a thin volume reads as zeros everywhere: what was cut off before has left something in it, maybe."""
    try:
        fcntl.ioctl(out, _DISCARD, struct.pack("QQ", 0, size))
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def _piece(source: int, size: int, at: int, count: int) -> bytes:
    """Up to its end, and zeros behind it. Holes are not read."""
    there = min(count, size - at)
    if there <= 0 or _is_hole(source, at, there):
        return b""
    data = read(source, at, there)
    os.posix_fadvise(source, at, there, os.POSIX_FADV_DONTNEED)
    return data + bytes(count - there)


def _is_hole(source: int, at: int, count: int) -> bool:
    try:
        return os.lseek(source, at, os.SEEK_DATA) >= at + count
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole up to the end
            return True
        raise
