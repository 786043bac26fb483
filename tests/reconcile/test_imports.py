"""Files of images and kernels: what a crash left over goes at the next start, and no content is ever lost."""

import errno
import os
import struct
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appliance.catalogue import KernelWords
from appliance.errors import ApplianceError, Invalid
from appliance.events import Bus
from appliance.reconcile.imports import Imports
from appliance.store import catalogue, events
from appliance.store.store import open_store
from tests.people import ADA, ADMIN

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
        return await imports.add_image("demo", "", image_format, stream(content), ADMIN)


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
            await imports.add_image("demo", "", "raw.zst", stream(header + block + b"\xff" * 20), ADMIN)
        assert caught.value.code == "image-format"
        assert not list(imports.images.iterdir())


@asynccontextmanager
async def opened(path):
    """An imports of its own over the state in ``path``, as after a start."""
    path.mkdir(exist_ok=True)
    async with open_store(path / "store.db") as store:
        yield Imports(store, Bus(), path, lambda: 5.0)


def files(imports):
    every = [path for directory in (imports.images, imports.kernels) for path in directory.rglob("*")]
    return {str(path.relative_to(imports.images.parent)) for path in every if path.is_file()}


async def troubles(imports):
    return [each.text for each in await imports._store.read(lambda db: events.query(db, kind="daemon.trouble"))]


async def test_an_upload_that_was_cut_off_goes_at_the_next_start(tmp_path):
    async with opened(tmp_path) as imports:
        image = await imports.add_image("demo", "", "raw", stream(b"\0" * 4096), ADMIN)
        kernel = await imports.add_kernel(KernelWords("mine", "6"), stream(BZIMAGE), stream(b"initrd"), ADMIN)
        kept = files(imports)
        for left in ("images/abcd.part", "kernels/0123.part"):
            (tmp_path / left).write_bytes(b"left")
        await imports.sweep()
        assert files(imports) == kept
        assert kept == {f"images/{image.id}", f"kernels/{kernel.id}.vmlinuz", f"kernels/{kernel.id}.initrd"}
        assert await troubles(imports) == []


async def test_a_store_that_was_lost_costs_no_image(tmp_path):
    async with opened(tmp_path) as imports:
        await imports.add_image("demo", "", "raw", stream(b"mine" * 1024), ADMIN)
        await imports.add_kernel(KernelWords("mine", "6"), stream(BZIMAGE), stream(b"initrd"), ADMIN)
    for path in tmp_path.glob("store.db*"):
        path.unlink()
    async with opened(tmp_path) as imports:
        await imports.sweep()
        aside = {"images/unnamed/1", "kernels/unnamed/1.vmlinuz", "kernels/unnamed/1.initrd"}
        assert files(imports) == aside
        # Its number is given again: the content from before is not overwritten.
        await imports.add_image("other", "", "raw", stream(b"\0" * 4096), ADMIN)
        assert files(imports) == aside | {"images/1"}
        assert (tmp_path / "images/unnamed/1").read_bytes() == b"mine" * 1024
        (said,) = await troubles(imports)
        assert f"1 file of 4096 bytes in {tmp_path}/images/unnamed" in said
        assert f"2 files of {len(BZIMAGE) + 6} bytes in {tmp_path}/kernels/unnamed" in said


async def test_what_is_kept_aside_is_told_at_each_start_and_never_replaced(tmp_path):
    async with opened(tmp_path) as imports:
        for content in (b"first", b"second"):
            (imports.images / "7").write_bytes(content)
            await imports.sweep()
        await imports.sweep()
        kept = {path.read_bytes() for path in (imports.images / "unnamed").iterdir()}
        assert kept == {b"first", b"second"}
        assert len(await troubles(imports)) == 3


@pytest.mark.parametrize("done", [0, 1])
async def test_a_deletion_that_a_crash_cut_off_goes_on_at_the_next_start(tmp_path, monkeypatch, done):
    async with opened(tmp_path) as imports:
        await imports.add_image("demo", "", "raw", stream(b"\0" * 4096), ADMIN)
        await imports.add_kernel(KernelWords("mine", "6"), stream(BZIMAGE), stream(b"initrd"), ADMIN)
        unlink, removed = Path.unlink, []

        def dies(path, missing_ok=False):
            if len(removed) >= done:
                raise SystemError("power cut")
            removed.append(path)
            unlink(path, missing_ok)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", dies)
            with pytest.raises(SystemError):
                await imports.delete_kernel("mine", ADA)
            removed[:] = [None] * done
            with pytest.raises(SystemError):
                await imports.delete_image("demo", ADA)
    async with opened(tmp_path) as imports:
        await imports.sweep()
        assert files(imports) == set()
        assert await troubles(imports) == []


