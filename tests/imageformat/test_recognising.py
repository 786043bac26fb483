"""Which format a file is."""

import io
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import OS_RELEASE, PROGRAM, gpt, no_zstd, qcow2, squashfs, system

from appliance.errors import Invalid
from appliance.imageformat import os_release
from appliance.imageformat.found import Found
from appliance.imageformat.recognise import recognised
from appliance.reconcile.recognising import looked_at

SIZE = 1 << 20


def found_in(content: bytes, path: Path | None = None) -> Found:
    @contextmanager
    def unpack(_: bool) -> Iterator[io.BytesIO]:
        yield io.BytesIO(subprocess.run(["zstd", "-dcq"], input=content, capture_output=True, check=False).stdout)

    return recognised(io.BytesIO(content), len(content), unpack if path else no_zstd)


def zstd(content: bytes, directory: Path) -> bytes:
    plain = directory / "plain"
    plain.write_bytes(content)
    subprocess.run(["zstd", "-qf", plain], check=True)
    return plain.with_suffix(".zst").read_bytes()


def test_each_is_called_what_it_is(tmp_path: Path) -> None:
    assert found_in(bytes(4096)).format == "raw"
    assert found_in(qcow2()).format == "qcow2"
    assert found_in(squashfs()).format == "squashfs"
    assert found_in(system()).format == "tar"
    packed = found_in(zstd(gpt(SIZE), tmp_path), tmp_path)
    assert (packed.format, packed.size, packed.architecture) == ("raw.zst", SIZE, "amd64")
    archive = found_in(zstd(system(), tmp_path), tmp_path)
    assert (archive.format, archive.distribution) == ("tar", "Debian GNU/Linux 13 (trixie)")


def test_a_damaged_zstd_is_refused(tmp_path: Path) -> None:
    header = struct.pack("<IBI", 0xFD2FB528, 0xA0, 4096)  # of one segment, its size in four bytes
    block = (20 << 3 | 2 << 1 | 1).to_bytes(3, "little")  # the last, compressed, 20 bytes
    with pytest.raises(Invalid, match="cannot be unpacked"):
        found_in(header + block + b"\xff" * 20, tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"KDMV", "a VMDK"), (b"vhdxfile", "a VHDX"), (b"PK\x03\x04", "a ZIP"), (b"\x7fELF", "a program"),
        (b"<!DOCTYPE html>", "a page"), (bytes(64) + b"\x7f\x10\xda\xbe", "a VDI"), (b"BZh91AY", "bzip2"),
    ],
)  # fmt: skip
def test_others_are_named(content: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        found_in(content.ljust(4096, b"\0"))
    assert refused.value.hint


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"used": 5000}, "cut off"), ({"used": 50}, "cut off"), ({"major": 3}, "squashfs 3.0"),
        ({"compressor": 9}, "not known"), ({"block": 5000}, "5000 bytes"), ({"log": 12}, "blocks"),
        ({"inodes": 0}, "holds nothing"), ({"inode_table": 300, "directories": 200}, "order"),
        ({"directories": 1 << 40}, "no bytes"),
    ],
)  # fmt: skip
def test_squashfs_that_lie_are_refused(changes: dict[str, int], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        found_in(squashfs(**changes))


def packed_system(directory: Path, *options: str) -> Path:
    """A squashfs of a small system with many files."""
    root, out = directory / "root", directory / "root.squashfs"
    for name, content in (("usr/lib/os-release", OS_RELEASE), ("usr/bin/bash", PROGRAM * 200), ("etc/hostname", b"x")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    for number in range(600):
        (root / f"usr/bin/a{number:04}").write_bytes(b"")
    subprocess.run(["mksquashfs", root, out, "-quiet", "-no-progress", *options], check=True)
    return out


@pytest.mark.parametrize("compressor", ["gzip", "xz", "zstd"])
@pytest.mark.parametrize("more", [(), ("-no-fragments",), ("-b", "4096"), ("-noI", "-noD", "-noF")], ids=str)
def test_a_system_in_a_squashfs_is_read(tmp_path: Path, compressor: str, more: tuple[str, ...]) -> None:
    out = packed_system(tmp_path, "-comp", compressor, *more)
    found = looked_at(out, "", bool)
    assert (found.format, found.architecture, found.distribution) == (
        "squashfs",
        "amd64",
        "Debian GNU/Linux 13 (trixie)",
    )
    with pytest.raises(Invalid, match="cut off"):
        found_in(out.read_bytes()[: found.size - 1])


def test_a_squashfs_that_is_packed_in_another_way_tells_less(tmp_path: Path) -> None:
    found = looked_at(packed_system(tmp_path, "-comp", "lzo"), "", bool)
    assert (found.format, found.architecture, found.distribution) == ("squashfs", "", "")


def test_a_squashfs_that_was_hurt_anywhere_ends_in_no_time(tmp_path: Path) -> None:
    (tmp_path / "root/usr/lib").mkdir(parents=True)
    (tmp_path / "root/usr/lib/os-release").write_bytes(OS_RELEASE)
    out = tmp_path / "root.squashfs"
    subprocess.run(["mksquashfs", tmp_path / "root", out, "-quiet", "-no-progress", "-noI"], check=True)
    whole = out.read_bytes()

    @given(st.integers(0, len(whole) - 1), st.binary(min_size=1, max_size=40))
    def hurt(at: int, noise: bytes) -> None:
        with suppress(Invalid):
            found_in(whole[:at] + noise + whole[at + len(noise) :])

    hurt()


@given(st.binary(max_size=2000))
def test_any_bytes_are_something_or_refused(content: bytes) -> None:
    for magic in (b"", b"hsqs", b"QFI\xfb", b"\x1f\x8b", b"\xfd7zXZ\0"):
        with suppress(Invalid):
            assert found_in(magic + content, Path()).size > 0


@given(st.binary(max_size=500))
def test_any_os_release_is_a_line_that_can_be_shown(content: bytes) -> None:
    for found in (os_release.distribution(content), os_release.distribution(b"PRETTY_NAME=" + content)):
        assert found.isprintable()
        assert len(found) <= 100
    os_release.architecture(content)


def test_an_os_release_without_a_pretty_name_is_named_all_the_same() -> None:
    assert os_release.distribution(b"NAME=Alpine\nVERSION_ID='3.20'\n") == "Alpine 3.20"
    assert os_release.distribution(b"# nothing\n") == ""
