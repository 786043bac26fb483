"""Which names follow from machines, deployments and leases."""

from ipaddress import IPv4Address

import pytest
from test_plan import CURRENT, MACHINE

from appliance.lease import Lease, LeaseState
from appliance.machine import State
from appliance.reconcile.names import names

MAC = MACHINE.macs[0]


def lease(mac=MAC, address="10.77.0.50", hostname="", state=LeaseState.BOUND, start=1.0):
    return Lease(mac, IPv4Address(address), "br0", b"", hostname, start, 99.0, state)


def machine(state=State.IDLE, macs=(MAC,), address=None):
    return type(MACHINE)(MACHINE.id, "node-1", state, macs, 0.0, address=address)


def told(*arguments):
    return {(each.name, str(each.address), each.kind) for each in names(*arguments)}


def test_a_machine_has_its_name_and_its_lease_has_none_of_its_own():
    assert told([machine()], [], [lease(hostname="liar")]) == {("node-1", "10.77.0.50", "machine")}


def test_a_stranger_has_the_name_that_it_chose():
    assert told([], [], [lease(hostname="laptop")]) == {("laptop", "10.77.0.50", "lease")}
    assert told([], [], [lease()]) == set()


@pytest.mark.parametrize("state", list(State))
def test_a_deployment_has_its_name_while_it_runs_or_is_about_to(state):
    found = told([machine(state)], [CURRENT], [lease()])
    running = state in (State.ACTIVE, State.DEPLOYING, State.STARTING, State.STOPPING)
    assert (("web-1", "10.77.0.50", "deployment") in found) is running


@pytest.mark.parametrize("state", [LeaseState.RELEASED, LeaseState.DECLINED])
def test_a_lease_that_is_not_bound_names_nobody(state):
    assert told([machine()], [], [lease(state=state)]) == set()


def test_of_several_interfaces_the_one_that_booted_speaks():
    other = "52:54:00:00:00:09"
    leases = [lease(), lease(other, "10.77.0.60", start=2.0)]
    both = machine(macs=(MAC, other), address="10.77.0.50")
    assert told([both], [], leases) == {("node-1", "10.77.0.50", "machine")}
    unknown = machine(macs=(MAC, other))
    assert told([unknown], [], leases) == {("node-1", "10.77.0.60", "machine")}
