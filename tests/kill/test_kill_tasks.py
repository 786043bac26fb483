"""Tasks over kill -9 of the daemon, and cancelled under the hands of the real agent."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from kill_daemon import until
from kill_disk import IMAGE_SIZE, MIB
from kill_machine import Phase, PlayedMachine
from kill_moments import at, told_to, writing
from kill_world import World

from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.store import machines
from appliance.store.store import open_store

pytestmark = pytest.mark.root
MANY = 300
TELL_EVERY = 1.1
"""Seconds after which an agent that writes tells how far it is, and hears that it is to stop."""


def started(world: World, name: str) -> Any:
    """The newest task of the deployment."""
    return world.user.get(f"/tasks?deployment={name}&limit=1")["items"][0]


def same_blocks(machine: PlayedMachine, image: bytes) -> int:
    """How many MiB of the image that are not empty stand on the disk."""
    disk = machine.disk.path.read_bytes()
    blocks = (slice(start, start + MIB) for start in range(0, IMAGE_SIZE, MIB))
    return sum(disk[block] == image[block] and any(image[block]) for block in blocks)


def cancel_while_held(world: World, machine: PlayedMachine, name: str) -> Any:
    """The agent hears of nothing before the cancellation is done."""
    machine.hold()
    world.daemon.thaw()
    return world.user.post(f"/tasks/{started(world, name)['id']}/cancel")


def test_the_agent_stops_writing_when_it_is_cancelled(world: World, demo_image: Path) -> None:
    machine = world.idle_machine()
    name, image = world.deploy(machine), demo_image.read_bytes()
    world.moment(machine, writing)
    task = cancel_while_held(world, machine, name)
    assert (task["status"], task["reason"]) == ("cancelled", "operator cancelled it")
    assert "Writing the image stops" not in task["cancel"]["text"]
    assert world.state(machine) == "failed"
    assert world.failure(machine) == ("cancelled", "operator cancelled it")
    time.sleep(TELL_EVERY)
    machine.go_on()
    until(lambda: "write-image is no longer wanted" in machine.screen, lambda: f"it goes on\n{world.told(machine)}")
    full = sum(any(image[start : start + MIB]) for start in range(0, IMAGE_SIZE, MIB))
    left = same_blocks(machine, image)
    assert left < full
    assert b"disk is being written" in machine.disk.first_sector, "it must not boot from half an image"
    assert machine.phase is Phase.STACK

    world.user.act(name, "retry")
    world.reach(machine, "active")
    assert same_blocks(machine, image) > left
    assert started(world, name)["status"] == "done"


def test_a_cancelled_task_stays_cancelled_when_the_daemon_dies_before_the_agent_heard(world: World) -> None:
    machine = world.idle_machine()
    name = world.deploy(machine)
    world.moment(machine, told_to("prepare-disk"))
    task = cancel_while_held(world, machine, name)
    world.restart_daemon()
    machine.go_on()
    until(lambda: "no longer wanted" in machine.screen, lambda: f"it goes on\n{world.told(machine)}")
    assert started(world, name) == {key: task[key] for key in task if key != "result"}
    assert world.state(machine) == "failed"
    world.user.act(name, "release")
    world.reach(machine, "idle")


def test_a_hand_over_that_is_cancelled_leaves_the_machine_in_the_stack(world: World) -> None:
    machine = world.idle_machine()
    name = world.deploy(machine)
    world.moment(machine, told_to("hand-over"))
    cancel_while_held(world, machine, name)
    machine.go_on()
    until(lambda: "hand-over is no longer wanted" in machine.screen, lambda: f"it goes on\n{world.told(machine)}")
    assert machine.phase is Phase.STACK
    assert {"action": "kexec"} not in machine.actions
    world.user.act(name, "retry")
    world.reach(machine, "active")


def test_tasks_are_true_whenever_the_daemon_dies(world: World) -> None:
    machine = world.idle_machine()
    name = world.deploy(machine)
    for right in (at("prepare-disk"), writing, told_to("configure"), at("report-active")):
        attempt = world.moment(machine, right)
        world.restart_daemon()
        (task,) = world.user.get(f"/tasks?open=true&deployment={name}")["items"]
        assert (task["status"], task["attempt"]) == ("running", attempt["id"])
    world.reach(machine, "active")
    assert started(world, name)["status"] == "done"
    for action, state in (("stop", "stopped"), ("start", "active"), ("release", "idle")):
        world.user.act(name, action)
        world.restart_daemon()
        world.reach(machine, state)
        task = started(world, name)
        assert (task["kind"], task["status"], task["progress"]) == (f"deployment.{action}", "done", 1.0)
    assert world.user.get("/tasks?open=true")["items"] == []


def test_a_bulk_action_does_each_machine_once_whenever_the_daemon_dies(world: World) -> None:
    world.daemon.stop()
    asyncio.run(_many(world.daemon.state / "store.db"))
    world.daemon.start()
    task = world.user.post("/machines/bulk", action="maintenance-off", filter={"q": "bulk"})
    deaths = 0
    while (found := world.user.get(f"/tasks/{task['id']}"))["status"] in ("waiting", "running"):
        if deaths < 4 and found["counts"].get("done", 0) > deaths * 40:
            deaths += 1
            world.restart_daemon()
        time.sleep(0.01)
    assert (found["status"], found["counts"]) == ("done", {"done": MANY})
    assert deaths, "it was over before anybody could die"
    changed = world.daemon.documents("SELECT doc FROM events WHERE kind = 'machine.changed' AND machine LIKE 'bulk%'")
    assert len(changed) == MANY == len({each["machine"] for each in changed}), "each of them once"
    body = {"action": "delete", "filter": {"q": "bulk"}, "confirm": f"{MANY} machines"}
    task = world.user.call("POST", "/machines/bulk", json.dumps(body).encode(), "application/json")
    until(lambda: world.user.get(f"/tasks/{task['id']}")["status"] == "done", "they are not deleted")


async def _many(path: Path) -> None:
    async with open_store(path) as store:
        for number in range(MANY):
            mac = parse_mac(f"52:54:00:aa:{number >> 8:02x}:{number & 255:02x}")
            machine = Machine(MachineId(f"bulk{number}"), f"bulk-{number}", State.IDLE, (mac,), 1.0)
            await store.write(lambda db, machine=machine: machines.put(db, machine))
