"""Disks and images that are not as they should be: an exact reason, nothing destroyed, a machine that still works."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from kill_api import RefusedError
from kill_disk import MIB, ROOT_UUID
from kill_machine import PlayedMachine
from kill_world import World, compressed

pytestmark = pytest.mark.root
OLD = b"somebody's old data " * (48 * MIB // 20)
BOOTABLE = b"\x55\xaa"


def slow(*values: object) -> Any:
    """A case that `make test-all` runs."""
    return pytest.param(*values, marks=pytest.mark.slow)


def with_old_data(world: World) -> PlayedMachine:
    """An idle machine whose disk holds something."""
    machine = world.new_machine(disks=0)
    machine.add_disk(content=OLD)
    world.enlist(machine)
    return machine


def still_works(world: World, machine: PlayedMachine, name: str, disk: str | None = None) -> None:
    """The failed deployment is given up, the next one on the same machine runs."""
    world.user.act(name, "release")
    world.reach(machine, "idle")
    world.active(machine, disk=disk or machine.serial)


def refused(world: World, name: str, code: str, *words: str) -> None:
    """Starting ``name`` is refused, and why."""
    with pytest.raises(RefusedError) as caught:
        world.user.post(f"/deployments/{name}/start")
    assert caught.value.code == code
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_disk_with_content_is_overwritten_only_when_it_is_named(world: World) -> None:
    machine = with_old_data(world)
    name = world.create(machine)
    refused(world, name, "no-machine-fits", "holds unknown data", machine.serial)
    named = world.create(machine, disk=machine.serial)
    refused(world, named, "confirmation-needed", "is overwritten", machine.serial)
    assert machine.disk.path.read_bytes()[: len(OLD)] == OLD
    assert world.attempts(machine) == []
    world.user.act(named, "start")
    world.reach(machine, "active")
    assert machine.disk.root_fsuuid == ROOT_UUID


def test_content_that_came_after_the_agreement_is_left_alone(world: World) -> None:
    machine = world.idle_machine()
    name = world.create(machine)
    machine.disk.path.write_bytes(OLD)
    os.truncate(machine.disk.path, 48 * MIB)
    world.user.act(name, "start")
    world.reach(machine, "failed")
    code, reason = world.failure(machine)
    assert code == "disk-changed"
    assert reason.endswith("no longer holds what was agreed to be erased; it now holds: unknown data")
    assert machine.disk.path.read_bytes()[: len(OLD)] == OLD
    still_fails_the_same(world, machine, name)


def still_fails_the_same(world: World, machine: PlayedMachine, name: str) -> None:
    """Trying again does not wear the guard down."""
    failed = len(world.attempts(machine))
    world.user.act(name, "retry")
    world.reach(machine, "deploying")
    world.reach(machine, "failed")
    assert len(world.attempts(machine)) == failed + 1
    assert machine.disk.path.read_bytes()[: len(OLD)] == OLD


def test_the_second_disk_is_the_target_and_the_first_is_not_touched(world: World) -> None:
    machine = world.new_machine(disks=0)
    machine.add_disk(content=OLD)
    second = machine.add_disk()
    machine.settings["kexec"] = False
    world.enlist(machine)
    name = world.active(machine)
    assert second.root_fsuuid == ROOT_UUID
    world.user.act(name, "stop")
    world.reach(machine, "stopped")
    world.user.act(name, "start")
    world.reach(machine, "active")
    assert machine.disk.path.read_bytes()[: len(OLD)] == OLD


def test_disks_that_cannot_take_the_image_are_refused_with_the_reason(world: World) -> None:
    machine = world.new_machine(disks=0)
    machine.add_disk(size=16 * MIB)
    machine.add_disk(sector_size=4096)
    machine.add_disk(read_only=True)
    world.enlist(machine)
    reasons = ("has 16777216 bytes, the image needs", "has 4096-byte sectors, the image was made for 512", "read-only")
    refused(world, world.create(machine), "no-machine-fits", *reasons)
    assert world.state(machine) == "idle"


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"sector_size": 4096}, "sector-size", "the image is made for sectors of 512 bytes, disk vda"),
        slow({"serial": "ANOTHER"}, "disk-missing", "is here; there is vda (file, serial ANOTHER"),
        slow({"read_only": True}, "disk-read-only", "is write-protected"),
        slow({"size": 32 * MIB}, "disk-changed", "should have 50331648 bytes; it is another disk"),
    ],
)
def test_a_disk_that_was_swapped_after_the_agreement(
    world: World, change: dict[str, object], code: str, words: str
) -> None:
    machine = world.idle_machine()
    machine.power_cut()
    name = world.deploy(machine)
    before = dict(machine.settings["disks"][0])
    machine.settings["disks"][0] |= {key: value for key, value in change.items() if key != "size"}
    os.truncate(machine.disk.path, int(change.get("size", 48 * MIB)))
    machine.power_on()
    world.reach(machine, "failed")
    assert world.failure(machine)[0] == code
    assert words in world.failure(machine)[1]
    assert not any(machine.disk.path.read_bytes()), "nothing was written"
    os.truncate(machine.disk.path, 48 * MIB)
    machine.settings["disks"][0] = before
    machine.power_cycle()
    world.next_event(machine, "inventory.taken")
    world.user.act(name, "retry")
    world.reach(machine, "active")


def test_a_disk_that_vanishes_while_it_is_written(world: World) -> None:
    """Its second disk is a file on a file system that is full long before the image ends."""
    machine = world.new_machine()
    machine.add_disk(file="small/disk.img", serial="FAILING")
    machine.before_agent = (
        'mkdir -p "$1/small"; mount -t tmpfs -o size=12m tmpfs "$1/small"; truncate -s 48M "$1/small/disk.img"'
    )
    world.enlist(machine)
    name = world.deploy(machine, disk="FAILING")
    world.reach(machine, "failed")
    code, reason = world.failure(machine)
    assert code == "disk-vanished"
    assert reason.startswith("disk vdb stopped answering (")
    still_works(world, machine, name)


def image_file(world: World, identity: int) -> Path:
    """Where the appliance keeps an image."""
    return world.daemon.state / "images" / str(identity)


def damage(path: Path, kind: str) -> None:
    """Do to a stored image what failing storage does."""
    if kind == "shorter":
        os.truncate(path, path.stat().st_size - 4096)
    elif kind == "gone":
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            file.write(b"what was never in this image")


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("other", "checksum-differs", "the image that arrived has SHA-256"),
        ("shorter", "download-truncated", "the image should have"),
        slow("gone", "image-missing", "is not on the appliance"),
    ],
)
def test_a_damaged_image_is_noticed_and_never_boots(
    world: World, demo_image: Path, kind: str, code: str, words: str
) -> None:
    content = demo_image.read_bytes()
    identity = world.add_image(f"damaged-{kind}", content)
    damage(image_file(world, identity), kind)
    machine = world.idle_machine()
    name = world.deploy(machine, image=f"damaged-{kind}")
    world.reach(machine, "failed")
    assert world.failure(machine)[0] == code
    assert words in world.failure(machine)[1]
    assert machine.disk.first_sector[510:] != BOOTABLE
    image_file(world, identity).write_bytes(content)
    world.user.act(name, "retry")
    world.reach(machine, "active")


@pytest.mark.slow
def test_a_compressed_image_that_is_damaged_in_the_middle(world: World, demo_image: Path) -> None:
    content = compressed(demo_image)
    identity = world.add_image("damaged-zst", content, "raw.zst")
    damage(image_file(world, identity), "other")
    machine = world.idle_machine()
    name = world.deploy(machine, image="damaged-zst")
    world.reach(machine, "failed")
    assert world.failure(machine)[0] in ("image-corrupt", "checksum-differs")
    assert machine.disk.first_sector[510:] != BOOTABLE
    image_file(world, identity).write_bytes(content)
    world.user.act(name, "retry")
    world.reach(machine, "active")


def test_two_starts_at_once_take_one_machine_once(world: World) -> None:
    machine = world.idle_machine()
    names = [world.create(machine), world.create(machine)]
    outcomes: list[str] = []

    def start(name: str) -> None:
        try:
            world.user.post(f"/deployments/{name}/start")
            outcomes.append("started")
        except RefusedError as error:
            outcomes.append(error.code)

    users = [threading.Thread(target=start, args=(name,)) for name in names]
    for each in users:
        each.start()
    for each in users:
        each.join()
    assert sorted(outcomes) == ["no-machine-fits", "started"]
    world.reach(machine, "active")
    assert len(world.attempts(machine)) == 1
