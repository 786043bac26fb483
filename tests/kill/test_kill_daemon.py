"""kill -9 of the daemon at every step: its successor goes on where it stopped, and nothing is done twice."""

from collections.abc import Callable

import pytest
from kill_daemon import Record
from kill_disk import MIB
from kill_machine import PlayedMachine
from kill_moments import at, told_to, writing
from kill_world import World

pytestmark = pytest.mark.root
DEPLOY = ("prepare-disk", "write-image", "grow", "configure", "hand-over", "report-active")


def die_at(world: World, machine: PlayedMachine, *moments: Callable[[Record], bool]) -> None:
    """The daemon is killed at each of the moments and started again; the attempt stays the same one."""
    attempts = set()
    for right in moments:
        attempts.add(world.moment(machine, right)["id"])
        world.restart_daemon()
    assert len(attempts) == 1


def written_images(world: World, attempt: Record) -> int:
    """How often the image was handed out to an attempt."""
    return world.daemon.count("SELECT count(*) FROM download_tokens WHERE attempt = ?", attempt["id"])


def test_deploy_survives_the_daemon_dying_at_every_step(world: World) -> None:
    machine = world.idle_machine()
    world.deploy(machine)
    die_at(world, machine, at("prepare-disk"), at("write-image"), writing, at("grow"), at("configure"))
    die_at(world, machine, at("hand-over"), at("report-active"))
    world.reach(machine, "active")
    (attempt,) = world.attempts(machine)
    assert attempt["status"] == "done"
    assert written_images(world, attempt) <= 2, "at most the hand-out whose answer the first kill swallowed, and one"


def test_deploy_survives_the_daemon_dying_after_it_told_the_machine(world: World) -> None:
    machine = world.idle_machine("uefi")
    world.deploy(machine)
    die_at(world, machine, *(told_to(step) for step in DEPLOY[:-1]))
    world.reach(machine, "active")
    assert [attempt["status"] for attempt in world.attempts(machine)] == ["done"]


def test_stop_start_and_release_survive_the_daemon_dying_at_every_step(world: World) -> None:
    machine = world.idle_machine()
    name = world.active(machine, wipe_on_release=True)
    machine.disk.put("/root/marker", "my data")
    world.user.act(name, "stop")
    die_at(world, machine, at("shut-down"), at("return"))
    world.reach(machine, "stopped")
    world.user.act(name, "start")
    die_at(world, machine, at("hand-over"), at("report-active"))
    world.reach(machine, "active")
    assert machine.disk.text("/root/marker") == "my data"
    world.user.act(name, "release")
    die_at(world, machine, at("shut-down"), at("return"), at("wipe-disk"), told_to("wipe-disk"))
    world.reach(machine, "idle")
    assert machine.disk.path.read_bytes() == bytes(48 * MIB)
    assert {attempt["status"] for attempt in world.attempts(machine)} == {"done"}


def test_the_daemon_dies_while_nothing_happens(world: World) -> None:
    """What runs is left alone, and whoever waits is found again."""
    idle, running = world.idle_machine(), world.idle_machine()
    name = world.active(running)
    boots = idle.boots, running.boots
    world.restart_daemon()
    world.user.act(name, "stop")
    world.active(idle)
    world.reach(running, "stopped")
    assert running.boots == boots[1] + 1
    assert idle.boots == boots[0] + 1, "from the stack into the deployed system, and nothing before"
