"""Kernels in packages of Debian: with their modules in one action, however packed, and of those who mean no good."""

import subprocess

import pytest
from kernel_images import BASE, FILES, LINKS, OLDER, VERSION, bzimage, names_in, tree
from test_brought_modules import MODULES, kernel, left, modules
from test_brought_modules import brought_in as given
from test_image_kernels import ADA, World, chunks

from appliance.errors import ApplianceError
from appliance.half_upload import Identity, Piece
from appliance.intake import KernelWish
from appliance.reconcile.image_kernels import indexing
from appliance.store import tasks
from appliance.store.store import open_store
from appliance.task import Status

CONTROL = "Package: linux-image-test\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: a\n"
INDEXES = tuple(name for name in FILES if f"{BASE}/modules." in name)
"""What packages do not have: depmod makes it when they are installed."""
BESIDES = (*INDEXES, f"boot/initrd.img-{VERSION}", f"boot/vmlinuz-{OLDER}")
PLAIN = {name: each for name, each in FILES.items() if name not in BESIDES}


@pytest.fixture
async def world(tmp_path):
    (tmp_path / "state").mkdir()
    async with open_store(tmp_path / "store.db") as store:
        yield World(store, tmp_path / "state")


def deb(scratch, files=PLAIN, links=LINKS, packing="xz"):
    (scratch / "tree/DEBIAN").mkdir(parents=True)
    (scratch / "tree/DEBIAN/control").write_text(CONTROL)
    tree(scratch / "tree", files, links)
    made = scratch / "linux-image.deb"
    subprocess.run(["dpkg-deb", f"-Z{packing}", "--root-owner-group", "--build", scratch / "tree", made], check=True)
    return made.read_bytes()


async def added(world, content, behind=b"", version=""):
    wish, size = KernelWish("six", version, "", len(behind)), len(content + behind)
    begun = await world.intake.begin(wish, Identity("linux-image.deb", size), ADA, replace=False)
    last = await world.intake.take(
        begun.place, begun.half.turn, Piece(0, size - 1, size), chunks(content + behind), ADA
    )
    return await world.ended(last.task)


@pytest.mark.parametrize("packing", ["xz", "gzip", "zstd", "none"])
async def test_a_package_brings_the_kernel_with_its_modules(world, tmp_path, packing):
    task = await added(world, deb(tmp_path, packing=packing))
    assert (task.status, task.reason) == (Status.DONE, "")
    [found] = await world.kernels()
    assert (found.name, found.version, found.signed, found.initrd_sha256) == ("six", VERSION, True, None)
    assert world.imports.kernel_file(found.id, "vmlinuz").read_bytes() == FILES[f"boot/vmlinuz-{VERSION}"]
    names = names_in(world.imports.kernel_file(found.id, "modules").read_bytes())
    assert {f"{BASE}/modules.{name}.bin" for name in ("dep", "alias", "builtin")} <= set(names)
    assert f"{BASE}/kernel/drivers/net/ethernet/card.ko.xz" in names
    assert not [name for name in names if "loud" in name]
    assert (left(world), world.imports.lacks(found)) == (set(), False)


async def test_an_initrd_may_come_behind_it(world, tmp_path):
    await added(world, deb(tmp_path), b"initrd of mine", "my own")
    [found] = await world.kernels()
    assert world.imports.kernel_file(found.id, "initrd").read_bytes() == b"initrd of mine"
    assert found.version == "my own"


async def test_a_package_without_modules_takes_those_of_another_one(world, tmp_path):
    """As Ubuntu has them: linux-image, and linux-modules."""
    (tmp_path / "other").mkdir()
    only = {name: each for name, each in PLAIN.items() if name.startswith("boot/")}
    task = await added(world, deb(tmp_path, only, {}))
    assert task.status is Status.DONE
    said = await world.store.read(lambda db: tasks.lines(db, task.id, 0, 100))
    assert any("linux-modules" in each.text for each in said)
    only = {name: each for name, each in MODULES.items() if name not in INDEXES}
    assert (await given(world, deb(tmp_path / "other", only, {}))).modules_bytes


HOSTILE = {
    "no kernel": ({"usr/share/doc/linux-image-amd64/copyright": b""}, "package-kernels"),
    "two kernels": (PLAIN | {"boot/vmlinuz-6.6.6": bzimage("6.6.6")}, "package-kernels"),
    "another kernel under its name": (PLAIN | {f"boot/vmlinuz-{VERSION}": bzimage("6.6.6-other")}, "kernel-differs"),
    "a script": (PLAIN | {f"boot/vmlinuz-{VERSION}": b"#!/bin/sh\n" * 9000}, "kernel-format"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_what_is_not_what_it_claims_is_refused(world, tmp_path, what):
    files, code = HOSTILE[what]
    task = await added(world, deb(tmp_path, files, {}))
    assert (task.status, task.code) == (Status.FAILED, code), task.reason
    assert await world.kernels() == []


async def test_a_package_that_is_cut_off_is_refused(world, tmp_path):
    content = deb(tmp_path)
    task = await added(world, content[: len(content) // 2])
    assert (task.status, task.code) == (Status.FAILED, "image-format")
    assert left(world) == set()


async def test_depmod_is_named_where_it_is_not_installed(world, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(indexing, "limits", lambda _: [])
    await kernel(world)
    with pytest.raises(ApplianceError) as refused:
        await given(world, modules(files={name: each for name, each in MODULES.items() if name not in INDEXES}))
    assert (refused.value.code, "kmod" in refused.value.hint) == ("program-missing", True)


async def test_what_a_killed_daemon_was_indexing_is_removed(world):
    place = world.imports.kernels / "x1.part/usr/lib/modules"
    place.mkdir(parents=True)
    (place / "a.ko").write_bytes(b"")
    (world.imports.kernels / "unnamed").mkdir()
    await world.imports.sweep()
    assert [path.name for path in world.imports.kernels.iterdir()] == ["unnamed"]
