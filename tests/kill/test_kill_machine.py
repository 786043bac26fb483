"""Power is cut at every step: it ends well by itself, or failed with a true reason and one click to retry."""

import os
from collections.abc import Callable
from random import Random

import pytest
from kill_daemon import Record
from kill_disk import MIB
from kill_machine import PlayedMachine
from kill_moments import at, step_of, told_to, writing
from kill_world import World

from appliance.agent.disk import marker

pytestmark = pytest.mark.root


def fails_and_retries(world: World, machine: PlayedMachine, name: str, reason: str) -> None:
    """The machine comes back, the attempt has failed for ``reason``; the user clicks retry."""
    world.reach(machine, "failed")
    assert world.failure(machine) == ("restarted", f"the machine restarted by itself while {reason}")
    assert world.user.get(f"/deployments/{name}")["failed_reason"].endswith(reason)
    world.next_event(machine, "inventory.taken")
    world.user.act(name, "retry")


def test_deploy_is_retried_after_every_power_cut(world: World) -> None:
    machine = world.idle_machine()
    name = world.deploy(machine)
    for right, reason in (
        (told_to("prepare-disk"), "preparing the disk"),
        (at("write-image"), "writing the image"),
        (writing, "writing the image"),
        (at("grow"), "growing the file system"),
        (at("configure"), "writing its identity"),
    ):
        world.moment(machine, right)
        world.lose_power(machine)
        if right is writing:
            assert machine.disk.first_sector[510:] != b"\x55\xaa", "half an image must not boot"
        fails_and_retries(world, machine, name, reason)
    world.reach(machine, "active")
    assert [attempt["status"] for attempt in world.attempts(machine)] == ["failed"] * 5 + ["done"]
    assert machine.disk.text("/etc/hostname").strip() == name


def test_a_machine_that_is_restarting_when_the_user_starts_goes_on_by_itself(world: World) -> None:
    """It polled a moment ago, and nothing was handed out to it yet."""
    machine = world.idle_machine()
    machine.power_cut()
    world.deploy(machine)
    machine.power_on()
    world.reach(machine, "active")
    assert [attempt["status"] for attempt in world.attempts(machine)] == ["done"]


def test_a_power_cut_at_the_hand_over_boots_the_disk(world: World) -> None:
    machine = world.idle_machine()
    world.deploy(machine)
    world.moment(machine, told_to("hand-over"))
    world.lose_power(machine)
    world.reach(machine, "active")
    assert [attempt["status"] for attempt in world.attempts(machine)] == ["done"]


def test_a_kexec_that_ends_in_silence_is_followed_by_a_boot_from_the_disk(world: World) -> None:
    machine = world.idle_machine()
    name = world.deploy(machine)
    world.moment(machine, at("report-active"))
    world.lose_power(machine)
    world.reach(machine, "active")
    assert world.user.get(f"/machines/{world.id_of(machine)}")["hand_over"] == "reboot"
    world.user.act(name, "stop")
    world.reach(machine, "stopped")
    world.user.act(name, "start")
    world.reach(machine, "active")
    assert machine.actions[-1] == {"action": "reboot"}, "not by kexec again"


def test_stop_start_and_release_go_on_after_power_cuts(world: World) -> None:
    machine = world.idle_machine()
    name = world.active(machine)
    machine.disk.put("/root/marker", "my data")
    for action, steps, end in (
        ("stop", ("shut-down", "return"), "stopped"),
        ("start", ("hand-over", "report-active"), "active"),
        ("release", ("shut-down", "return"), "idle"),
    ):
        world.user.act(name, action)
        for step in steps:
            world.moment(machine, at(step))
            world.lose_power(machine)
        world.reach(machine, end)
        assert machine.disk.text("/root/marker") == "my data"
    assert {attempt["status"] for attempt in world.attempts(machine)} == {"done"}


def test_a_wipe_is_retried_after_a_power_cut(world: World) -> None:
    machine = world.idle_machine()
    name = world.active(machine, wipe_on_release=True)
    world.user.act(name, "release")
    world.moment(machine, told_to("wipe-disk"))
    world.lose_power(machine)
    world.reach(machine, "failed")
    assert world.failure(machine) == ("restarted", "the machine restarted by itself while wiping the disk")
    world.user.act(name, "retry")
    world.reach(machine, "idle")
    assert machine.disk.path.read_bytes() == bytes(48 * MIB)


def the_middle(_: str) -> bytes:
    """All but the first MiB, which comes last, has lost what it had."""
    return b""


def almost_the_end(attempt: str) -> bytes:
    """The mark is gone, and what stands behind it not yet."""
    return bytes(4096) + b"of the image"


