"""Files of images and kernels: what a crash left over goes at the next start, and nothing else does."""

import errno
from pathlib import Path

from appliance.events import Bus
from appliance.reconcile.imports import Imports
from appliance.store.store import open_store

BZIMAGE = b"\0" * 0x202 + b"HdrS" + b"\0" * 1000


async def stream(*chunks):
    for chunk in chunks:
        yield chunk


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
