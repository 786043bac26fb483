"""Virtual machines: which orders are for which state, and what of a definition needs a restart."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Conflict, Invalid
from appliance.machine import MacAddress, parse_mac
from appliance.vm import (
    NEVER_NEED_RESTART,
    TRANSITIONS,
    Autostart,
    Bus,
    Cdrom,
    Disk,
    Firmware,
    Nic,
    Order,
    System,
    Vm,
    VmId,
    VmState,
    differences,
    free_target,
    is_to_be_done,
    mac_of,
    targets,
)

MAC = MacAddress("52:54:00:12:34:56")
WEB = Vm(VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e"), "web1", disks=(Disk("sda", "/srv/a"),), boot=("sda",))


def test_every_order_says_what_it_is_for():
    assert set(TRANSITIONS) == set(Order)
    for order, transition in TRANSITIONS.items():
        assert transition.of, order
        assert transition.of.isdisjoint(transition.done), order
        assert transition.hint or transition.of | transition.done == set(VmState)


@given(st.sampled_from(Order), st.sampled_from(VmState))
def test_an_order_is_done_carried_out_or_refused_with_a_way_on(order, state):
    transition = TRANSITIONS[order]
    if state in transition.of | transition.done:
        assert is_to_be_done(order, state, "web1") is (state in transition.of)
        return
    with pytest.raises(Conflict) as caught:
        is_to_be_done(order, state, "web1")
    assert caught.value.code == "vm-state"
    assert "web1" in caught.value.message
    assert caught.value.hint


def test_there_is_a_way_out_of_every_state():
    assert all(is_to_be_done(Order.OFF, state, "web1") for state in set(VmState) - {VmState.OFF})
    assert is_to_be_done(Order.START, VmState.OFF, "web1")


OTHERS = {
    "cpus": 2,
    "memory": 1 << 31,
    "disks": (Disk("sda", "/srv/b"),),
    "cdroms": (Cdrom("sdb"),),
    "nics": (Nic(MAC, "br0"),),
    "boot": (),
    "firmware": Firmware.UEFI,
    "tpm": True,
    "system": System.WINDOWS,
    "id": "other",
    "name": "other",
    "notes": "other",
    "autostart": Autostart(),
}


def test_what_needs_a_restart_is_said_by_name():
    assert set(OTHERS) == {each.name for each in fields(Vm)}
    assert differences(WEB, WEB) == ()
    for name, value in OTHERS.items():
        wanted = () if name in NEVER_NEED_RESTART else (name,)
        assert differences(WEB, replace(WEB, **{name: value})) == wanted
    assert differences(WEB, replace(WEB, cpus=2, tpm=True)) == ("cpus", "tpm")


@pytest.mark.parametrize("bus", Bus)
def test_drives_get_names_until_there_are_none(bus):
    taken = [name for name in targets(bus) if name[-1] != "c"]
    assert free_target([], bus) == targets(bus)[0]
    if len(taken) < len(targets(bus)):
        assert free_target(taken, bus)[-1] == "c"
    with pytest.raises(Invalid) as caught:
        free_target(targets(bus), bus)
    assert caught.value.code == "vm-drives"


@given(st.binary(min_size=3, max_size=3))
def test_addresses_are_those_of_network_cards(given_bytes):
    assert parse_mac(mac_of(given_bytes)) == mac_of(given_bytes)