def something_else(attempt: str) -> bytes:
    """A disk that erased itself by a new key, and was not looked at yet: nothing on it is what anybody wrote."""
    return Random(attempt).randbytes(48 * MIB)


@pytest.mark.parametrize("content", [the_middle, almost_the_end, something_else])
def test_a_wipe_that_was_cut_off_half_way_is_retried(world: World, content: Callable[[str], bytes]) -> None:
    machine = world.idle_machine()
    name = world.active(machine, wipe_on_release=True)
    world.user.act(name, "release")
    attempt = world.moment(machine, told_to("wipe-disk"))
    world.lose_power(machine)
    with machine.disk.path.open("r+b") as file:  # as far as a power cut may let it come
        file.write(content(attempt["id"]) or marker.encode(attempt["id"]))
        file.truncate(1 << 20 if content is the_middle else 48 * MIB)
        file.truncate(48 * MIB)
    world.reach(machine, "failed")
    world.user.act(name, "retry")
    world.reach(machine, "idle")
    assert machine.disk.path.read_bytes() == bytes(48 * MIB)


def test_retry_is_clicked_before_the_machine_is_back(world: World) -> None:
    machine = world.idle_machine()
    name = world.deploy(machine)
    world.moment(machine, told_to("grow"))
    world.lose_power(machine)
    world.reach(machine, "failed")
    world.user.act(name, "retry")
    world.reach(machine, "active")
    assert [attempt["status"] for attempt in world.attempts(machine)] == ["failed", "done"]


def test_a_disk_with_content_can_be_retried_after_a_power_cut_while_it_was_cleared(world: World) -> None:
    """What the user agreed to lose is half gone by then: it must not count as something new."""
    machine = world.new_machine()
    machine.disk.path.write_bytes(b"somebody's old data " * (machine.disk.path.stat().st_size // 20 + 1))
    os.truncate(machine.disk.path, 48 * MIB)
    world.enlist(machine)
    name = world.deploy(machine, disk=machine.serial)
    attempt = world.moment(machine, told_to("prepare-disk"))
    world.lose_power(machine)
    with machine.disk.path.open("r+b") as file:  # as far as a power cut may let it come
        file.write(marker.encode(attempt["id"]))
        file.write(bytes(100_000))
    fails_and_retries(world, machine, name, "preparing the disk")
    world.reach(machine, "active")


@pytest.mark.parametrize("step", ["write-image", pytest.param("configure", marks=pytest.mark.slow)])
def test_daemon_and_machine_die_at_once(world: World, step: str) -> None:
    machine = world.idle_machine()
    name = world.deploy(machine)
    world.moment(machine, writing if step == "write-image" else told_to(step))
    machine.power_cut()
    world.restart_daemon()
    machine.power_on()
    fails_and_retries(world, machine, name, {"write-image": "writing the image"}.get(step, "writing its identity"))
    world.reach(machine, "active")


def test_a_boot_loop_is_named(world: World) -> None:
    machine = world.idle_machine()
    name = world.active(machine)
    world.user.act(name, "stop")
    for _ in range(3):
        world.moment(machine, at("return"))
        world.lose_power(machine)
        booted(world, machine)
    world.reach(machine, "failed")
    code, reason = world.failure(machine)
    assert code == "boot-loop"
    assert reason == "boot loop: 3 boots while booting the maintenance stack"


def booted(world: World, machine: PlayedMachine) -> Record:
    """Wait for the next boot script."""
    return world.next_event(machine, "script.served")


@pytest.mark.slow
def test_a_redeploy_goes_on_or_is_retried_after_power_cuts(world: World) -> None:
    machine = world.idle_machine()
    name = world.active(machine)
    machine.disk.put("/root/marker", "my data")
    world.user.act(name, "redeploy")
    for step in ("shut-down", "return"):
        world.moment(machine, at(step))
        world.lose_power(machine)
    world.moment(machine, told_to("write-image"))
    world.lose_power(machine)
    fails_and_retries(world, machine, name, "writing the image")
    world.reach(machine, "active")
    assert machine.disk.text("/root/marker") == ""


@pytest.mark.slow
def test_one_boot_more_than_we_asked_for_has_no_say_in_a_redeploy(world: World) -> None:
    """The armed boot traded its token, then power was cut: the next one was not armed by us."""
    machine = world.idle_machine()
    name = world.active(machine)
    machine.disk.put("/root/marker", "my data")
    world.user.act(name, "redeploy")
    world.moment(machine, lambda attempt: step_of(attempt) == "return" and not attempt["armed"])
    world.lose_power(machine)
    world.reach(machine, "failed")
    assert world.failure(machine)[0] == "boot-unasked"
    assert machine.disk.text("/root/marker") == "my data", "nothing was cleared"
    world.user.act(name, "retry")
    world.reach(machine, "active")
