"""What an upload's first bytes tell: zstd's own program is the peer."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.catalogue import sector_size_of, zstd_content_size
from appliance.errors import Invalid


@pytest.mark.parametrize("size", [1, 200, 255, 256, 257, 65_535, 65_791, 65_792, 1 << 20, 5_000_000])
@pytest.mark.parametrize("level", ["-1", "-19"])
def test_sizes_as_zstd_writes_them(tmp_path, size, level):
    (tmp_path / "disk.raw").write_bytes(b"\0" * size)
    subprocess.run(["zstd", "-q", level, "disk.raw"], cwd=tmp_path, check=True)
    assert zstd_content_size((tmp_path / "disk.raw.zst").read_bytes()[:18]) == size


def test_a_stream_from_a_pipe_has_no_size():
    stream = subprocess.run(["zstd", "-q", "-c"], input=b"x" * 1000, capture_output=True, check=True).stdout
    with pytest.raises(Invalid) as caught:
        zstd_content_size(stream[:18])
    assert caught.value.code == "image-size-unknown"


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(head):
    for data in (head, b"\x28\xb5\x2f\xfd" + head):
        try:
            assert zstd_content_size(data) >= 0
        except Invalid:
            continue


def test_sector_sizes():
    assert sector_size_of(b"\0" * 512 + b"EFI PART") == 512
    assert sector_size_of(b"\0" * 4096 + b"EFI PART") == 4096
    assert sector_size_of(b"\0" * 8192) is None
    assert sector_size_of(b"") is None
