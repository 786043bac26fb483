"""Kernels out of images: whatever these are stored as, cut off anywhere, and of images that mean no good."""

import asyncio
import random
import time
from contextlib import asynccontextmanager

import pytest
from kernel_images import BASE, FILES, LINKS, OLDER, STORED, VERSION, bzimage, names_in, one_partition, squashfs, tar

from appliance.accounts import Asker, Role
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus
from appliance.imageformat.kernels import kernels_in
from appliance.reconcile.image_kernels import source, taking
from appliance.reconcile.imports import Imports
from appliance.reconcile.intake import Intake
from appliance.reconcile.intake_jobs import IntakeJobs
from appliance.reconcile.jobs import Jobs
from appliance.store import catalogue, tasks
from appliance.store.store import open_store
from appliance.task import Status

ADA = Asker("ada", Role.OPERATOR)


async def chunks(content):
    yield content


class World:
    def __init__(self, store, state):
        self.store, self.bus, self.state = store, Bus(), state
        self.imports = Imports(store, self.bus, state, time.time)
        self.intake = Intake(store, self.bus, time.time, self.imports)

    async def image(self, content, name="live"):
        return await self.imports.add_image(name, "", "", chunks(content), ADA)

    async def asked(self, image="live", version="", name=""):
        return await self.intake.kernels.extract(image, version, name, ADA)

    @asynccontextmanager
    async def working(self):
        kinds = IntakeJobs(self.intake, time.time).kinds()
        running = asyncio.get_running_loop().create_task(Jobs(self.store, self.bus, time.time, kinds).run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def ended(self, task):
        async with self.working():
            while (found := await self.store.read(lambda db: tasks.get(db, task.id))).open:
                await asyncio.sleep(0.01)
        return found

    async def taken(self, **asked):
        return await self.ended(await self.asked(**asked))

    async def kernels(self):
        return await self.store.read(catalogue.kernels)

    def files(self):
        return {path.name for path in self.imports.kernels.iterdir() if path.is_file()}


@pytest.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        yield World(store, tmp_path)


@pytest.mark.parametrize("form", STORED)
async def test_a_kernel_comes_out_with_its_modules_and_their_firmware(world, tmp_path, form):
    image = await world.image(STORED[form](tmp_path))
    task = await world.taken()
    assert (task.status, task.reason) == (Status.DONE, "")
    [kernel] = await world.kernels()
    assert (kernel.name, kernel.version) == (f"live-{VERSION.replace('.', '-')}", VERSION)
    assert (kernel.image, kernel.origin, kernel.signed) == (image.id, "live", True)
    assert world.imports.kernel_file(kernel.id, "vmlinuz").read_bytes() == FILES[f"boot/vmlinuz-{VERSION}"]
    assert world.imports.kernel_file(kernel.id, "initrd").read_bytes() == b"initrd of its own"
    modules = world.imports.kernel_file(kernel.id, "modules").read_bytes()
    assert (len(modules), world.files()) == (
        kernel.modules_bytes,
        {f"{kernel.id}.{each}" for each in ("vmlinuz", "initrd", "modules")},
    )
    assert [name for name in names_in(modules) if "." in name.removeprefix(BASE)] == [
        f"{BASE}/kernel/drivers/net/ethernet/card.ko.xz",
        f"{BASE}/kernel/lib/needed.ko",
        f"{BASE}/modules.dep.bin",
        f"{BASE}/modules.alias.bin",
        "usr/lib/firmware/card/one.bin",
    ]
    found = await world.store.read(lambda db: catalogue.image(db, "live"))
    assert found.kernels == (VERSION, OLDER)


async def test_a_kernel_without_its_modules_is_refused_and_the_others_are_named(world):
    await world.image(tar())
    task = await world.taken(version=OLDER)
    assert (task.status, task.code) == (Status.FAILED, "kernel-without-modules")
    task = await world.taken(version="5.0")
    assert (task.code, VERSION in task.reason) == ("kernel-not-in-image", True)
    assert (await world.kernels(), world.files()) == ([], set())


async def test_an_image_without_a_kernel_says_so(world):
    await world.image(tar({"etc/os-release": b"", "usr/bin/sh": b"sh"}, {}))
    task = await world.taken()
    assert (task.status, task.code) == (Status.FAILED, "kernel-not-in-image")


async def test_a_disk_with_another_file_system_says_which(world):
    content = bytearray(2 << 20)
    content[:4] = b"XFSB"
    await world.image(bytes(content))
    task = await world.taken()
    assert (task.code, "found: xfs" in task.reason) == ("image-unread", True)


async def test_who_cannot_be_asked_is_refused_at_once(world):
    await world.image(tar())
    with pytest.raises(NotFound):
        await world.asked(image="other")
    with pytest.raises(Invalid, match="is no version"):
        await world.asked(version="../../etc")
    world.imports.image_path((await world.store.read(lambda db: catalogue.image(db, "live"))).id).unlink()
    with pytest.raises(Conflict) as refused:
        await world.asked()
    assert refused.value.code == "image-missing"


async def test_the_same_wish_twice_is_one_task(world):
    await world.image(tar())
    assert (await world.asked()).id == (await world.asked()).id
    assert (await world.asked(version=VERSION)).id != (await world.asked()).id


async def test_a_daemon_that_is_killed_in_the_middle_begins_it_anew_and_leaves_nothing(world):
    await world.image(tar())
    task = await world.asked()
    (world.imports.kernels / "0123456789abcdef.part").write_bytes(b"what a killed one had unpacked")
    again = World(world.store, world.state)
    await again.imports.sweep()
    assert again.files() == set()
    assert (await again.ended(task)).status is Status.DONE
    [kernel] = await again.kernels()
    # Killed behind the last step but one: it is listed, and the task does not know.
    await again.store.write(lambda db: tasks.put(db, task))
    done = await World(world.store, world.state).ended(task)
    assert (done.status, done.result["kernel"]) == (Status.DONE, kernel.id)
    assert len(await again.kernels()) == 1


async def test_a_deleted_kernel_leaves_no_file(world):
    await world.image(tar())
    await world.taken()
    [kernel] = await world.kernels()
    await world.imports.delete_kernel(kernel.name, ADA)
    assert world.files() == set()


HOSTILE = {
    "another kernel under its name": ({f"boot/vmlinuz-{VERSION}": bzimage("6.6.6-other")}, {}, "kernel-differs"),
    "no kernel": ({f"boot/vmlinuz-{VERSION}": b"#!/bin/sh\n" * 2000}, {}, "kernel-format"),
    "a module that is no xz": ({f"{BASE}/kernel/drivers/net/ethernet/card.ko.xz": b"xz?"}, {}, "image-format"),
    "a link out in its place": (
        {f"boot/vmlinuz-{VERSION}": None, f"boot/vmlinuz-{OLDER}": None},
        {f"boot/vmlinuz-{VERSION}": "/etc/shadow"},
        "kernel-not-in-image",
    ),
}


@pytest.mark.parametrize("form", ["tar", "squashfs", "raw"])
@pytest.mark.parametrize("what", HOSTILE)
async def test_what_is_not_what_it_claims_is_refused(world, tmp_path, form, what):
    files, links, code = HOSTILE[what]
    content = {name: each for name, each in {**FILES, **files}.items() if each is not None}
    made = {"files": content, "links": {**LINKS, **links}}
    await world.image({"tar": lambda: tar(**made), "squashfs": lambda: squashfs(tmp_path, **made),
                       "raw": lambda: one_partition(tmp_path, **made)}[form]())  # fmt: skip
    task = await world.taken()
    assert (task.status, task.code) == (Status.FAILED, code), task.reason
    assert (await world.kernels(), world.files()) == ([], set())


async def test_paths_in_the_index_of_modules_lead_nowhere(world):
    said = b"../../../../etc/passwd.ko: /etc/shadow\n" + FILES[f"{BASE}/modules.dep"]
    await world.image(tar({**FILES, f"{BASE}/modules.dep": said}))
    assert (await world.taken()).status is Status.DONE
    [kernel] = await world.kernels()
    assert not any("etc" in name for name in names_in(world.imports.kernel_file(kernel.id, "modules").read_bytes()))


async def test_what_is_too_large_is_refused(world, monkeypatch):
    monkeypatch.setattr(source, "LARGEST_FILE", 1000)
    await world.image(tar())
    assert "no file of a kernel is that large" in (await world.taken()).reason
    monkeypatch.undo()
    monkeypatch.setattr(taking, "LARGEST_MODULES", 10)
    assert "its kernel needs have more than" in (await world.taken()).reason
    assert world.files() == set()


def test_a_disk_with_any_byte_changed_is_read_or_refused(tmp_path):
    """Whatever is broken in its file system: an answer, or words; never another error, nor no end."""
    good, chance = one_partition(tmp_path), random.Random(6)
    image = type("Image", (), {"format": "raw", "name": "live", "size": len(good)})()
    path = tmp_path / "broken.raw"
    used = [at for at in range(1 << 20, len(good), 512) if any(good[at : at + 512])]
    for _ in range(120):
        broken = bytearray(good)
        for _ in range(chance.randint(1, 40)):
            broken[min(chance.choice(used) + chance.randrange(512), len(good) - 1)] = chance.randrange(256)
        path.write_bytes(broken)
        try:
            with source.opened(image, path, tmp_path / "scratch", lambda _: None) as there:
                taking.taken(there, taking.chosen(kernels_in(there.names), "", "live"), lambda _: None)
        except ApplianceError:
            pass  # with words
