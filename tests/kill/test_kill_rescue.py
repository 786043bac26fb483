"""Rescue, with either side dying at every step: SSH opens for the given keys, and a fresh stack follows it."""

import pytest
from kill_daemon import Record
from kill_machine import PlayedMachine
from kill_moments import at, told_to
from kill_world import World

pytestmark = pytest.mark.root
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE ada@desk"


def ask(world: World, machine: PlayedMachine, action: str, **body: object) -> Record:
    """A wish about the machine; its task."""
    task: Record = world.user.post(f"/machines/{world.id_of(machine)}/{action}", **body)
    return task


def rescue(world: World, machine: PlayedMachine) -> Record:
    return ask(world, machine, "rescue", ssh_keys=[KEY])


def status(world: World, task: Record) -> str:
    return str(world.user.get(f"/tasks/{task['id']}")["status"])


def opened(machine: PlayedMachine) -> list[object]:
    """The authorized keys of every time that SSH opened."""
    return [each["keys"] for each in machine.actions if each["action"] == "open-ssh"]


def test_there_and_back_although_the_daemon_dies_at_every_step(world: World) -> None:
    machine = world.idle_machine()
    name = world.active(machine)
    machine.disk.put("/root/marker", "my data")
    task = rescue(world, machine)
    for right in (at("shut-down"), at("return"), told_to("rescue")):
        world.moment(machine, right)
        world.restart_daemon()
    world.reach(machine, "rescue")
    assert status(world, task) == "done"
    assert set(opened(machine)) == {f"{KEY}\n"}
    task = ask(world, machine, "end-rescue")
    for right in (told_to("restart"), at("return")):
        world.moment(machine, right)
        world.restart_daemon()
    world.reach(machine, "stopped")
    assert status(world, task) == "done"
    world.user.act(name, "start")
    world.reach(machine, "active")
    assert machine.disk.text("/root/marker") == "my data"
    assert {attempt["status"] for attempt in world.attempts(machine)} == {"done"}


def test_there_and_back_although_power_is_cut_at_every_step(world: World) -> None:
    machine = world.idle_machine()
    name = world.active(machine)
    machine.disk.put("/root/marker", "my data")
    rescue(world, machine)
    for right in (at("shut-down"), at("return"), told_to("rescue")):
        world.moment(machine, right)
        world.lose_power(machine)
    world.reach(machine, "rescue")
    machine.power_cycle()
    before = len(opened(machine))
    world.next_event(machine, "attempt.started")
    world.reach(machine, "rescue")
    assert len(opened(machine)) > before, "it opens again by itself"
    ask(world, machine, "end-rescue")
    for right in (told_to("restart"), at("return")):
        world.moment(machine, right)
        world.lose_power(machine)
    world.reach(machine, "stopped")
    assert machine.disk.text("/root/marker") == "my data"
    assert world.user.get(f"/deployments/{name}")["wanted"] == "stopped"
    assert {attempt["status"] for attempt in world.attempts(machine)} == {"done"}


def test_a_wish_is_not_lost_when_the_daemon_dies_right_after_it(world: World) -> None:
    machine = world.idle_machine()
    rescue(world, machine)
    world.restart_daemon()
    world.reach(machine, "rescue")
    ask(world, machine, "end-rescue")
    world.restart_daemon()
    world.reach(machine, "idle")
