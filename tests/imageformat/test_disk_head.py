"""Tables of partitions: what boots the disk, for which processors it is, whether it is whole."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import ESP, ROOT_AMD64, gpt, mbr

from appliance.errors import Invalid
from appliance.imageformat.disk import found_in
from appliance.imageformat.found import HEAD

SIZE = 1 << 20


def test_a_gpt_tells_processor_firmware_and_sectors() -> None:
    found = found_in(gpt(SIZE)[:HEAD], SIZE)
    assert (found.holds, found.architecture, found.firmware) == ("gpt", "amd64", ("bios", "uefi"))
    assert (found.sector_size, found.format, found.size) == (512, "raw", SIZE)
    large = found_in(gpt(SIZE, sector=4096, last=200)[:HEAD], SIZE)
    assert (large.sector_size, large.holds, large.architecture) == (4096, "gpt", "amd64")
    assert found_in(gpt(SIZE, [ESP])[:HEAD], SIZE).architecture == ""


def test_an_mbr_tells_its_partitions_and_a_file_system_alone_has_none() -> None:
    found = found_in(mbr(SIZE, 100), SIZE)
    assert (found.holds, found.firmware) == ("mbr", ("bios",))
    assert found_in(mbr(SIZE, 100, 0xEF), SIZE).firmware == ("bios", "uefi")
    fat = bytearray(mbr(SIZE, 1 << 30))
    fat[446] = 0x41  # text of its boot code, where a partition's status would be
    assert found_in(bytes(fat), SIZE).holds == ""
    assert found_in(bytes(SIZE), SIZE).holds == ""


def test_a_disk_that_is_shorter_than_its_partitions_was_cut_off() -> None:
    for content in (gpt(SIZE, last=SIZE // 512), mbr(SIZE, SIZE // 512)):
        with pytest.raises(Invalid, match="cut off") as refused:
            found_in(content[:HEAD], SIZE)
        assert refused.value.code == "image-size"
    found_in(gpt(SIZE, last=SIZE // 512 - 1)[:HEAD], SIZE)


def test_a_table_with_a_wrong_checksum_says_nothing() -> None:
    hurt = bytearray(gpt(SIZE, last=1 << 40))
    hurt[512 + 30] ^= 1
    assert found_in(bytes(hurt[:HEAD]), SIZE).holds == ""


def test_an_installation_disc_is_called_one() -> None:
    content = bytearray(SIZE)
    content[32768:32774] = b"\x01CD001"
    assert found_in(bytes(content[:HEAD]), SIZE).holds == "iso9660"


@pytest.mark.parametrize("size", [0, 511, -512, 1 << 60])
def test_no_disk_has_such_a_size(size: int) -> None:
    with pytest.raises(Invalid):
        found_in(b"", size)


@given(st.binary(max_size=200), st.integers(430, 700))
def test_any_bytes_are_a_disk_or_refused(noise: bytes, at: int) -> None:
    content = gpt(SIZE, [ROOT_AMD64])
    hurt = content[:at] + noise + content[at + len(noise) :]
    for head in (hurt[:HEAD], noise):
        with suppress(Invalid):
            assert found_in(head, SIZE).size == SIZE
