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


@pytest.mark.slow
def test_deploy_survives_the_daemon_dying_after_it_told_the_machine(world: World) -> None:
    machine = world.idle_machine("uefi")
    world.deploy(machine)
    die_at(world, machine, *(told_to(step) for step in DEPLOY[:-1]))
    world.reach(machine, "active")
    assert [attempt["status"] for attempt in world.attempts(machine)] == ["done"]


def test_a_download_that_breaks_off_is_resumed(world: World) -> None:
    machine = world.idle_machine()
    world.deploy(machine)
    attempt = world.moment(machine, writing)
    world.restart_daemon()
    world.reach(machine, "active")
    assert written_images(world, attempt) == 1, "the step went on; it was not begun again"


@pytest.mark.slow
def test_a_step_that_nobody_heard_the_end_of_is_not_done_again(world: World) -> None:
    """The daemon dies before it hears that the disk is prepared; a second clearing would take the canary away."""
    machine = world.idle_machine()
    world.deploy(machine)
    world.moment(machine, lambda attempt: told_to("prepare-disk")(attempt) and machine.steps_done == 1)
    with machine.disk.path.open("r+b") as disk:
        disk.seek(40 * MIB)
        disk.write(b"a canary")
    world.restart_daemon()
    world.moment(machine, at("write-image"))
    assert machine.disk.path.read_bytes()[40 * MIB :].startswith(b"a canary")
    world.daemon.thaw()
    world.reach(machine, "active")


@pytest.mark.slow
def test_an_identity_that_nobody_heard_of_is_not_made_again(world: World) -> None:
    """New SSH host keys each time: those that the console shows are those that the system has."""
    machine = world.idle_machine()
    name = world.deploy(machine)
    world.moment(machine, lambda attempt: told_to("configure")(attempt) and machine.steps_done == 4)
    world.restart_daemon()
    world.reach(machine, "active")
    (shown,) = (k for k in world.user.get(f"/deployments/{name}")["host_keys"] if k.startswith("ssh-ed25519"))
    assert shown in machine.disk.text("/etc/ssh/ssh_host_ed25519_key.pub")
    (attempt,) = world.attempts(machine)
    assert attempt["results"]["configure"]["ssh_host_keys"][0].startswith(shown)


@pytest.mark.slow
def test_a_clean_stop_in_the_middle_is_no_worse(world: World) -> None:
    machine = world.idle_machine()
    world.deploy(machine)
    for right in (told_to("prepare-disk"), writing, told_to("configure")):
        world.moment(machine, right)
        assert world.daemon.stop() == 0
        world.daemon.start()
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
