"""What an upload's first bytes tell: zstd's own program is the peer."""

import io
import random
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.catalogue import sector_size_of, zstd_content_size
from appliance.errors import Invalid


def compressed(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, capture_output=True, check=True).stdout


def size_of(stored):
    return zstd_content_size(io.BytesIO(stored))


@pytest.mark.parametrize("size", [1, 200, 255, 256, 257, 65_535, 65_791, 65_792, 1 << 20, 5_000_000])
@pytest.mark.parametrize("level", ["-1", "-19"])
def test_sizes_as_zstd_writes_them(tmp_path, size, level):
    (tmp_path / "disk.raw").write_bytes(b"\0" * size)
    subprocess.run(["zstd", "-q", level, "disk.raw"], cwd=tmp_path, check=True)
    assert size_of((tmp_path / "disk.raw.zst").read_bytes()) == size


@pytest.mark.parametrize("check", ["--check", "--no-check"])
def test_several_frames_are_one_disk(check):
    # As pzstd and "zstd a b" write them; blocks that compress, that do not, and that repeat one byte.
    parts = [bytes(300_000), random.Random(1).randbytes(300_000), b"text " * 60_000]
    frames = [compressed(part, check, f"--stream-size={len(part)}") for part in parts]
    skippable = struct.pack("<II", 0x184D2A5F, 4) + b"pzst"
    stored = skippable + frames[0] + frames[1] + skippable + frames[2]
    assert size_of(stored) == 900_000
    assert subprocess.run(["zstd", "-dc"], input=stored, capture_output=True, check=True).stdout == b"".join(parts)


def test_a_stream_from_a_pipe_has_no_size():
    whole, piped = compressed(b"x" * 1000, "--stream-size=1000"), compressed(b"x" * 1000)
    for stored in (piped, whole + piped):
        with pytest.raises(Invalid) as caught:
            size_of(stored)
        assert caught.value.code == "image-size-unknown"


def test_a_file_that_was_cut_off_is_refused_wherever_that_was():
    stored = compressed(b"text" * 100_000, "--check", "--stream-size=400000")
    for end in (4, 5, 8, 14, 20, len(stored) // 2, len(stored) - 4, len(stored) - 1):
        with pytest.raises(Invalid):
            size_of(stored[:end])
    with pytest.raises(Invalid, match="not a Zstandard"):
        size_of(stored + b"more")


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(head):
    for data in (head, b"\x28\xb5\x2f\xfd" + head, b"\x50\x2a\x4d\x18" + head):
        try:
            assert size_of(data) >= 0
        except Invalid:
            continue


def test_sector_sizes():
    assert sector_size_of(b"\0" * 512 + b"EFI PART") == 512
    assert sector_size_of(b"\0" * 4096 + b"EFI PART") == 4096
    assert sector_size_of(b"\0" * 8192) is None
    assert sector_size_of(b"") is None
