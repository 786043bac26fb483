"""Fenced means confirmed off: nothing else lets a root on the network be taken from a machine that may still write."""

from dataclasses import replace

import pytest
from power_world import Switches

from appliance.deployment import Deployment
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.power_known import Seen, Switch
from appliance.power_switch import PowerKind, PowerSettings, PowerState
from appliance.reconcile.consequences import Action, Consequences
from appliance.reconcile.fencing import FRESH_SECONDS, fenced, is_fenced
from appliance.reconcile.wishes import MachineChange
from appliance.workflow import DeploymentId
from tests.people import ADA

NOW = 10_000.0
NODE = Machine(MachineId("m"), "node-1", State.BROKEN, (parse_mac("52:54:00:00:00:01"),), 0.0, last_seen=NOW - 100)
OFF = Switch(NODE.id, PowerSettings(PowerKind.IPMI, "192.0.2.1"), seen=Seen(PowerState.OFF, NOW - 90, NOW - 10))
WEB = Deployment(DeploymentId(1), "web-1", 1, 0.0, machine=NODE.id)
FORESEEN = Consequences(("web-1 is taken off node-1.",), "web-1")


def seen(**change):
    return replace(OFF, seen=replace(OFF.seen, **change))


def test_off_that_was_seen_after_the_last_sign_is_fenced():
    assert is_fenced(NODE, OFF, NOW)
    assert is_fenced(replace(NODE, last_seen=None), OFF, NOW)


@pytest.mark.parametrize(
    ("switch", "machine"),
    [
        (None, NODE),
        (seen(state=PowerState.ON), NODE),
        (seen(state=PowerState.UNKNOWN), NODE),
        (seen(at=NOW - FRESH_SECONDS - 1), NODE),
        (seen(at=None), NODE),
        (seen(failures=1), NODE),
        (OFF, replace(NODE, last_seen=NOW - 5)),
    ],
)
def test_nothing_else_is(switch, machine):
    assert not is_fenced(machine, switch, NOW)
    nfs = replace(WEB, delivery="nfs")
    assert "may still write" in fenced(FORESEEN, nfs, machine, switch, NOW).refused
    on_disk = fenced(FORESEEN, WEB, machine, switch, NOW)
    assert (on_disk.refused, on_disk.confirm) == ("", "web-1")
    assert "may go on running there" in on_disk.texts[-1]


def test_a_root_on_the_network_is_free_once_it_is_fenced():
    told = fenced(FORESEEN, replace(WEB, delivery="iscsi"), NODE, OFF, NOW)
    assert (told.refused, told.confirm) == ("", "web-1")
    assert "does not run there any more" in told.texts[-1]


async def test_who_releases_from_a_broken_machine_is_told(world, node):
    switches = Switches(world)
    await node.active()
    memory = await switches.add(node, PowerState.ON)
    await world.wishes.change_machine((await node.seen()).id, MachineChange(broken=True), ADA)
    told = await world.wishes.consequences("web-1", Action.RELEASE)
    assert "may go on running there" in told.texts[-1]
    memory.state = PowerState.OFF
    await switches.look()
    told = await world.wishes.consequences("web-1", Action.RELEASE)
    assert "does not run there any more" in told.texts[-1]
