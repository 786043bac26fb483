"""Boot loaders are exchanged on files that are disks; the power goes at every write, mtools and GRUB's layout judge."""

import os
import random
import struct
import subprocess
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.updates import bios_loader
from appliance.updates.fat import Exchange, Fat, Stage, Write, exchange

SHIM, GRUB, MM = "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi", "EFI/BOOT/mmx64.efi"
CONFIG = "qrm/grub.cfg"
MIB = 1 << 20


def content(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


OLD = {SHIM: content(1, 9000), GRUB: content(2, 5120), MM: content(3, 700), CONFIG: b"old\n"}
NEW = {SHIM: content(4, 4096), GRUB: content(5, 12_001)}


class Partition:
    """A FAT32 that mtools made, as the image builder does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("wb") as file:
            file.truncate(34 * MIB)
        self.tool("mformat", "-F", "-c", "1", "-N", "12345678", "::")
        for folder in ("EFI", "EFI/BOOT", "qrm"):
            self.tool("mmd", f"::/{folder}")
        for number, (name, data) in enumerate(OLD.items()):
            source = path.with_name(f"source-{number}")
            source.write_bytes(data)
            self.tool("mcopy", str(source), f"::/{name}")
        self.file = os.open(path, os.O_RDWR)

    def tool(self, name: str, *words: str) -> bytes:
        argv = [name, "-i", str(self.path), *words]
        return subprocess.run(argv, check=True, capture_output=True).stdout

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self.file, size, offset)

    def write(self, write: Write) -> Write:
        """Do it; what undoes it."""
        before = Write(write.offset, self.read(write.offset, len(write.data)))
        os.pwrite(self.file, write.data, write.offset)
        return before

    def files(self, *names: str) -> list[bytes]:
        """As another program reads them."""
        return [self.tool("mtype", f"::/{name}") for name in names]

    def check(self) -> str:
        """What a check of the file system has to say; it changes nothing."""
        done = subprocess.run(["fsck.fat", "-n", str(self.path)], capture_output=True, text=True, check=False)
        return done.stdout


@pytest.fixture
def partition(tmp_path: Path) -> Partition:
    return Partition(tmp_path / "esp.img")


def plan(partition: Partition) -> Exchange:
    return exchange(Fat.of(partition.read), NEW)


def stages(planned: Exchange) -> list[Stage]:
    return [*planned.prepare, planned.decide, *planned.tidy]


def is_old_or_new(partition: Partition) -> bool:
    """Whether it is the new pair; nothing else than the old pair or the new one may ever be there."""
    pair = partition.files(SHIM, GRUB)
    assert pair in ([OLD[SHIM], OLD[GRUB]], [NEW[SHIM], NEW[GRUB]])
    return pair == [NEW[SHIM], NEW[GRUB]]


def test_mtools_finds_what_we_find(partition: Partition) -> None:
    fat = Fat.of(partition.read)
    table = fat.table()
    for name, data in OLD.items():
        assert fat.content(fat.find(name, table), table) == data


def test_files_get_their_new_contents_and_the_rest_stays(partition: Partition) -> None:
    for stage in stages(plan(partition)):
        for write in stage:
            partition.write(write)
    assert partition.files(SHIM, GRUB, MM, CONFIG) == [NEW[SHIM], NEW[GRUB], OLD[MM], OLD[CONFIG]]
    assert "Free cluster summary wrong" not in partition.check()
    assert "reclaim" not in partition.check().lower()
    fat = Fat.of(partition.read)
    again = exchange(fat, {SHIM: b"", GRUB: OLD[GRUB]})
    for stage in stages(again):
        for write in stage:
            partition.write(write)
    assert partition.files(SHIM, GRUB) == [b"", OLD[GRUB]]


def test_one_write_decides_and_it_is_one_sector(partition: Partition) -> None:
    (write,) = plan(partition).decide
    assert (len(write.data), write.offset % 512) == (512, 0)


def test_the_power_may_go_after_any_write(partition: Partition) -> None:
    planned, seen = stages(plan(partition)), []
    for stage in planned:
        for write in stage:
            partition.write(write)
            seen.append(is_old_or_new(partition))
            assert partition.files(MM, CONFIG) == [OLD[MM], OLD[CONFIG]]
    assert seen == sorted(seen), "once new, it stays new"
    assert {False, True} == set(seen)


def test_the_power_may_go_while_writes_of_a_stage_arrive_in_any_order(partition: Partition) -> None:
    chance = random.Random(7)
    for stage in stages(plan(partition)):
        for _ in range(8):
            some = chance.sample(stage, chance.randint(0, len(stage)))
            undo = [partition.write(write) for write in some]
            is_old_or_new(partition)
            found = partition.check()
            assert not any(word in found for word in ("share clusters", "Bad", "beyond EOF", "truncat"))
            for write in reversed(undo):
                partition.write(write)
        for write in stage:
            partition.write(write)
    assert is_old_or_new(partition)


def test_what_would_not_hold_is_refused(partition: Partition) -> None:
    fat = Fat.of(partition.read)
    with pytest.raises(ApplianceError, match="do not lie together"):
        exchange(fat, {SHIM: b"x", CONFIG: b"y"})
    with pytest.raises(ApplianceError, match=r"has no EFI/BOOT/other\.efi"):
        exchange(fat, {"EFI/BOOT/other.efi": b"x"})
    with pytest.raises(ApplianceError, match="no room"):
        exchange(fat, {SHIM: bytes(34 * MIB)})
    with pytest.raises(ApplianceError, match="eight letters"):
        exchange(fat, {"EFI/BOOT/something-long.efi": b"x"})


def test_what_is_no_fat32_is_refused() -> None:
    with pytest.raises(ApplianceError, match="holds no FAT32"):
        Fat.of(lambda offset, size: bytes(size))


# -- BIOS: what is here is what firmware and boot.img do, from GRUB's description of its bytes

START, SIZE = 2048, 2048
"""The BIOS boot partition, in sectors."""


class Disk:
    """The first sectors of a disk."""

    def __init__(self) -> None:
        self.data = bytearray(4 * MIB)
        self.data[440:512] = content(9, 72)

    def put(self, stage: Stage) -> None:
        for write in stage:
            self.data[write.offset : write.offset + len(write.data)] = write.data

    def starts(self) -> bytes:
        """What the BIOS loads: the core that the first sector leads to, told to load all of itself."""
        first = bytes(self.data[:512])
        at = bios_loader.core_sector(first)
        head = self.data[at * 512 : (at + 1) * 512]
        start, sectors, segment = struct.unpack_from("<QHH", head, 500)
        assert (start, segment) == (at + 1, 0x820)
        return bytes(head[:500] + self.data[start * 512 : (start + sectors) * 512])


def core(seed: int, size: int) -> bytes:
    return content(seed, size)


def as_started(of: bytes) -> bytes:
    padded = of.ljust(-(-len(of) // 512) * 512, b"\0")
    return padded[:500] + padded[512:]


def flashed() -> tuple[Disk, bytes]:
    disk, boot, old = Disk(), content(20, 512), core(21, 100_000)
    for stage in bios_loader.exchange(bytes(512), boot, old, START, SIZE):
        disk.put(stage)
    disk.data[440:512] = content(9, 72)
    assert disk.starts() == as_started(old)
    return disk, old


def test_bios_starts_the_old_or_the_new_core_whenever_the_power_goes() -> None:
    disk, old = flashed()
    for seed, size in ((31, 90_001), (32, 120_000), (33, 512 * 1024)):
        new, boot = core(seed, size), content(seed + 10, 512)
        prepare, decide = bios_loader.exchange(bytes(disk.data[:512]), boot, new, START, SIZE)
        (write,) = prepare
        for part in range(0, len(write.data), 512):
            disk.put((Write(write.offset + part, write.data[part : part + 512]),))
            assert disk.starts() == as_started(old)
        (last,) = decide
        assert (last.offset, len(last.data)) == (0, 512), "one sector"
        disk.put(decide)
        assert disk.starts() == as_started(new)
        assert disk.data[440:512] == content(9, 72), "the table of partitions is not ours"
        at = bios_loader.core_sector(bytes(disk.data[:512])) * 512
        in_use = bytes(disk.data[at : at + -(-size // 512) * 512])
        assert bios_loader.same(bytes(disk.data[:512]), in_use, boot, new)
        assert not bios_loader.same(bytes(disk.data[:512]), in_use, content(99, 512), new)
        old = new


def test_a_core_stays_inside_the_partition() -> None:
    disk, _ = flashed()
    for _ in range(3):
        prepare, decide = bios_loader.exchange(bytes(disk.data[:512]), content(1, 512), core(2, 99_999), START, SIZE)
        (write,) = prepare
        assert write.offset >= START * 512
        assert write.offset + len(write.data) <= (START + SIZE) * 512
        disk.put(decide)


@pytest.mark.parametrize(
    ("boot", "new", "words"),
    [(b"", core(1, 1000), "is not one"), (content(1, 512), b"x", "is not one"),
     (content(1, 512), bytes(513 * 1024), "there is room for")],
)  # fmt: skip
def test_what_is_no_loader_is_refused(boot: bytes, new: bytes, words: str) -> None:
    disk, _ = flashed()
    with pytest.raises(ApplianceError, match=words):
        bios_loader.exchange(bytes(disk.data[:512]), boot, new, START, SIZE)
