"""Modules for a kernel that was added by hand: whatever they come in, cut off, and of archives that mean no good."""

import gzip
import io
import lzma
import subprocess
import tarfile
from dataclasses import replace

import pytest
from kernel_images import BASE, FILES, LINKS, OLDER, VERSION, bzimage, names_in, squashfs, tar
from test_image_kernels import ADA, World, chunks

from appliance.catalogue import KernelWords
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.half_upload import Identity, Piece
from appliance.intake import ModulesWish, Place
from appliance.reconcile.image_kernels import source
from appliance.reconcile.root_kernels import kernel_for_roots
from appliance.store import catalogue, tasks
from appliance.store.store import open_store
from appliance.task import Status

MODULES = {name: each for name, each in FILES.items() if name.startswith((BASE, "usr/lib/firmware"))}
FIRMWARE = {name: target for name, target in LINKS.items() if "firmware" in name}
BUILD = {f"{BASE}/build": f"/usr/src/linux-headers-{VERSION}", f"{BASE}/source": "../../../src/linux"}
"""As every distribution has them."""


def zst(content):
    return subprocess.run(["zstd", "-qc"], input=content, capture_output=True, check=True).stdout


def modules(**more):
    return tar(**{"files": MODULES, "links": FIRMWARE | BUILD, **more})


PLAIN = modules()
FORMS = {
    "tar": lambda _: PLAIN,
    "tar.gz": lambda _: gzip.compress(PLAIN, 1),
    "tar.xz": lambda _: lzma.compress(PLAIN),
    "tar.zst": lambda _: zst(PLAIN),
    "squashfs": lambda scratch: squashfs(scratch, files=MODULES, links=FIRMWARE),
    "lib and not usr/lib": lambda _: modules(files={name.removeprefix("usr/"): each for name, each in MODULES.items()},
                                             links={name.removeprefix("usr/"): to for name, to in FIRMWARE.items()}),
}  # fmt: skip


@pytest.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        yield World(store, tmp_path)


async def kernel(world, name="six", content=None, version=""):
    words = KernelWords(name, version)
    return await world.imports.add_kernel(words, chunks(content or bzimage(signed=True)), chunks(b"initrd"), ADA)


async def sent(world, content, name="six"):
    """All of it in one piece; the task, ended."""
    begun = await world.intake.begin(ModulesWish(name), Identity("modules", len(content)), ADA, replace=False)
    piece = Piece(0, len(content) - 1, len(content))
    last = await world.intake.take(begun.place, begun.half.turn, piece, chunks(content), ADA)
    return await world.ended(last.task)


async def brought_in(world, content, name="six"):
    """As the form of the console without scripts does it."""
    return await world.intake.modules.bring(name, chunks(content), ADA)


def left(world):
    """What lies beside the kernel's own files."""
    return {path.name for path in world.imports.kernels.rglob("*") if path.suffix in (".part", ".json")}


@pytest.mark.parametrize("form", FORMS)
async def test_a_kernel_by_hand_can_start_roots_on_the_network_once_it_has_its_modules(world, tmp_path, form):
    before = await kernel(world)
    with pytest.raises(Conflict, match="came without its modules"):
        await world.store.read(lambda db: kernel_for_roots(db, "six"))
    task = await sent(world, FORMS[form](tmp_path))
    assert (task.status, task.reason, task.result["kernel"]) == (Status.DONE, "", before.id)
    [after] = await world.kernels()
    packed = world.imports.kernel_file(after.id, "modules").read_bytes()
    assert (after.modules_bytes, after.signed, after.version) == (len(packed), True, VERSION)
    assert [name for name in names_in(packed) if "." in name.removeprefix(BASE)] == [
        f"{BASE}/kernel/drivers/net/ethernet/card.ko.xz",
        f"{BASE}/kernel/lib/needed.ko",
        f"{BASE}/modules.dep.bin",
        f"{BASE}/modules.alias.bin",
        "usr/lib/firmware/card/one.bin",
    ]
    assert await world.store.read(lambda db: kernel_for_roots(db, "six")) == before.id
    assert (left(world), world.imports.lacks(after)) == (set(), False)


