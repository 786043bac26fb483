"""Fenced means confirmed off: told to be off, then seen to be. Nothing else takes a deployment off a broken machine."""

from dataclasses import dataclass, replace

import pytest
from fleet_world import code_of, state
from power_world import Switches
from test_power_orders import Dying

from appliance.deployment import Deployment
from appliance.errors import Conflict
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.power.memory import MemorySwitch
from appliance.power_known import Seen, Switch
from appliance.power_order import OrderId, PowerAction, PowerOrder
from appliance.power_switch import PowerError, PowerKind, PowerSettings, PowerState
from appliance.reconcile.consequences import Action, Consequences
from appliance.reconcile.fencing import fenced
from appliance.reconcile.wishes import MachineChange
from appliance.store import deployments, power
from appliance.workflow import DeploymentId
from tests.people import ADA

NOW = 10_000.0
NODE = Machine(MachineId("m"), "node-1", State.BROKEN, (parse_mac("52:54:00:00:00:01"),), 0.0, last_seen=NOW - 100)
IPMI = Switch(NODE.id, PowerSettings(PowerKind.IPMI, "192.0.2.1"))
WAKES = Switch(NODE.id, PowerSettings(PowerKind.WAKE_ON_LAN))
WEB = Deployment(DeploymentId(1), "web-1", 1, 0.0, machine=NODE.id)
FORESEEN = Consequences(("web-1 is taken off node-1.",), "web-1")


@pytest.mark.parametrize("delivery", ["disk", "nfs"])
@pytest.mark.parametrize("seen", [PowerState.ON, PowerState.OFF, PowerState.UNKNOWN])
def test_what_can_be_switched_off_is_switched_off_first_whatever_it_said_before(seen, delivery):
    switch = replace(IPMI, seen=Seen(seen, NOW - 90, NOW - 10))
    told = fenced(FORESEEN, replace(WEB, delivery=delivery), NODE, switch, None)
    assert (told.refused, told.confirm) == ("", "web-1")
    assert told.texts[1:] == ("node-1 is switched off first, at once; web-1 stays on it until it is seen to be off.",)


@pytest.mark.parametrize("switch", [None, WAKES])
def test_where_nobody_can_confirm_it_a_root_on_a_volume_is_cut_off(switch):
    for delivery in ("nfs", "iscsi"):
        told = fenced(FORESEEN, replace(WEB, delivery=delivery), NODE, switch, None)
        assert (told.refused, told.confirm) == ("", "web-1")
        assert "the export of the root of web-1 is ended at once" in told.texts[-1]
    on_disk = fenced(FORESEEN, WEB, NODE, switch, None)
    assert (on_disk.refused, on_disk.confirm) == ("", "web-1")
    assert "may go on running there" in on_disk.texts[-1]


def test_a_switch_in_trouble_and_one_at_work_are_told_of():
    silent = replace(IPMI, seen=Seen(trouble="no answer", failures=3))
    assert "remove the switch" in fenced(FORESEEN, WEB, NODE, silent, None).texts[-1]
    order = PowerOrder(OrderId(1), NODE.id, PowerAction.CYCLE, NOW, NOW)
    assert "at work (cycle)" in fenced(FORESEEN, WEB, NODE, IPMI, order).refused


@pytest.fixture
async def switches(world, node):
    """A broken machine, which has a deployment and a switch, and runs."""
    made = Switches(world)
    await node.active()
    made.on = await made.add(node, PowerState.ON)
    await world.wishes.change_machine((await node.seen()).id, MachineChange(broken=True), ADA)
    return made


async def released(switches):
    """The task of a release, with all that the daemon does of it."""
    task = await switches.world.act("release")
    await switches.work()
    return await switches.world.task(task)


async def web(switches):
    return await switches.world.store.read(lambda db: deployments.get(db, "web-1"))


