"""Pools of LVM with the real kernel, LVM, udev and dmeventd: all that a driver promises, and what goes bad."""

import asyncio
import errno
import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ApplianceError
from appliance.privileged.computer import Computer
from appliance.privileged.lvm import groups
from appliance.privileged.verbs.lvm_pools import Adopt, BackUp, GrowPool, Retire
from appliance.privileged.verbs.lvm_repair import Examine, Repair
from appliance.privileged.verbs.lvm_tags import POOL, THIN_POOL
from appliance.volume import GRAIN, Level, NewVolume, Pool, VolumeId, level
from tests.contract.lvm_bench import Direct
from tests.contract.refusal import refused
from tests.contract.storage_bench import (
    FOUR,
    ONE,
    THREE,
    TWO,
    Bench,
    found,
    holds,
    made,
    marks,
    written,
)
from tests.contract.storage_deeds import DEEDS, Deed, cut_off
from tests.contract.storage_promises import PROMISES
from tests.guest.inside import lvm_pool
from tests.guest.inside.disks import Disks
from tests.guest.inside.lvm_pool import NAME, GuestBench
from tests.guest.inside.programs import run
from tests.guest.outside.guest import Guest

MIB = 1 << 20
NO_SPACE = Path("/sys/module/dm_thin_pool/parameters/no_space_timeout")
PROGRAM = ["python3", "-m", "tests.guest.inside.lvm_pool"]


@pytest.fixture
def lvm(disks: Disks) -> Iterator[Disks]:
    """LVM as the appliance has it."""
    lvm_pool.as_appliance()
    yield disks
    lvm_pool.as_before()


@pytest.fixture(params=["thin", "thick"])
async def bench(request: pytest.FixtureRequest, lvm: Disks) -> GuestBench:
    """An empty pool on one disk."""
    on, thin = lvm_pool.computer(), request.param == "thin"
    return GuestBench(on, await lvm_pool.make(on, lvm.scsi[:1], thin=thin), thin)


# -- what every driver promises


@pytest.mark.guest
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_it_promises(bench: GuestBench, promise: Callable[[Bench], Awaitable[None]]) -> None:
    await promise(bench)


@pytest.mark.guest
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "deed", [each for each in DEEDS if each.name in ("clone", "grow", "roll-back")], ids=lambda deed: deed.name
)
async def test_it_is_whole_wherever_it_was_cut_off(bench: GuestBench, deed: Deed) -> None:
    assert await cut_off(bench, deed) > 0


# -- who is killed, and power that goes


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", ["kill", "power"])
@pytest.mark.parametrize(
    ("kind", "deed"),
    [("thin", "clone"), ("thin", "fill"), ("thin", "roll-back"), ("thick", "clone"), ("thick", "grow"),
     ("thick", "roll-back")],
)  # fmt: skip
def test_whoever_dies_in_the_middle(guest: Guest, kind: str, deed: str, way: str) -> None:
    """The change that is under way is cut off somewhere, at each step."""
    guest.run([*PROGRAM, "begin", kind], seconds=600)
    for steps in range(20):
        job = guest.start([*PROGRAM, "do", deed, str(steps)])
        line = job.line(900)
        assert line, job.wait().stderr
        before, after = json.loads(line)
        ended = job.line(600) == "end"
        if way == "power":
            guest.power_cut()
        elif not ended:
            job.kill()
            job.wait()
        said = json.loads(guest.run([*PROGRAM, "again"], seconds=900).stdout)
        assert said["state"] in (before, after), (steps, said["mended"])
        assert said["things"] == len(said["state"])
        assert said["troubles"] == said["twice"] == []
        if ended:
            assert said["state"] == after
            break
    else:
        raise AssertionError("it never ends")
    guest.run([*PROGRAM, "end"])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", ["kill", "power"])
@pytest.mark.parametrize("kind", ["thin", "thick"])
def test_whoever_dies_while_a_pool_gets_one_more_disk(guest: Guest, kind: str, way: str) -> None:
    """At each step; the volumes are as they were, and the same wish once more gives the pool all of the disk."""
    disk = 8 << 30
    for steps in range(30):
        guest.run("python3 -m tests.guest.inside.disks", seconds=600)
        guest.run([*PROGRAM, "begin", kind], seconds=600)
        job = guest.start([*PROGRAM, "extend", str(steps)])
        line = job.line(900)
        assert line, job.wait().stderr
        ended = job.line(600) == "end"
        if way == "power":
            guest.power_cut()
        elif not ended:
            job.kill()
            job.wait()
        said = json.loads(guest.run([*PROGRAM, "again"], seconds=900).stdout)
        assert said["state"] == json.loads(line), (steps, said["mended"])
        assert said["troubles"] == said["twice"] == []
        found_now = json.loads(guest.run([*PROGRAM, "more"], seconds=900).stdout)
        assert found_now["members"] == 2
        assert found_now["data"] > disk, "more than one disk has"
        if ended:
            break
    else:
        raise AssertionError("it never ends")
    guest.run([*PROGRAM, "end"])


