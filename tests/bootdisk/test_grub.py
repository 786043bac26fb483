"""GRUB's own words on a disk: what boot.img and core.img are told."""

import struct

import pytest

from appliance.bootdisk import grub

BOOT = bytes(range(256)) * 2


def test_boot_code_keeps_the_partition_records() -> None:
    mbr = bytes(440) + b"records".ljust(70, b"r") + b"\x55\xaa"
    made = grub.mbr_with_boot_code(mbr, BOOT, 2048)
    assert made[440:] == mbr[440:]
    assert struct.unpack_from("<Q", made, 0x5C)[0] == 2048
    assert made[0x66:0x68] == b"\x90\x90"
    assert made[:0x5C] == BOOT[:0x5C]


def test_core_is_told_where_its_rest_lies() -> None:
    made = grub.placed_core(b"c" * 1300, 2048, 10)
    assert len(made) == 3 * 512
    assert struct.unpack_from("<QHH", made, 500) == (2049, 2, 0x820)


def test_core_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 3 sectors"):
        grub.placed_core(b"c" * 1300, 2048, 2)


def test_boot_sectors_of_wrong_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one sector"):
        grub.mbr_with_boot_code(bytes(511), BOOT, 1)
