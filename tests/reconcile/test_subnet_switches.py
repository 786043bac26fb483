"""Switches of subnets over a real store: what is stored, who is told, and what is as it was when something fails."""

from dataclasses import replace
from ipaddress import IPv4Interface

import pytest

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus
from appliance.netboot.dhcp.rules import Rules
from appliance.netboot.dhcp.served import ServedSubnets
from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile.subnet_switches import SubnetSwitches
from appliance.store import subnet_rules
from appliance.store.store import open_store
from tests.people import ADA

SUBNET = Subnet("br0", IPv4Interface("10.77.0.1/24"))


class Server:
    """Notes how each subnet is to be served."""

    def __init__(self, refuses=""):
        self.modes, self.refuses = [], refuses

    def switch(self, subnet):
        if subnet.mode == self.refuses:
            raise ApplianceError("dhcp-port-in-use", "the port is taken")
        self.modes.append(subnet.mode)


@pytest.fixture
async def store(tmp_path):
    async with open_store(tmp_path / "store.db") as opened:
        yield opened


def switches_over(store, server, fixed=None):
    served = ServedSubnets([SUBNET])
    made = SubnetSwitches(store, Bus(), lambda: 1000.0, served, {"br0": fixed or Rules()})
    made.serve_with((server,), lambda _interface: None)
    return made, served


async def stored(store):
    return await store.read(subnet_rules.every)


async def test_what_was_chosen_is_restored_under_what_the_file_fixes(store):
    server = Server()
    switches, served = switches_over(store, server)
    await switches.switch("br0", {"mode": "proxy", "serve_non_pxe": False}, "br0", ADA)
    assert (server.modes, served.on("br0").mode) == (["proxy"], "proxy")
    await switches.switch("10.77.0.0/24", {"unknown_machines": "ignore"}, None, ADA)
    chosen = {"mode": "proxy", "serve_non_pxe": False, "unknown_machines": "ignore"}
    assert await stored(store) == {"br0": chosen}

    again, served = switches_over(store, server, Rules(mode="reservations"))
    await again.restore()
    assert served.on("br0") == replace(SUBNET, **chosen | {"mode": "reservations"}), "the file is never overridden"
    with pytest.raises(Conflict, match="stands in the configuration file"):
        await again.switch("br0", {"mode": "off"}, "br0", ADA)


async def test_a_port_that_cannot_be_had_leaves_all_as_it_was(store):
    switches, served = switches_over(store, Server(refuses="proxy"))
    with pytest.raises(ApplianceError, match="taken"):
        await switches.switch("br0", {"mode": "proxy"}, "br0", ADA)
    assert (await stored(store), served.on("br0").mode) == ({}, "authoritative")


async def test_what_cannot_be_stored_is_not_served(store, monkeypatch):
    def full(*_):
        raise ApplianceError("store-failed", "the disk is full")

    monkeypatch.setattr(subnet_rules, "choose", full)
    server = Server()
    switches, served = switches_over(store, server)
    with pytest.raises(ApplianceError, match="full"):
        await switches.switch("br0", {"mode": "off"}, "br0", ADA)
    assert (server.modes, served.on("br0").mode) == (["off", "authoritative"], "authoritative")


async def test_nothing_is_touched_before_it_is_confirmed_and_for_what_is_no_rule(store):
    server = Server()
    switches, _ = switches_over(store, server)
    with pytest.raises(Conflict, match="DHCP is silent"):
        await switches.switch("br0", {"mode": "off"}, None, ADA)
    with pytest.raises(Invalid):
        await switches.switch("br0", {"mode": "sometimes"}, None, ADA)
    with pytest.raises(NotFound):
        await switches.switch("br1", {"mode": "off"}, "br1", ADA)
    assert (server.modes, await stored(store)) == ([], {})


async def test_a_change_of_mode_makes_the_next_start_look_first(store):
    switches, _ = switches_over(store, Server())
    await store.write(lambda db: subnet_rules.note_served(db, "br0", 999.0))
    await switches.switch("br0", {"unknown_machines": "ignore"}, None, ADA)
    assert await store.read(subnet_rules.served) == {"br0": 999.0}
    await switches.switch("br0", {"mode": "off"}, "br0", ADA)
    assert await store.read(subnet_rules.served) == {"br0": 0.0}
