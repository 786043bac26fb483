"""The header of an image, as QEMU writes it and as somebody who means ill does."""

import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.imageformat.qcow2 import BEGIN, MAGIC, Overlay, overlay


def header(version=3, name=b"", size=1 << 30, encrypted=0, features=0, name_size=None, name_at=None):
    """The first bytes of an image."""
    at = (200 if name else 0) if name_at is None else name_at
    length = len(name) if name_size is None else name_size
    fixed = struct.pack(">4sIQIIQI", MAGIC, version, at, length, 16, size, encrypted)
    return (fixed.ljust(72, b"\0") + features.to_bytes(8)).ljust(200, b"\0") + name.ljust(1024, b"\0")


@pytest.mark.parametrize("compat", ["0.10", "1.1"])
@pytest.mark.parametrize("backing", ["", "base.raw"])
def test_what_qemu_writes(tmp_path, compat, backing):
    (tmp_path / "base.raw").write_bytes(bytes(1 << 20))
    under = ["-b", backing, "-F", "raw"] if backing else []
    image = tmp_path / "image"
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"compat={compat}", *under, str(image), "12345856"]
    subprocess.run(argv, check=True)
    assert overlay(image.read_bytes()[:BEGIN]) == Overlay(12345856, backing)


def test_an_image_with_its_content_in_another_file_is_refused(tmp_path):
    options = f"data_file={tmp_path / 'elsewhere'}"
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, str(tmp_path / "image"), "1M"]
    subprocess.run(argv, check=True)
    assert overlay((tmp_path / "image").read_bytes()[:BEGIN]) is None


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"QFI\xfb",
        b"\0" * BEGIN,
        header(version=1),
        header(version=4),
        header(encrypted=1),
        header(features=1 << 1),
        header(features=1 << 2),
        header(name=b"x", name_size=1024),
        header(name=b"x", name_at=BEGIN * 2),
        header(name=b"x", name_at=(1 << 64) - 1),
        header()[:75],
    ],
)
def test_what_would_not_be_used(begin):
    assert overlay(begin) is None


def test_what_is_read_of_it():
    assert overlay(header()) == Overlay(1 << 30, "")
    assert overlay(header(name=b"base.raw")) == Overlay(1 << 30, "base.raw")
    assert overlay(header(name=b"\xff")) == Overlay(1 << 30, "\ufffd")
    assert overlay(header(version=2, features=1 << 2)) == Overlay(1 << 30, ""), "version 2 has no features there"


@given(st.binary(max_size=400), st.integers(0, 200), st.integers(0, 1224))
def test_no_bytes_are_too_odd(noise, at, end):
    whole = header(name=b"base.raw")
    found = overlay((whole[:at] + noise + whole[at + len(noise) :])[:end])
    assert found is None or 0 <= found.size < 1 << 64