# -- pools that are full


async def _small(on: Computer, disk: Path, metadata: int = 0) -> GuestBench:
    """Of 320 MiB of a disk; with ``metadata``, a thin pool that has so little of it, made by hand as we make it."""
    run("sgdisk", "--clear", "--new=1:2048:+320M", str(disk))
    run("udevadm", "settle")
    run("vgcreate", "--yes", NAME, f"{disk}1")
    if metadata:
        words = ["--size", "256m", "--poolmetadatasize", f"{metadata}b", "--chunksize", "64k", "--zero", "n"]
        run("lvcreate", "--yes", "--type", "thin-pool", *words, "--name", "pool", "--addtag", THIN_POOL, NAME)
    uuid = await lvm_pool.uuid_of(on)
    await Direct(on).call(Adopt(uuid, NAME))
    return GuestBench(on, uuid, thin=True)


def _use_up() -> None:
    """What the pool could be extended by belongs to somebody else."""
    run("lvcreate", "--yes", "--extents", "100%FREE", "--name", "taken", NAME)


def _free() -> None:
    run("lvremove", "--yes", f"{NAME}/taken")


def _until_refused(path: str, size: int, step: int, data: bytes) -> int | None:
    """The number of the error with which writing ended, if it did."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        for at in range(0, size, step):
            os.pwrite(descriptor, data, at)
            if at % (64 * step) == 0:
                os.fsync(descriptor)
        os.fsync(descriptor)
    except OSError as error:
        return error.errno
    finally:
        os.close(descriptor)
    return None


async def _until(bench: GuestBench, holds_now: Callable[[Pool], bool], what: str) -> Pool:
    """Wait for a state."""
    for _ in range(300):
        pool = await bench.pool().look()
        if holds_now(pool):
            return pool
        await asyncio.sleep(1.0)
    raise AssertionError(f"{what}: {pool}")


@pytest.mark.guest
@pytest.mark.timeout(1800)
async def test_a_pool_whose_data_are_full(lvm: Disks) -> None:
    on = lvm_pool.computer()
    bench = await _small(on, lvm.scsi[0])
    pool = await made(bench, ONE, "golden")
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    size = (await pool.look()).largest
    await pool.create(NewVolume(THREE, "greedy", size))
    _use_up()
    NO_SPACE.write_text("1")
    try:
        assert _until_refused((await found(bench, THREE)).path, size, MIB, b"x" * MIB) in (errno.ENOSPC, errno.EIO)
    finally:
        NO_SPACE.write_text("60")
    seen = await _until(bench, lambda each: level(each) is Level.FULL, "it says that it is full")
    assert "no room" in seen.trouble
    await refused("pool-filling", pool.copy(ONE, NewVolume(FOUR, "web1", 2 * GRAIN)))
    assert await holds(bench, TWO, *marks()), "what was there is there"
    _free()
    await Direct(on).call(GrowPool(bench.group, data=8 * MIB))
    await _until(bench, lambda each: each.trouble == "", "it has room again")
    await written(bench, ONE, 0, b"now")
    await pool.delete(THREE)
    await _until(bench, lambda each: level(each) is Level.FINE, "what was deleted gives its room back")
    await pool.copy(ONE, NewVolume(FOUR, "web1", 2 * GRAIN))
    assert await holds(bench, FOUR, (0, b"now"), *marks())


@pytest.mark.guest
@pytest.mark.timeout(1800)
async def test_a_pool_is_extended_before_it_is_full(lvm: Disks) -> None:
    """By dmeventd, which the daemon need not be there for."""
    on = lvm_pool.computer()
    bench = await _small(on, lvm.scsi[0])
    pool = bench.pool()
    before = await pool.look()
    assert before.growable > 0
    await pool.create(NewVolume(ONE, "web1", before.largest))
    wanted = int(before.data.total * 0.88)
    assert _until_refused((await found(bench, ONE)).path, wanted, MIB, b"x" * MIB) is None
    await _until(bench, lambda each: each.data.total > before.data.total, "dmeventd has extended it")


@pytest.mark.guest
@pytest.mark.timeout(3600)
async def test_a_pool_whose_metadata_are_full(lvm: Disks) -> None:
    """Each snapshot that is written all over takes metadata of its own. What was there outlives the repair."""
    on = lvm_pool.computer()
    bench = await _small(on, lvm.scsi[0], metadata=2 * MIB)
    pool, size = bench.pool(), 96 * MIB
    await pool.create(NewVolume(ONE, "golden", size))
    assert _until_refused((await found(bench, ONE)).path, size, 64 << 10, b"golden") is None
    await pool.copy(ONE, NewVolume(TWO, "kept", size, True))
    kept = await found(bench, TWO)
    content = bench.read(kept, 0, size)
    _use_up()
    assert await _written_clones(bench, size) == "pool-filling", "no snapshots are made from 90 percent on"
    strangers = _written_snapshots(kept.path, size)
    seen = await pool.look()
    assert seen.metadata is not None
    assert seen.metadata.share > 0.9
    assert "nothing can be changed" in seen.trouble or "to be checked" in seen.trouble
    assert bench.read(kept, 0, size) == content, "it can be read"
    _free()
    await refused("volume-in-use", Direct(on).call(Repair(bench.group, NAME)))
    run("lvchange", "--activate", "n", *strangers)
    assert (await Direct(on).call(Examine(bench.group))).steps
    await Direct(on).call(Repair(bench.group, NAME))
    await Direct(on).call(GrowPool(bench.group, metadata=4 * MIB))
    await pool.mend()
    seen = await _until(bench, lambda each: each.trouble == "", "it can be written again")
    assert level(seen) is Level.FINE
    assert bench.read(kept, 0, size) == content
    await pool.copy(TWO, NewVolume(FOUR, "web1", size))
    await written(bench, FOUR, 0, b"now")


async def _written_clones(bench: GuestBench, size: int) -> str:
    """Clones with a block of their own in each leaf of what tells whose the blocks are; why there are no more."""
    for number in range(200):
        key = VolumeId(f"{number + 256:016x}")
        if code := await _either(bench.pool().copy(ONE, NewVolume(key, f"clone-{number}", size))):
            return code
        assert _until_refused((await found(bench, key)).path, size, 4 * MIB, b"own") is None
    return ""


def _written_snapshots(origin: str, size: int) -> list[str]:
    """Somebody makes snapshots by hand, until nothing can be written any more."""
    made_here: list[str] = []
    for number in range(60):
        name = f"{NAME}/stranger-{number}"
        only = ["--config", "activation/thin_pool_autoextend_threshold=100", "--setactivationskip", "n"]
        argv = ["lvcreate", "--yes", "--snapshot", "--permission", "rw", *only, "--name", Path(name).name]
        if subprocess.run([*argv, f"{NAME}/{Path(origin).name}"], check=False, capture_output=True).returncode:
            break
        made_here.append(name)
        if _until_refused(f"/dev/{name}", size, 4 * MIB, b"more"):
            break
    return made_here


# -- whose groups are used


def _mapped() -> str:
    return run("dmsetup", "ls")


@pytest.mark.guest
@pytest.mark.timeout(1200)
async def test_groups_of_guests_are_never_activated(bench: GuestBench) -> None:
    """A volume is a disk to a guest, which makes a group on it; a disk that is plugged in has one with our tags."""
    pool = bench.pool()
    await pool.create(NewVolume(ONE, "web1", 64 * MIB))
    inside, plugged = (await found(bench, ONE)).path, str(Disks().nvme)
    theirs = "devices/scan_lvs=1"
    for device, group in ((inside, "guestvg"), (plugged, "qrm-plugged")):
        only = ["--config", theirs, "--devices", device]
        run("vgcreate", "--yes", "--addtag", POOL, *only, group, device)
        run("lvcreate", "--yes", "--size", "8m", "--name", "v-000000000000001a", "--addtag", "qrm.id=000000000000001a",
            *only, group)  # fmt: skip
        run("vgchange", "--activate", "n", *only, group)
    before = _mapped()
    assert "guestvg" not in before
    run("udevadm", "trigger", "--action=add", "--settle", inside, plugged)
    for device in (inside, plugged):
        argv = ["pvscan", "--cache", "--activate", "ay", device]
        subprocess.run(argv, check=False, capture_output=True)
    run("udevadm", "settle")
    assert _mapped() == before
    assert [each.name for each in await groups(bench.on)] == [NAME]
    assert await pool.mend() == ()
    assert _mapped() == before


@pytest.mark.guest
async def test_nothing_becomes_active_by_itself_and_the_helper_wakes_it(bench: GuestBench) -> None:
    pool = await made(bench, ONE, "web1")
    run("vgchange", "--activate", "n", NAME)
    run("vgchange", "--activate", "ay", NAME)
    (volume,) = (await pool.look()).volumes
    assert volume.trouble
    assert not Path(volume.path).exists()
    assert await pool.mend()
    assert await holds(bench, ONE, *marks())
    assert await pool.mend() == ()


@pytest.mark.guest
async def test_lvms_notes_are_copied_and_can_be_read_again(bench: GuestBench) -> None:
    await made(bench, ONE, "web1")
    await Direct(bench.on).call(BackUp(bench.group, "2026-11-22"))
    copy = bench.on.roots.state / "lvm" / bench.group / "2026-11-22.vg"
    run("vgchange", "--activate", "n", NAME)
    run("vgcfgrestore", "--test", "--force", "--yes", "--file", str(copy), NAME)


@pytest.mark.guest
async def test_a_pool_is_retired_and_its_disks_are_blank(bench: GuestBench, lvm: Disks) -> None:
    pool = await made(bench, ONE, "web1")
    await refused("pool-not-empty", Direct(bench.on).call(Retire(bench.group, NAME)))
    await pool.delete(ONE)
    await Direct(bench.on).call(Retire(bench.group, NAME))
    assert lvm_pool.groups_seen() == []
    assert json.loads(run("wipefs", "--no-act", "--json", str(lvm.scsi[0])) or "{}").get("signatures", []) == []
    assert str(lvm.scsi[0]) not in lvm_pool.LISTED.read_text() if lvm_pool.LISTED.exists() else True


# -- a disk that fails


SHAKY = "qrm-test-shaky"


def _table(disk: Path, target: str) -> str:
    sectors = run("blockdev", "--getsz", str(disk)).strip()
    return f"0 {sectors} linear {disk} 0" if target == "linear" else f"0 {sectors} error"


def _turn(disk: Path, target: str) -> None:
    """What waits in the device is failed, not kept."""
    run("dmsetup", "suspend", "--noflush", "--nolockfs", SHAKY)
    run("dmsetup", "load", SHAKY, "--table", _table(disk, target))
    run("dmsetup", "resume", SHAKY)


@pytest.fixture(params=["thin", "thick"])
async def shaky(request: pytest.FixtureRequest, lvm: Disks) -> AsyncIterator[tuple[GuestBench, Path]]:
    """A pool on a disk that can be made to fail."""
    disk, on = lvm.scsi[0], lvm_pool.computer()
    run("dmsetup", "create", SHAKY, "--table", _table(disk, "linear"))
    run("vgcreate", "--yes", "--metadatasize", "16m", NAME, f"/dev/mapper/{SHAKY}")
    uuid = await lvm_pool.uuid_of(on)
    await Direct(on).call(Adopt(uuid, NAME, thin=request.param == "thin"))
    yield GuestBench(on, uuid, request.param == "thin"), disk
    _turn(disk, "linear")


async def _either(call: Awaitable[Any]) -> str:
    """The code of the error; nothing where there was none."""
    try:
        await call
    except ApplianceError as error:
        return error.code
    return ""


@pytest.mark.guest
@pytest.mark.timeout(1800)
async def test_a_disk_that_returns_errors(shaky: tuple[GuestBench, Path]) -> None:
    """Everything says so and nothing waits for ever; what was on the disk is there when the disk is."""
    bench, disk = shaky
    pool = await made(bench, ONE, "web1")
    await pool.copy(ONE, NewVolume(TWO, "kept", 2 * GRAIN, True))
    path = (await found(bench, ONE)).path
    _turn(disk, "error")
    assert _until_refused(path, 2 * GRAIN, MIB, b"x" * MIB) == errno.EIO
    assert await _either(pool.create(NewVolume(FOUR, "web2", GRAIN))) in ("storage-failed", "pool-missing")
    assert await _either(pool.roll_back(ONE, TWO)) != ""
    await _either(pool.look())
    _turn(disk, "linear")
    if bench.at_once:
        for volume in (await pool.look()).volumes:
            subprocess.run(["udevadm", "settle"], check=False)
            assert not volume.in_use
        found_now = await pool.look()
        if found_now.trouble:
            await Direct(bench.on).call(Repair(bench.group, NAME))
    await pool.mend()
    assert await pool.mend() == ()
    assert (await pool.look()).trouble == ""
    assert await holds(bench, TWO, *marks()), "the snapshot was written before"
    await pool.roll_back(ONE, TWO)
    assert await holds(bench, ONE, *marks())
