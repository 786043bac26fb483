"""Headers of qcow2: those that stand for themselves, and those that lie or lead elsewhere."""

import io
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import qcow2

from appliance.errors import Invalid
from appliance.imageformat.qcow2 import disk_size


def size_of(content: bytes) -> int:
    return disk_size(io.BytesIO(content), len(content))


@pytest.mark.parametrize("version", [2, 3])
def test_a_file_that_stands_for_itself_has_a_size(version: int) -> None:
    assert size_of(qcow2(5 << 29, version, l1=5)) == 5 << 29


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"backing": 0x200, "backing_size": 11}, "image-outside", "backing file"),
        ({"incompatible": 4}, "image-outside", "external data file"),
        ({"crypt": 1}, "image-encrypted", "encrypted"),
        ({"crypt": 2}, "image-encrypted", "encrypted"),
        ({"incompatible": 2}, "image-format", "damaged"),
        ({"incompatible": 1 << 9}, "image-format", "incompatible features 0x200"),
        ({"size": 0}, "image-size", "no whole disk"),
        ({"size": 1000}, "image-size", "no whole disk"),
        ({"size": 1 << 62}, "image-size", "no whole disk"),
        ({"size": 1 << 45}, "image-format", "is not that of a disk"),
        ({"l1": 1 << 30}, "image-format", "is not that of a disk"),
        ({"bits": 8}, "image-format", "2^8 bytes"),
        ({"bits": 64}, "image-format", "2^64 bytes"),
        ({"l1_at": 0}, "image-format", "no bytes"),
        ({"l1_at": 9 << 16}, "image-format", "cut off"),
        ({"l1_at": (3 << 16) + 8}, "image-format", "no bytes"),
        ({"counts": 1 << 20}, "image-format", "cut off"),
        ({"length": 1 << 20}, "image-format", "its header would have"),
        ({"length": 8}, "image-format", "its header would have"),
    ],
)
def test_what_lies_or_leads_elsewhere_is_refused(changes: dict[str, int], code: str, words: str) -> None:
    with pytest.raises(Invalid, match=words.replace("^", r"\^")) as refused:
        size_of(qcow2(**changes))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("kind", "code"), [(0x44415441, "image-outside"), (0x0537BE77, "image-encrypted")], ids=["data file", "key"]
)
def test_names_of_other_files_are_found_behind_other_extensions(kind: int, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        size_of(qcow2(extensions=[(0x6803F857, b"x" * 50), (kind, b"/etc/shadow")]))
    assert refused.value.code == code


def test_other_versions_and_extensions_without_an_end_are_refused() -> None:
    endless = qcow2(extensions=[(0x6803F857, b"")])
    for content in (qcow2(version=1), qcow2(version=4), endless.replace(b"\x68\x03\xf8\x57" + bytes(4), b"\xff" * 8)):
        with pytest.raises(Invalid):
            size_of(content)


@given(st.binary(max_size=300), st.integers(0, 110))
def test_any_bytes_give_a_size_or_a_reason(noise: bytes, at: int) -> None:
    content = qcow2()
    hurt = content[:at] + noise + content[at + len(noise) :]
    for each in (hurt, b"QFI\xfb" + noise):
        with suppress(Invalid):
            assert size_of(each) % 512 == 0


def test_what_qemu_writes_is_read(tmp_path: Path) -> None:
    base, top = tmp_path / "base.qcow2", tmp_path / "top.qcow2"
    for options in ("compat=0.10", "compat=1.1", "compression_type=zstd,cluster_size=4k", "extended_l2=on"):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, base, "3G"], check=True)
        with base.open("rb") as file:
            assert disk_size(file, base.stat().st_size) == 3 << 30
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", top], check=True)
    with top.open("rb") as file, pytest.raises(Invalid, match="backing file"):
        disk_size(file, top.stat().st_size)
    options = f"data_file={tmp_path / 'data.raw'},data_file_raw=on"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, top, "1G"], check=True)
    with top.open("rb") as file, pytest.raises(Invalid, match="external data file"):
        disk_size(file, top.stat().st_size)
