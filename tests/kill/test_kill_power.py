"""Power switches, with the daemon dying around every command: power comes and goes once, whenever it dies."""

from collections.abc import Callable, Iterator

import pytest
from kill_daemon import Record, until
from kill_machine import PlayedMachine
from kill_switch import Switch
from kill_world import World

pytestmark = pytest.mark.root
OPEN = "SELECT doc FROM power_orders WHERE ended IS NULL"


@pytest.fixture
def machine(world: World) -> PlayedMachine:
    """Idle, and then its plug was pulled."""
    made = world.idle_machine()
    made.power_cut()
    return made


@pytest.fixture
def switch(world: World, machine: PlayedMachine) -> Iterator[Switch]:
    """The switch of the machine, of which the appliance knows."""
    made = Switch(machine.directory, world.network, machine)
    made.set_up(world.user, world.id_of(machine))
    yield made
    made.close()


def tend(world: World, switch: Switch) -> None:
    switch.button.tend()
    world.tend()


def die_when(world: World, switch: Switch, right: Callable[[Record], bool]) -> None:
    """kill -9 right at a commit at which the order is ``right``, and a new daemon."""

    def there() -> bool:
        found = world.daemon.documents(OPEN)
        return bool(found) and right(found[0])

    world.daemon.hold_when(there, lambda: tend(world, switch), lambda: "the moment of the order never came")
    world.restart_daemon()


def reach(world: World, switch: Switch, machine: PlayedMachine, state: str) -> None:
    def reached() -> bool:
        tend(world, switch)
        return world.state(machine) == state

    until(reached, lambda: world.told(machine), 90)


def ended(world: World, switch: Switch, task: Record) -> Record:
    def over() -> Record | None:
        tend(world, switch)
        found: Record = world.user.get(f"/tasks/{task['id']}")
        return found if found["ended"] else None

    found: Record = until(over, "the task does not end", 60)
    return found


def test_a_deploy_switches_on_once_although_the_daemon_dies_around_it(
    world: World, switch: Switch, machine: PlayedMachine
) -> None:
    world.deploy(machine)
    die_when(world, switch, lambda order: not order["sent"])
    die_when(world, switch, lambda order: bool(order["sent"]))
    die_when(world, switch, lambda order: switch.button.running)
    reach(world, switch, machine, "active")
    assert switch.button.pressed == ["on"]
    told = [event["text"] for event in world.events(machine, "machine.power")]
    assert [text for text in told if "was switched on" in text] == [told[-1]]
    assert {attempt["status"] for attempt in world.attempts(machine)} == {"done"}


@pytest.mark.slow
def test_a_cycle_is_one_although_the_daemon_dies_in_each_part_of_it(
    world: World, switch: Switch, machine: PlayedMachine
) -> None:
    switch.button.running = True
    reach(world, switch, machine, "idle")
    task = world.user.post(f"/machines/{world.id_of(machine)}/power/cycle", confirm=None)
    die_when(world, switch, lambda order: order["index"] == 0 and bool(order["sent"]))
    die_when(world, switch, lambda order: order["index"] == 0 and not switch.button.running)
    die_when(world, switch, lambda order: order["index"] == 1 and not order["sent"])
    die_when(world, switch, lambda order: order["index"] == 1 and bool(order["sent"]))
    assert ended(world, switch, task)["status"] == "done"
    assert switch.button.pressed == ["off", "on"]


@pytest.mark.slow
def test_power_comes_back_although_the_start_cannot_be_armed_and_the_daemon_dies_in_each_part(
    world: World, switch: Switch, machine: PlayedMachine
) -> None:
    switch.button.running, switch.button.armable = True, False
    reach(world, switch, machine, "idle")
    task = world.user.post(f"/machines/{world.id_of(machine)}/power/network-once", confirm=None)
    die_when(world, switch, lambda order: not order["sent"])
    die_when(world, switch, lambda order: order["index"] == 0 and bool(order["sent"]))
    die_when(world, switch, lambda order: order["index"] == 1 and not order["sent"])
    die_when(world, switch, lambda order: order["index"] == 1 and bool(order["sent"]))
    die_when(world, switch, lambda order: bool(order["unlike"]))
    found = ended(world, switch, task)
    assert (found["status"], found["code"]) == ("failed", "power-not-from-network")
    assert "on again" in found["reason"]
    assert (switch.button.pressed, switch.button.running) == (["off", "on"], True)
    told = [event["text"] for event in world.events(machine, "machine.power")]
    assert sum(text.endswith("was switched off and on again, but not into the network") for text in told) == 1


@pytest.mark.slow
def test_off_is_seen_before_it_is_told(world: World, switch: Switch, machine: PlayedMachine) -> None:
    switch.button.running = True
    tend(world, switch)
    task = world.user.post(f"/machines/{world.id_of(machine)}/power/off", confirm=None)
    assert (ended(world, switch, task)["result"], switch.button.running) == ({"power": "off"}, False)


@pytest.mark.slow
def test_a_deployment_leaves_a_broken_machine_only_once_that_is_off(
    world: World, switch: Switch, machine: PlayedMachine
) -> None:
    name = world.deploy(machine)
    reach(world, switch, machine, "active")
    until(lambda: not world.daemon.documents(OPEN), "its switch is still at work", 60)
    switch.button.pressed.clear()
    world.user.patch(f"/machines/{world.id_of(machine)}", broken=True)
    world.user.act(name, "release")
    (task,) = [each for each in world.user.get("/tasks")["items"] if each["title"].endswith(f"release {name}")]

    def holds() -> bool:
        return world.user.get(f"/deployments/{name}")["machine"] is not None

    for right in (
        lambda order: not order["sent"],
        lambda order: bool(order["sent"]) and not order["taken"],
        lambda order: bool(order["taken"]),
    ):
        die_when(world, switch, right)
        assert holds(), "the order has not ended"
    assert ended(world, switch, task)["status"] == "done"
    assert (holds(), switch.button.pressed, switch.button.running) == (False, ["off"], False)