async def test_a_deletion_is_forgotten_once_it_is_done(tmp_path):
    async with opened(tmp_path) as imports:
        await imports.add_image("demo", "", "raw", stream(b"\0" * 4096), ADMIN)
        await imports.delete_image("demo", ADA)
        assert files(imports) == set()
        assert await imports._store.read(catalogue.doomed) == {"images/1"}
        await imports.sweep()
        assert await imports._store.read(catalogue.doomed) == set()


async def test_what_is_no_file_of_ours_stays_and_stops_nobody(tmp_path):
    async with opened(tmp_path) as imports:
        (tmp_path / "images/lost+found/1").mkdir(parents=True)
        (tmp_path / "kernels/9.vmlinuz").mkdir()
        (tmp_path / "images/8").symlink_to(tmp_path / "store.db")
        for name in ("images/notes.txt", "kernels/config"):
            (tmp_path / name).write_bytes(b"a user's")
        await imports.sweep()
        left = {path.name for directory in (imports.images, imports.kernels) for path in directory.iterdir()}
        assert left == {"lost+found", "9.vmlinuz", "8", "notes.txt", "config"}
        assert (tmp_path / "store.db").exists()


@pytest.mark.parametrize("call", ["unlink", "rename"])
async def test_a_file_that_cannot_be_removed_or_moved_is_told_and_stops_nobody(tmp_path, caplog, monkeypatch, call):
    def refused(path, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    async with opened(tmp_path) as imports:
        for name in ("7", "8", "9.part"):
            (imports.images / name).write_bytes(b"left")
        monkeypatch.setattr(Path, call, refused)
        await imports.sweep()
    assert ("images/9.part" if call == "unlink" else "images/7") in caplog.text
    assert "Permission denied" in caplog.text


async def test_a_directory_that_cannot_be_read_or_a_full_disk_keeps_nobody_from_starting(tmp_path, caplog, monkeypatch):
    async def full(*_):
        raise ApplianceError("store-failed", "database or disk is full")

    async with opened(tmp_path) as imports:
        (imports.images / "7").write_bytes(b"left")
        imports.kernels.rmdir()
        monkeypatch.setattr(imports._store, "write", full)
        await imports.sweep()
        assert files(imports) == {"images/unnamed/7"}
    assert "disk is full" in caplog.text
    assert f"{tmp_path}/kernels" in caplog.text


def room(monkeypatch, free, of=1000 << 30):
    """A file system with so many bytes free, less what was written since."""
    real, written = os.write, []

    def writes(descriptor, data):
        written.append(len(data))
        return real(descriptor, data)

    def found(_):
        left = (free - sum(written)) // 512
        return os.statvfs_result((512, 512, of // 512, left, left, 0, 0, 0, 0, 255))

    monkeypatch.setattr(os, "write", writes)
    monkeypatch.setattr(os, "fstatvfs", found)


async def counted(taken, chunks):
    async for chunk in stream(*chunks):
        taken.append(chunk)
        yield chunk


async def test_an_upload_that_is_larger_than_what_is_free_is_refused_before_its_first_byte(tmp_path, monkeypatch):
    room(monkeypatch, (1 << 30) + 8192)
    async with opened(tmp_path) as imports:
        taken = []
        with pytest.raises(ApplianceError) as refused:
            await imports.add_image("demo", "", "raw", counted(taken, [b"\0" * 4096] * 3), ADA, 3 * 4096)
        assert (refused.value.code, taken, files(imports)) == ("upload-failed", [], set())
        assert "1.1 GB are free, of which 1.1 GB are kept" in refused.value.message
        assert (await imports.add_image("demo", "", "raw", stream(b"\0" * 8192), ADA, 8192)).size == 8192


async def test_an_upload_of_unknown_size_leaves_room_for_leases_and_the_state(tmp_path, monkeypatch):
    room(monkeypatch, (1 << 30) + 8192)
    async with opened(tmp_path) as imports:
        taken = []
        with pytest.raises(ApplianceError) as refused:
            await imports.add_image("demo", "", "raw", counted(taken, [b"\0" * 4096] * 9), ADA)
        assert (refused.value.code, len(taken), files(imports)) == ("upload-failed", 3, set())


async def test_a_small_file_system_keeps_a_twentieth(tmp_path, monkeypatch):
    room(monkeypatch, 1 << 20, of=10 << 20)
    async with opened(tmp_path) as imports:
        assert (await imports.add_image("demo", "", "raw", stream(b"\0" * 4096), ADA)).size == 4096
        with pytest.raises(ApplianceError):
            await imports.add_image("more", "", "raw", stream(b"\0" * (600 << 10)), ADA)


async def test_a_full_disk_costs_the_image_that_came_along_and_not_the_start(tmp_path, monkeypatch, caplog):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/image.json").write_text('{"name": "demo", "format": "raw"}')
    (tmp_path / "demo/image.raw").write_bytes(b"\0" * 4096)
    async with opened(tmp_path) as imports:
        with monkeypatch.context() as patched:
            room(patched, 1 << 20)
            await imports.preload([tmp_path / "demo"])
        assert await imports._store.read(catalogue.images) == []
        assert "demo" in caplog.text
        await imports.preload([tmp_path / "demo"])
        assert [image.name for image in await imports._store.read(catalogue.images)] == ["demo"]


@pytest.mark.parametrize("error", [ConnectionResetError(errno.ECONNRESET, "gone"), TimeoutError(errno.ETIMEDOUT, "")])
async def test_a_sender_that_is_gone_is_no_matter_of_space(tmp_path, error):
    async def breaks_off():
        yield b"\0" * 512
        raise error

    async with opened(tmp_path) as imports:
        with pytest.raises(Invalid) as refused:
            await imports.add_image("demo", "", "raw", breaks_off(), ADA)
        assert refused.value.code == "upload-cut-off"
        assert files(imports) == set()


async def restored_without_content(path):
    """A state that names an image and a kernel, and has the content of neither."""
    async with opened(path) as imports:
        await imports.add_image("demo", "", "raw", stream(gpt(512)), ADMIN)
        await imports.add_kernel(KernelWords("six", "6"), stream(BZIMAGE), stream(b"initrd"), ADMIN)
    for name in ("images/1", "kernels/1.initrd"):
        (path / name).unlink()


async def test_what_has_no_content_is_told_at_the_start(tmp_path):
    await restored_without_content(tmp_path)
    async with opened(tmp_path) as imports:
        await imports.sweep()
        await imports.tell_missing()
        found = await imports._store.read(lambda db: events.query(db, kind="daemon.trouble"))
        assert ["image demo, kernel six" in each.text for each in found] == [True]


async def test_what_has_no_content_is_filled_by_the_same_file_again(tmp_path):
    await restored_without_content(tmp_path)
    async with opened(tmp_path) as imports:
        image = await imports.add_image("demo", "", "raw", stream(gpt(512)), ADMIN)
        kernel = await imports.add_kernel(KernelWords("six", "6"), stream(BZIMAGE), stream(b"initrd"), ADMIN)
        assert (image.id, kernel.id) == (1, 1)
        assert not imports.lacks(image)
        assert not imports.lacks(kernel)
        assert files(imports) == {"images/1", "kernels/1.vmlinuz", "kernels/1.initrd"}
        with pytest.raises(ApplianceError, match="called demo"):
            await imports.add_image("demo", "", "raw", stream(gpt(512)), ADMIN)


async def test_another_file_does_not_take_its_place(tmp_path):
    await restored_without_content(tmp_path)
    async with opened(tmp_path) as imports:
        for again in (
            imports.add_image("demo", "", "raw", stream(gpt(4096)), ADMIN),
            imports.add_kernel(KernelWords("six", "6"), stream(BZIMAGE), stream(b"another"), ADMIN),
        ):
            with pytest.raises(ApplianceError) as raised:
                await again
            assert raised.value.code == "content-differs"
        assert files(imports) == {"kernels/1.vmlinuz"}


@pytest.mark.parametrize(("sector_size", "comes_back"), [(512, True), (4096, False)])
async def test_a_preloaded_image_comes_back_by_itself(tmp_path, sector_size, comes_back):
    """One that changed with the product does not, and does not keep the appliance from starting."""
    await restored_without_content(tmp_path)
    product = tmp_path / "product"
    product.mkdir()
    (product / "image.json").write_text('{"name": "demo", "format": "raw"}')
    (product / "image.raw").write_bytes(gpt(sector_size))
    async with opened(tmp_path) as imports:
        await imports.preload([product])
        assert (tmp_path / "images" / "1").exists() is comes_back