async def test_they_are_the_same_as_those_that_a_kernel_brings_along_in_its_image(world):
    await kernel(world)
    await brought_in(world, PLAIN)
    await world.image(tar())
    await world.taken(name="live")
    by_hand, of_image = sorted(await world.kernels(), key=lambda each: each.name, reverse=True)
    assert by_hand.modules_sha256 == of_image.modules_sha256


async def test_their_indexes_are_made_where_depmod_has_not_been(world):
    await kernel(world)
    bare = {name: each for name, each in MODULES.items() if "modules." not in name}
    found = await brought_in(world, modules(files=bare))
    names = names_in(world.imports.kernel_file(found.id, "modules").read_bytes())
    assert {f"{BASE}/modules.{name}.bin" for name in ("dep", "alias", "builtin")} <= set(names)
    assert f"{BASE}/kernel/drivers/net/ethernet/card.ko.xz" in names
    assert left(world) == set()


DEVICE = tarfile.TarInfo("lib/modules/disk")
DEVICE.type, DEVICE.devmajor = tarfile.BLKTYPE, 8


def with_member(member):
    out = io.BytesIO(PLAIN[: PLAIN.rindex(b"ustar") - 257 + 512])
    out.seek(0, io.SEEK_END)
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(member)
    return out.getvalue()


def but(files=(), links=()):
    return modules(files={**MODULES, **dict(files)}, links={**FIRMWARE, **dict(links)})


