"""FAT32, as far as giving files other contents goes: a power cut at any write leaves the old or the new ones. Pure.

Microsoft's "FAT: General Overview of On-Disk Format" 1.03. First cluster and size of a file stand in its directory
entry, and entries that lie in one sector change together: shim and GRUB, which must fit each other, are exchanged by
one write of one sector. The kernel's driver promises no order of writes, so the file system is not mounted meanwhile.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from appliance.errors import ApplianceError

Read = Callable[[int, int], bytes]
"""``(offset, size)`` in bytes: what the partition holds there."""
ENTRY = 32
_END = 0x0FFFFFF8
_LAST = 0x0FFFFFFF
_CLUSTERS_OF_FAT16 = 65525
"""With fewer clusters it is FAT12 or FAT16."""
_FREE_COUNT = 488
"""In the sector FSInfo."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write. Not longer than a sector where it must happen whole or not at all."""

    offset: int
    """Bytes from the start of the partition or disk."""
    data: bytes


Stage = tuple[Write, ...]
"""Writes in any order, all of them on the disk before the next stage begins."""


def _broken(text: str) -> ApplianceError:
    return ApplianceError("loader-esp", f"the boot partition: {text}", "its boot loaders stay as they are")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory, and where its directory entry is."""

    offset: int
    directory: bool
    cluster: int
    """The first one; 0 for an empty file."""
    size: int


@dataclass(frozen=True)
class Fat:
    """A file system that is at rest."""

    read: Read
    sector: int
    """Bytes."""
    cluster: int
    """Bytes."""
    tables: tuple[int, ...]
    """Offset of each copy of the table."""
    table_size: int
    """Bytes of one."""
    data: int
    """Offset of cluster 2."""
    clusters: int
    root: int
    """First cluster of the root directory."""
    info: int
    """Offset of the sector FSInfo."""

    @classmethod
    def of(cls, read: Read) -> "Fat":
        """The file system that a partition holds. Raises ApplianceError ``loader-esp`` for anything but FAT32."""
        head = read(0, 512)
        sector, per, reserved, copies = struct.unpack_from("<HBHB", head, 11)
        total, size, root, info = (
            struct.unpack_from("<I", head, 32)[0],
            struct.unpack_from("<I", head, 36)[0],
            struct.unpack_from("<I", head, 44)[0],
            struct.unpack_from("<H", head, 48)[0],
        )
        if head[510:] != b"\x55\xaa" or sector not in (512, 1024, 2048, 4096) or not per or not copies or not size:
            raise _broken("it holds no FAT32")
        first = reserved + copies * size
        clusters = (total - first) // per
        if clusters < _CLUSTERS_OF_FAT16 or 4 * (clusters + 2) > size * sector:
            raise _broken("it holds no FAT32")
        tables = tuple((reserved + each * size) * sector for each in range(copies))
        return cls(read, sector, per * sector, tables, size * sector, first * sector, clusters, root, info * sector)

    def offset(self, cluster: int) -> int:
        """Where a cluster begins. Raises ApplianceError ``loader-esp`` for one that is not there."""
        if not 2 <= cluster < self.clusters + 2:
            raise _broken(f"cluster {cluster} is not there")
        return self.data + (cluster - 2) * self.cluster

    def table(self) -> list[int]:
        """What follows each cluster; the first copy counts."""
        found = struct.unpack(f"<{self.clusters + 2}I", self.read(self.tables[0], 4 * (self.clusters + 2)))
        return [each & _LAST for each in found]

    def chain(self, table: Sequence[int], first: int) -> list[int]:
        """The clusters of a file. Raises ApplianceError ``loader-esp`` for a chain without an end."""
        found: list[int] = []
        while first and first < _END:
            self.offset(first)
            found.append(first)
            if len(found) > self.clusters:
                raise _broken("a file has no end")
            first = table[first]
        return found

    def content(self, entry: Entry, table: Sequence[int]) -> bytes:
        """All bytes of a file."""
        data = b"".join(self.read(self.offset(each), self.cluster) for each in self.chain(table, entry.cluster))
        return data[: entry.size]

    def find(self, path: str, table: Sequence[int]) -> Entry:
        """The entry of ``EFI/BOOT/BOOTX64.EFI``: 8.3 names, in any case. Raises ApplianceError ``loader-esp``."""
        found = Entry(0, True, self.root, 0)
        for name in path.split("/"):
            wanted = _short(name)
            inside = (each for each in self._entries(found, table) if each[0] == wanted) if found.directory else ()
            found = next((entry for _, entry in inside), Entry(0, False, 0, -1))
            if found.size < 0:
                raise _broken(f"it has no {path}")
        return found

    def _entries(self, directory: Entry, table: Sequence[int]) -> Iterator[tuple[bytes, Entry]]:
        for each in self.chain(table, directory.cluster):
            offset, content = self.offset(each), self.read(self.offset(each), self.cluster)
            for at in range(0, self.cluster, ENTRY):
                raw = content[at : at + ENTRY]
                if raw[0] == 0:
                    return
                if raw[0] != 0xE5 and not raw[11] & 0x08:
                    high, low, size = struct.unpack("<H4xHI", raw[20:32])
                    yield raw[:11], Entry(offset + at, bool(raw[11] & 0x10), high << 16 | low, size)


def _short(name: str) -> bytes:
    stem, _, suffix = name.upper().partition(".")
    if len(stem) > 8 or len(suffix) > 3 or not name.isascii():
        raise _broken(f"{name} is no name of eight letters and three")
    return stem.ljust(8).encode() + suffix.ljust(3).encode()


@dataclass(frozen=True, slots=True)
class Exchange:
    """Giving files other contents, in three steps of which the middle one decides."""

    prepare: tuple[Stage, ...]
    """Contents, then their chains: into what is free, so that nothing of it is seen yet."""
    decide: Stage
    """One write of one sector."""
    tidy: tuple[Stage, ...]
    """What the old contents took is free again."""


def exchange(fat: Fat, files: Mapping[str, bytes]) -> Exchange:
    """How the files, which must lie in one sector of one directory, get other contents, all at once.

    Raises ApplianceError ``loader-esp`` where one is not there, or they lie apart, and ``loader-no-room``.
    """
    table = fat.table()
    entries = {path: fat.find(path, table) for path in files}
    sectors = {entry.offset // fat.sector for entry in entries.values()}
    if len(sectors) != 1:
        raise _broken(f"the entries of {' and '.join(files)} do not lie together")
    free = iter([each for each in range(2, fat.clusters + 2) if table[each] == 0])
    at = sectors.pop() * fat.sector
    sector, chained, contents = bytearray(fat.read(at, fat.sector)), list(table), list[Write]()
    for path, content in files.items():
        taken = _take(free, -(-len(content) // fat.cluster))
        for each, after in zip(taken, [*taken[1:], _LAST], strict=False):
            chained[each] = after
        contents += [
            Write(fat.offset(each), content[i * fat.cluster : (i + 1) * fat.cluster].ljust(fat.cluster, b"\0"))
            for i, each in enumerate(taken)
        ]
        first = taken[0] if taken else 0
        struct.pack_into("<H4xHI", sector, entries[path].offset - at + 20, first >> 16, first & 0xFFFF, len(content))
    tidied = list(chained)
    for entry in entries.values():
        for each in fat.chain(table, entry.cluster):
            tidied[each] = 0
    return Exchange(
        (tuple(contents), *_tables(fat, table, chained)),
        (Write(at, bytes(sector)),),
        (*_tables(fat, chained, tidied), _free_count(fat, tidied)),
    )


def _take(free: Iterator[int], number: int) -> list[int]:
    taken = [each for each, _ in zip(free, range(number), strict=False)]
    if len(taken) < number:
        raise ApplianceError("loader-no-room", "the boot partition has no room for the new boot loaders beside the old")
    return taken


def _tables(fat: Fat, before: Sequence[int], after: Sequence[int]) -> Iterator[Stage]:
    """The sectors of the table that change: the second copy first, since the first is the one that counts."""
    per = fat.sector // 4
    changed = sorted({number // per for number, (old, new) in enumerate(zip(before, after, strict=True)) if old != new})
    for copy in reversed(fat.tables):
        writes = []
        for number in changed:
            at = copy + number * fat.sector
            sector = bytearray(fat.read(at, fat.sector))
            for index, value in enumerate(after[number * per : (number + 1) * per]):
                (kept,) = struct.unpack_from("<I", sector, 4 * index)  # the upper four bits are not ours
                struct.pack_into("<I", sector, 4 * index, kept & ~_LAST | value)
            writes.append(Write(at, bytes(sector)))
        yield tuple(writes)


def _free_count(fat: Fat, table: Sequence[int]) -> Stage:
    """How many are free: advice only, which a check of the file system compares."""
    sector = bytearray(fat.read(fat.info, fat.sector))
    if sector[:4] != b"RRaA":
        return ()
    struct.pack_into("<I", sector, _FREE_COUNT, sum(1 for each in table[2:] if each == 0))
    return (Write(fat.info, bytes(sector)),)
