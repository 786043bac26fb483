"""Discs that independent programs made, and any bytes at all, read by the reader of discs."""

import contextlib
import io
import shutil
import subprocess

import pytest
from disc_files import MORE, START, STAYS, catalogue, disc, header
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import Invalid
from appliance.imageformat.iso9660 import SECTOR, Disc, disc_in

BIOS = ["-b", "boot.img", "-no-emul-boot", "-boot-load-size", "4"]
UEFI = ["-eltorito-alt-boot", "-e", "efi.img", "-no-emul-boot"]
MAKERS = {"xorriso": ["xorriso", "-as", "mkisofs"], "genisoimage": ["genisoimage"]}


@pytest.fixture(params=sorted(MAKERS))
def make(request, tmp_path):
    """A disc by one of two programs that are none of ours."""
    assert shutil.which(request.param), "packages.txt names it"

    def made(label, *options):
        root = tmp_path / "root"
        root.mkdir()
        (root / "boot.img").write_bytes(b"\xeb\xfe" + bytes(2046))
        (root / "efi.img").write_bytes(bytes(4096))
        path = tmp_path / "made.iso"
        argv = [*MAKERS[request.param], "-quiet", "-V", label, "-J", "-R", *options, "-o", path, root]
        subprocess.run(argv, check=True, capture_output=True)
        return path.read_bytes()

    return made


def read(content):
    return disc_in(io.BytesIO(content), len(content))


@pytest.mark.parametrize(
    ("options", "firmware"),
    [
        ([], ()),
        (["-c", "boot.cat", *BIOS], ("bios",)),
        (["-c", "boot.cat", *BIOS, *UEFI], ("bios", "uefi")),
    ],
)
def test_a_disc_says_its_name_its_size_and_what_it_starts_on(make, options, firmware):
    content = make("Debian 13.1.0 amd64", *options)
    found = read(content)
    assert found.label == "Debian 13.1.0 amd64"
    assert found.firmware == firmware
    assert len(content) - 300 * SECTOR <= found.size <= len(content)  # makers fill up for old drives


def test_what_is_cut_off_is_refused_in_words(make):
    content = make("WHOLE")
    size = read(content).size
    assert read(content[:size]).size == size
    with pytest.raises(Invalid, match=f"the disc has {size} bytes, and {size - 1} are here") as caught:
        read(content[: size - 1])
    assert (caught.value.code, caught.value.field) == ("iso-format", "file")


@pytest.mark.parametrize("content", [b"", bytes(64 << 10), b"QFI\xfb" + bytes(80 << 10), bytes(SECTOR * 17 - 1)])
def test_what_is_no_disc_is_refused(content):
    with pytest.raises(Invalid, match="no ISO 9660 disc"):
        read(content)


@pytest.mark.parametrize(
    ("entries", "firmware"),
    [
        ([START], ("bios",)),
        ([STAYS], ()),
        ([STAYS, header(0xEF, 1), START], ("uefi",)),
        ([START, header(0xEF, 1), STAYS], ("bios",)),
        ([START, MORE, header(0xEF, 2), STAYS, MORE, START], ("bios", "uefi")),
        ([START, header(0x01, 1, last=False), START, header(0xEF, 1), START], ("bios", "uefi")),
        ([START, header(0xEF, 0), header(0xEF, 1), START], ("bios",)),  # behind the last one nothing counts
        ([START, header(0xEF, 65535)], ("bios",)),
        ([START, b"\x77", header(0xEF, 1), START], ("bios",)),
    ],
)
def test_boot_catalogues(entries, firmware):
    assert read(disc(catalogue(*entries))).firmware == firmware


def test_a_catalogue_that_no_firmware_takes_starts_nothing():
    good = catalogue(START)
    for wrong in (b"", b"\x02" + good[1:], good[:30] + b"\xaa\x55" + good[32:], good[:5] + b"\x01" + good[6:]):
        assert read(disc(wrong)).firmware == ()
    for at in (0, 15, 24, 0xFFFFFFFF):
        assert read(disc(good, at=at)).firmware == ()
    assert read(disc(catalogue(START, platform=0xEF))).firmware == ("uefi",)


def test_a_label_is_shown_as_far_as_it_can_be():
    assert read(disc(label=b"<b>\x1b[31m\xe4\r\n")).label == "<b>?[31m???"
    assert read(disc(label=b"A\0B")).label == "A"


@pytest.mark.parametrize("wrong", [{"other": 23}, {"sectors": 0}, {"block": 3}, {"sectors": 0xFFFFFFFF}])
def test_descriptors_that_contradict_themselves_are_refused(wrong):
    with pytest.raises(Invalid, match=r"contradicts itself|cut off"):
        read(disc(**wrong))


class Counted(io.BytesIO):
    """Says how much was read of it."""

    had = 0

    def read(self, size=-1):
        octets = super().read(size)
        self.had += len(octets)
        return octets


def test_no_disc_makes_the_reader_read_on_and_on():
    stored = Counted(disc(count=1000) + bytes(1 << 20))
    disc_in(stored, 4 << 20)
    assert stored.had <= 100 * SECTOR


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5 * SECTOR), st.binary(min_size=1, max_size=40)), max_size=12), st.integers(0, 9)
)
def test_any_bytes_are_a_disc_or_refused(changes, cut):
    content = bytearray(disc(catalogue(START, header(0xEF, 1), START)))
    for at, octets in changes:
        content[16 * SECTOR + at : 16 * SECTOR + at + len(octets)] = octets
    whole = bytes(content[: len(content) - cut * SECTOR])
    with contextlib.suppress(Invalid):
        found = read(whole)
        assert isinstance(found, Disc)
        assert found.size <= len(whole)
        assert found.label.isprintable()
        assert set(found.firmware) <= {"bios", "uefi"}
