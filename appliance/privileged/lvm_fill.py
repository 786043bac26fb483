"""Carries out ``lvm.fill``: what a thick volume is to hold is copied into it, and the rest of it reads as zeros.

It may be stopped anywhere, for what is not filled says so in a tag. All of it is done by one thread, which opens and
closes what it uses: whoever stops it waits until the piece is done that is under way.
"""

import asyncio
import errno
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from threading import Event

from appliance import blocking
from appliance.errors import ApplianceError
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.lvm import change, pool, volume
from appliance.privileged.lvm_volumes import made_whole
from appliance.privileged.verb import Done
from appliance.privileged.verbs.lvm import Group, Logical
from appliance.privileged.verbs.lvm_fill import Fill
from appliance.privileged.verbs.lvm_tags import GROWN_FROM, MAKING, tag, value
from appliance.volume import check_id, in_use

PIECE = 4 << 20
"""Bytes that are read, and written where they are not all zeros."""
SETTLED = 256 << 20
"""Bytes after which the disk is waited for: what is said to be done is done, and memory stays for others."""
_ZERO_OUT = 0x127F
"""BLKZEROOUT (linux/fs.h): two 64-bit numbers, offset and length."""
_ZEROS = bytes(PIECE)
Progress = Callable[[float], None]


async def fill(verb: Fill, on: Computer, tell: Tell) -> Done:
    """Raises NotFound ``volume-unknown``, Conflict ``volume-in-use``, ApplianceError ``storage-failed``."""
    group = await pool(on, verb.group, live=True)
    if unfilled := [each for each in group.of(check_id(verb.id)) if each.state == MAKING]:
        await _whole(verb, on, tell, group, unfilled[0])
    elif (found := volume(group, verb.id)).growing:
        await _copied(tell, None, _path(on, group, found), found.grown_from, found.size)
        note = tag(GROWN_FROM, value(found.tags, GROWN_FROM))
        await change(on, "lvchange", "--yes", "--deltag", note, f"{group.name}/{found.name}")
    return Done()


async def _whole(verb: Fill, on: Computer, tell: Tell, group: Group, target: Logical) -> None:
    source = volume(group, verb.source) if verb.source else None
    size = min(source.grown_from, target.size) if source else 0
    if source:
        alone = not source.read_only
        await _copied(tell, _path(on, group, source), _path(on, group, target), 0, size, alone)
    await _copied(tell, None, _path(on, group, target), size, target.size)
    await made_whole(on, group, target.name, verb.read_only)


def _path(on: Computer, group: Group, of: Logical) -> Path:
    return on.roots.dev / group.name / of.name


async def _copied(tell: Tell, source: Path | None, target: Path, begin: int, end: int, alone: bool = True) -> None:
    """From ``begin`` to ``end``; zeros without a source. ``alone``: nobody else may have the source claimed."""
    words = f"copying {source.name}" if source else f"writing zeros to {target.name}"
    try:
        await in_a_thread(tell, words, lambda progress: _copy(source, target, begin, end, alone, progress))
    except OSError as error:
        raise failed(error, str(source or "zeros"), target) from error


async def in_a_thread(tell: Tell, words: str, work: Callable[[Progress], None]) -> None:
    """With how far it is told; who is cancelled waits until the piece is done that is under way. Raises as the work."""
    loop = asyncio.get_running_loop()

    def told(stop: Event) -> None:
        def progress(done: float) -> None:
            if stop.is_set():
                raise InterruptedError
            loop.call_soon_threadsafe(tell, done, words)

        work(progress)

    await blocking.in_a_thread(told)


def failed(error: OSError, what: str, target: Path) -> ApplianceError:
    """What is said where ``what`` could not be written."""
    if error.errno == errno.EBUSY:
        return in_use(str(target) if what == "zeros" else what)
    text = f"{what} could not be copied to {target}: {error.strerror}"
    return ApplianceError("storage-failed", text, "look at the disks of the pool")


def _copy(source: Path | None, target: Path, begin: int, end: int, alone: bool, progress: Progress) -> None:
    """Blocking. Raises OSError: EBUSY where somebody has one of them open, InterruptedError as ``progress`` does."""
    out = os.open(target, os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC)
    try:
        if source is None:
            each_piece(begin, end, progress, out, lambda at, count: zero(out, at, count))
            return
        # A block device that is mounted or exported cannot be had alone (open(2), O_EXCL).
        given = os.open(source, os.O_RDONLY | os.O_CLOEXEC | (os.O_EXCL if alone else 0))
        try:
            each_piece(begin, end, progress, out, lambda at, count: _piece(given, out, at, count))
        finally:
            os.close(given)
    finally:
        os.close(out)


def each_piece(begin: int, end: int, progress: Progress, out: int, step: Callable[[int, int], None]) -> None:
    """``step`` with where each piece begins and how many bytes it has; ``out`` is on the disk when this returns."""
    for at in range(begin, end, PIECE):
        progress((at - begin) / (end - begin))
        step(at, min(PIECE, end - at))
        if (at + PIECE) % SETTLED == 0:
            _settle(out)
    _settle(out)


def _settle(out: int) -> None:
    os.fdatasync(out)
    os.posix_fadvise(out, 0, 0, os.POSIX_FADV_DONTNEED)


def _piece(given: int, out: int, at: int, count: int) -> None:
    data = read(given, at, count)
    os.posix_fadvise(given, at, count, os.POSIX_FADV_DONTNEED)
    if data == _ZEROS[:count]:
        zero(out, at, count)
    else:
        write(out, at, data)


def read(given: int, at: int, count: int) -> bytes:
    """So many bytes; raises OSError where they do not come."""
    data = b""
    while len(data) < count:
        if not (more := os.pread(given, count - len(data), at + len(data))):
            raise OSError(errno.EIO, "it ends before its size")
        data += more
    return data


def write(out: int, at: int, data: bytes) -> None:
    """All of them. Raises OSError."""
    while data:
        done = os.pwrite(out, data, at)
        at, data = at + done, data[done:]


def zero(out: int, at: int, count: int) -> None:
    """By the disk itself where it can, which may then give the room back."""
    try:
        fcntl.ioctl(out, _ZERO_OUT, struct.pack("QQ", at, count))
    except OSError as error:
        if error.errno != errno.ENOTTY:  # no block device: a file
            raise
        write(out, at, _ZEROS[:count])
