"""Files of images and kernels: what a crash left over goes at the next start, and nothing else does."""

import errno
import struct
import subprocess
from pathlib import Path

import pytest

from appliance.errors import Invalid
from appliance.events import Bus
from appliance.reconcile.imports import Imports
from appliance.store.store import open_store

BZIMAGE = b"\0" * 0x202 + b"HdrS" + b"\0" * 1000


async def stream(*chunks):
    for chunk in chunks:
        yield chunk


def gpt(sector_size, size=1 << 20):
    head = bytearray(size)
    head[sector_size : sector_size + 8] = b"EFI PART"
    return bytes(head)


def zstd(data):
    return subprocess.run(["zstd", "-qc", f"--stream-size={len(data)}"], input=data, capture_output=True).stdout


async def imported(path, image_format, content):
    async with open_store(path / "store.db") as store:
        imports = Imports(store, Bus(), path, lambda: 0.0)
        return await imports.add_image("demo", "", image_format, stream(content), "admin")


@pytest.mark.parametrize(("image_format", "stored"), [("raw", bytes), ("raw.zst", zstd)])
@pytest.mark.parametrize("sector_size", [512, 4096])
async def test_the_sector_size_is_that_of_the_disk_inside(tmp_path, image_format, stored, sector_size):
    image = await imported(tmp_path, image_format, stored(gpt(sector_size)))
    assert (image.size, image.sector_size) == (1 << 20, sector_size)


async def test_a_disk_without_gpt_has_512_byte_sectors(tmp_path):
    assert (await imported(tmp_path, "raw.zst", zstd(bytes(1 << 20)))).sector_size == 512


async def test_a_disk_of_several_frames_is_as_large_as_all_of_them(tmp_path):
    image = await imported(tmp_path, "raw.zst", zstd(gpt(4096)) + zstd(bytes(1 << 20)))
    assert (image.size, image.sector_size) == (2 << 20, 4096)


async def test_a_disk_that_cannot_be_unpacked_is_refused(tmp_path):
    header = struct.pack("<IBI", 0xFD2FB528, 0xA0, 4096)  # of one segment, its size in four bytes
    block = (20 << 3 | 2 << 1 | 1).to_bytes(3, "little")  # the last, compressed, 20 bytes
    async with open_store(tmp_path / "store.db") as store:
        imports = Imports(store, Bus(), tmp_path, lambda: 0.0)
        with pytest.raises(Invalid, match="cannot be unpacked") as caught:
            await imports.add_image("demo", "", "raw.zst", stream(header + block + b"\xff" * 20), "admin")
        assert caught.value.code == "image-format"
        assert not list(imports.images.iterdir())


async def test_files_that_nothing_names_go_at_the_next_start(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        imports = Imports(store, Bus(), tmp_path, lambda: 0.0)
        image = await imports.add_image("demo", "", "raw", stream(b"\0" * 4096), "admin")
        kernel = await imports.add_kernel("mine", "6", "", stream(BZIMAGE), stream(b"initrd"), "admin")
        kept = {path for directory in (imports.images, imports.kernels) for path in directory.iterdir()}
        for left in ("images/abcd.part", f"images/{image.id + 1}", f"kernels/{kernel.id + 1}.initrd"):
            (tmp_path / left).write_bytes(b"left")
        again = Imports(store, Bus(), tmp_path, lambda: 0.0)
        await again.sweep()
        assert {path for directory in (again.images, again.kernels) for path in directory.iterdir()} == kept
        assert again.image_path(image.id) in kept


async def test_what_is_no_file_of_ours_stays_and_stops_nobody(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        imports = Imports(store, Bus(), tmp_path, lambda: 0.0)
        (tmp_path / "images/lost+found/1").mkdir(parents=True)
        (tmp_path / "kernels/9.vmlinuz").mkdir()
        for name in ("images/7", "kernels/8.initrd"):
            (tmp_path / name).write_bytes(b"left")
        await imports.sweep()
        left = {path.name for directory in (imports.images, imports.kernels) for path in directory.iterdir()}
        assert left == {"lost+found", "9.vmlinuz"}


async def test_a_file_that_cannot_be_removed_is_told_and_stops_nobody(tmp_path, caplog, monkeypatch):
    def refused(path, missing_ok=False):
        raise PermissionError(errno.EACCES, "Permission denied")

    async with open_store(tmp_path / "store.db") as store:
        imports = Imports(store, Bus(), tmp_path, lambda: 0.0)
        (imports.images / "7").write_bytes(b"left")
        monkeypatch.setattr(Path, "unlink", refused)
        await imports.sweep()
    assert "images/7" in caplog.text
    assert "Permission denied" in caplog.text
