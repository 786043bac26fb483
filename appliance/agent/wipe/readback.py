"""Reading back: whether a disk still holds something of what was on it. Only what is read is believed.

Some methods leave zeros, others leave whatever a new key makes of old cells. So what was on the disk is looked at
before, in places that nobody can foresee without the seed, and marks are left in some of them: the same places must
hold nothing of either afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from .drive import Drive
from .minder import Minder

WHOLE = 2 << 30
"""Bytes of a disk up to which all of it is read."""
PIECE = 4 << 20
PLACE = 16 << 10
PLACES = 2048
"""Places at which larger disks are read, besides both ends."""
END = 1 << 20
WITNESSES = 64
SECTOR = 512
DIGEST = 8
BLANK = bytes(DIGEST)
"""For a sector of one and the same byte: it tells nothing from anything else."""


@dataclass(frozen=True)
class Before:
    """What was on the disk: for each place its sectors' digests."""

    places: Mapping[int, bytes]


@dataclass(frozen=True)
class Look:
    """What was found. `stays` is the first byte of something that was there before, `rest` of anything but zeros."""

    bytes_read: int
    whole: bool
    stays: int | None = None
    rest: int | None = None


def places(size: int, seed: str) -> list[tuple[int, int]]:
    """Where to look, as (byte, length), in order: both ends, and places that follow from the seed (pure)."""
    chosen = Random(seed)  # no secret: the same seed has to lead to the same places
    last = max(0, size - PLACE)
    ends = {at for at in (*range(0, END, PLACE), *range(size - END, size, PLACE)) if 0 <= at <= last}
    inner = {chosen.randrange(last // 4096 + 1) * 4096 for _ in range(PLACES)}
    spread: list[tuple[int, int]] = []
    for at in sorted(ends | inner | {0, last // SECTOR * SECTOR}):
        if not spread or at >= sum(spread[-1]):
            spread.append((at, min(PLACE, size - at)))
    if spread and sum(spread[-1]) < size:  # the last one stood in the way of the disk's end
        spread.append((sum(spread[-1]), size - sum(spread[-1])))
    return spread


def look_before(drive: Drive, seed: str) -> Before:
    """Leave marks on the disk, and take down what is on it. Whatever is on it is given up with this. Raises OSError."""
    chosen = places(drive.disk.size, seed)
    for at, length in chosen[1 :: max(1, len(chosen) // WITNESSES)]:
        if length >= drive.disk.sector_size:
            drive.write(at, witness(seed, at, drive.disk.sector_size))
    drive.forget_cache()
    return Before({at: digests(drive.read(at, length)) for at, length in chosen})


def witness(seed: str, at: int, size: int) -> bytes:
    """A mark for one place: nothing that a disk comes to hold by itself (pure)."""
    text = f"qrm: this disk is being wiped, {seed[:200]}, byte {at}\n".encode()
    return (text * (size // len(text) + 1))[:size]


def digests(data: bytes) -> bytes:
    """One digest for each sector, BLANK for those that say nothing (pure)."""
    return b"".join(_digest(data[at : at + SECTOR]) for at in range(0, len(data), SECTOR))


def _digest(sector: bytes) -> bytes:
    return BLANK if sector.count(sector[:1]) == len(sector) else blake2b(sector, digest_size=DIGEST).digest()


def same_sector(before: bytes, after: bytes) -> int | None:
    """The first sector that is as it was, of two rows of digests (pure); None where none is."""
    for number in range(0, min(len(before), len(after)), DIGEST):
        digest = before[number : number + DIGEST]
        if digest != BLANK and digest == after[number : number + DIGEST]:
            return number // DIGEST
    return None


def look_after(drive: Drive, before: Before, minder: Minder) -> Look:
    """Read the disk itself back: the places of before, and all of it where it is small. Raises OSError, Abandoned."""
    drive.forget_cache()
    look = _at_places(drive, before, minder)
    # Something else than zeros has nothing that it could be compared with but in those places.
    return _everywhere(drive, minder) if look.rest is None and drive.disk.size <= WHOLE else look


def _at_places(drive: Drive, before: Before, minder: Minder) -> Look:
    rest: int | None = None
    read = 0
    for number, (at, known) in enumerate(before.places.items()):
        data = drive.read(at, len(known) // DIGEST * SECTOR)
        read += len(data)
        if not is_zero(data):
            rest = at + first_byte(data) if rest is None else rest
            if (sector := same_sector(known, digests(data))) is not None:
                return Look(read, False, at + sector * SECTOR, rest)
        minder.tell(number / len(before.places), "reading back")
    return Look(read, False, None, rest)


def _everywhere(drive: Drive, minder: Minder) -> Look:
    size, read = drive.disk.size, 0
    while read < size:
        data = drive.read(read, min(PIECE, size - read))
        if not data:
            break
        if not is_zero(data):
            return Look(read + len(data), False, None, read + first_byte(data))
        read += len(data)
        minder.tell(read / size, "reading back")
    return Look(read, read == size)


def is_zero(data: bytes) -> bool:
    """Whether there is nothing else in it."""
    return data.count(0) == len(data)


def first_byte(data: bytes) -> int:
    """Where the first byte stands that is not zero."""
    return len(data) - len(data.lstrip(b"\0"))
