"""Partition tables, also as an independent reader (sgdisk) sees them."""

import shutil
import struct
import subprocess
import uuid
import zlib
from pathlib import Path

import pytest

from appliance.bootdisk import gpt

MIB = 2048
ROOT = gpt.Partition(gpt.LINUX_ROOT_X86_64, uuid.UUID(int=3), "root", 2 * MIB, 4 * MIB)
BIOS = gpt.Partition(gpt.BIOS_BOOT, uuid.UUID(int=2), "bios", MIB, MIB)
DISK = uuid.UUID(int=1)


def test_header_and_entries_carry_their_checksums() -> None:
    made = gpt.tables(8 * MIB, DISK, [BIOS, ROOT])
    header = made.head[512 : 512 + 92]
    stored = struct.unpack_from("<I", header, 16)[0]
    assert header.startswith(b"EFI PART")
    assert stored == zlib.crc32(header[:16] + bytes(4) + header[20:])
    assert struct.unpack_from("<I", header, 88)[0] == zlib.crc32(made.head[1024:])


def test_backup_is_at_the_end_and_points_back() -> None:
    made = gpt.tables(8 * MIB, DISK, [BIOS, ROOT])
    own, other = struct.unpack_from("<QQ", made.tail, len(made.tail) - 512 + 24)
    assert (own, other) == (8 * MIB - 1, 1)
    assert made.tail_sector * 512 + len(made.tail) == 8 * MIB * 512


@pytest.mark.parametrize(
    "partitions",
    [
        [BIOS, gpt.Partition(gpt.ESP, uuid.UUID(int=4), "esp", MIB + 1, MIB)],
        [gpt.Partition(gpt.ESP, uuid.UUID(int=4), "early", 33, MIB)],
        [gpt.Partition(gpt.ESP, uuid.UUID(int=4), "late", MIB, 7 * MIB)],
        [gpt.Partition(gpt.ESP, uuid.UUID(int=4), "empty", MIB, 0)],
    ],
)
def test_overlaps_are_refused(partitions: list[gpt.Partition]) -> None:
    with pytest.raises(ValueError, match=r"partition|table"):
        gpt.tables(8 * MIB, DISK, partitions)


def test_sgdisk_finds_no_fault(tmp_path: Path) -> None:
    sgdisk = shutil.which("sgdisk", path="/usr/sbin:/sbin:/usr/bin")
    assert sgdisk, "install gdisk"
    made, disk = gpt.tables(8 * MIB, DISK, [BIOS, ROOT]), tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(8 * MIB * 512)
        file.write(made.head)
        file.seek(made.tail_sector * 512)
        file.write(made.tail)
    said = subprocess.run([sgdisk, "-v", "-i", "2", disk], capture_output=True, text=True, check=True).stdout
    assert "No problems found" in said
    assert "Partition name: 'root'" in said
