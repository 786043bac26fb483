"""Files of images and kernels: what a crash left over goes at the next start, and nothing else does."""

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