async def test_the_machine_is_off_before_its_deployment_leaves_it(switches, node):
    switches.on.asked.clear()
    task = await switches.world.act("release")
    assert (await web(switches)).machine is not None, "it was only asked for"
    assert (await switches.world.task(task)).deployment == (await web(switches)).id
    await switches.work()
    assert (await switches.world.task(task)).status == "done"
    assert switches.on.asked == ["observe", "off", "observe", "observe"]
    assert switches.on.state is PowerState.OFF
    assert ((await web(switches)).machine, (await web(switches)).wanted) == (None, "released")
    assert await state(node) == "broken"
    told = [(event.text, event.reason) for event in await switches.world.events("deployment.changed")]
    name = (await node.seen()).name
    assert (f"web-1 was taken off {name}", "it is confirmed to be off") in told


async def test_one_that_is_off_is_told_all_the_same(switches):
    """Somebody may have pressed its button, or its controller may be in the middle of a cycle."""
    switches.on.state = PowerState.OFF
    await switches.look()
    switches.on.asked.clear()
    assert (await released(switches)).status == "done"
    assert switches.on.asked == ["observe", "off", "observe", "observe"]


@pytest.mark.parametrize("deaf", [True, False])
async def test_a_machine_that_is_not_seen_to_be_off_keeps_its_deployment(switches, deaf):
    switches.on.deaf = deaf
    switches.on.failing = None if deaf else PowerError("power-unreachable", "no answer")
    task = await released(switches)
    assert (task.status, task.code) == ("failed", "power-still-on" if deaf else "power-unreachable")
    assert (await web(switches)).machine is not None
    switches.on.deaf, switches.on.failing = False, None
    assert (await released(switches)).status == "done", "and can be released again"


async def test_off_without_a_taken_order_is_not_enough(switches, node):
    """What refuses the order may tell of another machine, or of one that is being switched on."""

    @dataclass
    class Stubborn(MemorySwitch):
        async def off(self):
            raise PowerError("power-failed", "not now")

    switches.memory[(await node.seen()).name] = Stubborn(PowerState.OFF)
    task = await released(switches)
    assert (task.status, task.code) == ("failed", "power-failed")
    assert (await web(switches)).machine is not None


async def test_a_machine_without_a_switch_is_left_at_once(switches, node):
    await switches.wishes.remove_switch((await node.seen()).id, ADA)
    task = await switches.world.task(await switches.world.act("release"))
    assert (task.status, (await web(switches)).machine) == ("done", None)


async def test_one_that_is_mended_meanwhile_is_released_as_any_other(switches, node):
    task = await switches.world.act("release")
    await switches.world.wishes.change_machine((await node.seen()).id, MachineChange(broken=False), ADA)
    await switches.work()
    assert (await switches.world.task(task)).code == "machine-mended"
    assert (await web(switches)).machine is not None


async def test_a_cancelled_release_changes_nothing(switches):
    task = await switches.world.act("release")
    assert await code_of(Conflict, switches.world.act("release")) == "action-refused"
    await switches.world.wishes.cancel_task(str(task), ADA)
    await switches.work()
    await switches.turn()
    assert (switches.on.state, (await web(switches)).machine is not None) == (PowerState.ON, True)
    assert await switches.world.store.read(power.open_orders) == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", ["observe", "off"])
async def test_a_daemon_that_is_killed_frees_nothing_before_the_machine_is_off(switches, at, after):
    memory = switches.on
    await switches.world.act("release")
    switches.board._drivers = lambda *_: Dying(memory, at, after)
    with pytest.raises(BaseExceptionGroup):
        await switches.work()
    assert (await web(switches)).machine is not None
    switches.__post_init__()
    await switches.work()
    assert memory.state is PowerState.OFF
    assert (await web(switches)).machine is None


async def test_its_consequences_say_so(switches):
    told = await switches.world.wishes.consequences("web-1", Action.RELEASE)
    assert "switched off first" in told.texts[-1]
    assert await code_of(Conflict, switches.world.wishes.act("web-1", Action.RELEASE, None, ADA)) == (
        "confirmation-needed"
    )