HOSTILE = {
    "of another version": (
        lambda: modules(files={name.replace(VERSION, OLDER): each for name, each in MODULES.items()}, links={}),
        "kernel-differs", f"pack lib/modules/{VERSION}",
    ),
    "of two kernels": (
        lambda: but({f"lib/modules/{OLDER}/modules.dep": b""}), "modules-versions", "pack those of one kernel",
    ),
    "of none": (lambda: tar({"etc/passwd": b""}, {}), "modules-versions", "lib/modules"),
    "no archive": (lambda: b"#!/bin/sh\nexit 0\n" * 100, "modules-format", "tar -C /usr"),
    "packed, and no archive": (lambda: gzip.compress(b"no tar" * 1000), "image-format", ""),
    "cut off": (lambda: PLAIN[:3000], "image-format", ""),
    "a file that is a directory as well": (
        lambda: tar({f"{BASE}/kernel/a.ko": b"", f"{BASE}/kernel/a.ko/b.ko": b""}, {}), "image-format", "",
    ),
    "a module that is a link out": (
        lambda: but(links={f"{BASE}/kernel/drivers/net/evil.ko": "../../../../../../../etc/shadow"}),
        "image-escapes", "pack the modules themselves",
    ),
    "a name that leads out": (lambda: but({"../../etc/cron.d/evil": b"x"}), "image-escapes", ""),
    "a device": (lambda: with_member(DEVICE), "image-escapes", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
async def test_what_is_not_what_it_claims_is_refused_and_leaves_nothing(world, what):
    content, code, hint = HOSTILE[what]
    await kernel(world)
    task = await sent(world, content())
    assert (task.status, task.code) == (Status.FAILED, code), task.reason
    with pytest.raises(ApplianceError) as refused:
        await brought_in(world, content())
    assert refused.value.code == code
    assert hint in refused.value.hint
    [found] = await world.kernels()
    assert (found.modules_sha256, left(world)) == (None, set())


async def test_a_link_that_nobody_follows_is_left_out(world):
    await kernel(world)
    await brought_in(world, modules(links=FIRMWARE | BUILD | {f"{BASE}/extra": "/etc"}))
    [found] = await world.kernels()
    assert not any("etc" in name for name in names_in(world.imports.kernel_file(found.id, "modules").read_bytes()))


async def test_what_is_too_large_is_refused(world, monkeypatch):
    await kernel(world)
    with pytest.raises(Invalid, match="too many for the modules of kernel six"):
        await world.intake.begin(ModulesWish("six"), Identity("modules", 5 << 30), ADA, replace=False)
    monkeypatch.setattr(source, "MOST_BYTES", 100)
    with pytest.raises(Invalid, match="of files"):
        await brought_in(world, PLAIN)
    assert left(world) == set()


async def test_which_kernels_take_none_is_said_before_anything_comes(world):
    with pytest.raises(NotFound):
        await world.intake.begin(ModulesWish("six"), Identity("modules", 10), ADA, replace=False)
    made = await kernel(world)
    world.imports.kernel_file(made.id, "vmlinuz").unlink()
    with pytest.raises(Conflict) as refused:
        await world.intake.begin(ModulesWish("six"), Identity("modules", 10), ADA, replace=False)
    assert refused.value.code == "kernel-missing"


async def test_a_kernel_and_its_modules_arrive_beside_each_other(world):
    await kernel(world)
    await world.intake.begin(ModulesWish("six"), Identity("modules", 10), ADA, replace=False)
    [standing] = await world.intake.standing()
    assert (standing.place, str(standing.place)) == (Place("modules", "six"), "the modules of kernel six")
    await world.intake.forget(Place("modules", "six"), ADA)
    assert await world.intake.standing() == []


async def test_modules_that_a_deployment_starts_with_stay_as_they_are(world, monkeypatch):
    await kernel(world)
    await brought_in(world, PLAIN)
    await brought_in(world, PLAIN)  # nobody uses them: others may take their place
    monkeypatch.setattr(catalogue, "users_of_kernel", lambda *_: ["web"])
    with pytest.raises(Conflict) as refused:
        await brought_in(world, PLAIN)
    assert refused.value.code == "kernel-used"


async def test_a_state_that_was_restored_without_content_takes_kernel_and_modules_again(world, monkeypatch):
    made = await kernel(world)
    await brought_in(world, PLAIN)
    for part in ("vmlinuz", "initrd", "modules"):
        world.imports.kernel_file(made.id, part).unlink()
    monkeypatch.setattr(catalogue, "users_of_kernel", lambda *_: ["web"])
    with pytest.raises(Conflict, match="without its content"):
        await kernel(world, content=bzimage("6.6.6-other"))
    assert (await kernel(world)).id == made.id
    assert world.imports.lacks((await world.kernels())[0])
    await brought_in(world, PLAIN)
    assert not world.imports.lacks((await world.kernels())[0])


async def test_a_daemon_that_is_killed_in_the_middle_gives_them_in_its_next_life(world):
    await kernel(world)
    begun = await world.intake.begin(ModulesWish("six"), Identity("modules", len(PLAIN)), ADA, replace=False)
    last = await world.intake.take(
        begun.place, begun.half.turn, Piece(0, len(PLAIN) - 1, len(PLAIN)), chunks(PLAIN), ADA
    )
    (world.imports.kernels / "0123456789abcdef.part").write_bytes(b"what a killed one had read")
    again = World(world.store, world.state)
    await again.imports.sweep()
    done = await again.ended(last.task)
    assert (done.status, left(again)) == (Status.DONE, set())
    # Killed behind the last step but one: they are given, and the task does not know.
    await again.store.write(lambda db: tasks.put(db, replace(last.task, progress=0.9)))
    assert (await World(world.store, world.state).ended(last.task)).status is Status.DONE


async def test_a_kernel_that_does_not_say_its_version_takes_any_and_has_theirs_then(world):
    plain = bytearray(bzimage())
    plain[0x20E:0x210] = b"\0\0"
    await kernel(world, content=bytes(plain))
    assert (await brought_in(world, PLAIN)).version == VERSION
    await kernel(world, "other", bytes(plain), "5.0")
    with pytest.raises(Conflict) as refused:
        await brought_in(world, PLAIN, "other")
    assert refused.value.code == "kernel-differs"
