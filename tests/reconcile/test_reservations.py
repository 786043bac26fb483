"""Addresses that are kept for machines: which may be, and what reaches the DHCP server."""

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.events import Event
from appliance.lease import Reservation
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.netboot.dhcp.subnet import AddressRange, Subnet
from appliance.reconcile.addresses import boot_interface, check_address, reservations, troubles
from appliance.reconcile.reservations import Reservations
from appliance.reconcile.wishes import MachineChange, Wishes
from appliance.store import machines
from tests.people import ADA

RANGE = AddressRange(IPv4Address("10.77.0.50"), IPv4Address("10.77.0.99"))
SUBNET = Subnet(
    "br0",
    IPv4Interface("10.77.0.1/24"),
    ranges=(RANGE,),
    gateway=IPv4Address("10.77.0.254"),
    dns=(IPv4Address("10.77.0.53"),),
)
CLOSED = Subnet("br1", IPv4Interface("10.78.0.1/24"), "reservations")
PROXY = Subnet("br2", IPv4Interface("10.79.0.1/24"), "proxy")
SUBNETS = (SUBNET, CLOSED, PROXY)


def machine(name="node", number=1, **more):
    return Machine(MachineId(name), name, State.IDLE, (parse_mac(f"52:54:00:00:00:{number:02x}"),), 0.0, **more)


@pytest.mark.parametrize("text", ["10.77.0.60", "10.77.0.9", " 10.77.0.60 ", "10.78.0.200"])
def test_an_address_in_a_subnet_may_be_kept_in_its_ranges_or_not(text):
    assert check_address(text, machine(), [machine()], SUBNETS) == text.strip()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.77.0", "not an IPv4 address"),
        ("fe80::1", "not an IPv4 address"),
        ("10.76.0.9", "in no subnet that is served"),
        ("10.79.0.9", "another server gives the addresses on br2"),
        ("10.77.0.1", "this appliance itself has that address"),
        ("10.77.0.254", "gateway, name server or time server"),
        ("10.77.0.53", "gateway, name server or time server"),
        ("10.77.0.0", "that is the network address of 10.77.0.0/24"),
        ("10.77.0.255", "that is the broadcast address of 10.77.0.0/24"),
    ],
)
def test_an_address_that_could_not_be_leased_is_refused_with_the_reason(text, says):
    with pytest.raises(Invalid, match=says) as caught:
        check_address(text, machine(), [], SUBNETS)
    assert (caught.value.code, caught.value.field) == ("address-invalid", "reserved_address")
    assert caught.value.hint


def test_an_address_is_kept_for_one_machine_only():
    other = machine("other", 2, reserved_address="10.77.0.60")
    with pytest.raises(Conflict, match=r"10\.77\.0\.60 is reserved for other") as caught:
        check_address("10.77.0.60", machine(), [machine(), other], SUBNETS)
    assert (caught.value.code, caught.value.field) == ("address-taken", "reserved_address")
    assert check_address("10.77.0.60", other, [machine(), other], SUBNETS) == "10.77.0.60", "it has it already"


def test_the_address_is_for_the_interface_that_the_machine_boots_from():
    first, second = parse_mac("52:54:00:00:00:01"), parse_mac("52:54:00:00:00:02")
    node = replace(machine(), macs=(first, second), reserved_address="10.77.0.60")
    assert boot_interface(node) == first
    assert boot_interface(replace(node, inventory={"boot_mac": second})) == second
    assert boot_interface(replace(node, inventory={"boot_mac": "52:54:00:00:00:03"})) == first, "it went elsewhere"
    assert boot_interface(replace(node, macs=())) is None
    kept = [replace(node, inventory={"boot_mac": second}), machine("without", 4), replace(node, macs=())]
    assert reservations(kept) == [Reservation(second, IPv4Address("10.77.0.60"))]


def test_what_a_changed_configuration_makes_impossible_is_said():
    lost = machine("lost", reserved_address="10.80.0.9")
    assert troubles([lost, machine("fine", 2, reserved_address="10.77.0.60")], [SUBNET]) == [
        "10.80.0.9 cannot be leased to lost, for which it is reserved: that is in no subnet that is served"
    ]
    assert troubles([lost], [CLOSED])[1:] == ["nobody gets an address on br1: none of its addresses is reserved"]
    assert troubles([machine("in", reserved_address="10.78.0.9")], [CLOSED]) == []


class Server:
    """Takes what is pushed."""

    def __init__(self):
        self.pushed = []
        self.changed = asyncio.Event()

    def set_reservations(self, given):
        self.pushed.append({each.owner: str(each.address) for each in given})
        self.changed.set()

    async def next(self):
        async with asyncio.timeout(10):
            await self.changed.wait()
        self.changed.clear()
        return self.pushed[-1]


async def test_the_server_hears_of_options_that_machines_have(world, node):
    await node.boots_stack()
    key, told = (await node.seen()).id, []
    wishes = Wishes(world.store, world.bus, lambda: world.now, SUBNETS)
    keeper = Reservations(world.store, world.bus, lambda: world.now, SUBNETS, lambda _: None, told.append)
    await keeper.refresh()
    await wishes.change_machine(key, MachineChange(dhcp_options={"mtu": "1400"}), ADA)
    await keeper.refresh()
    await keeper.refresh()
    await wishes.change_machine(key, MachineChange(dhcp_options={}), ADA)
    await keeper.refresh()
    assert told == [{node.mac: {26: (1400).to_bytes(2, "big")}}, {}]
    said = [event.text for event in await world.events("machine.changed")]
    assert any("DHCP options from none to mtu = 1400" in text for text in said)


async def test_the_server_hears_of_every_change_that_matters(world, node):
    await node.boots_stack()
    key = (await node.seen()).id
    wishes, server = Wishes(world.store, world.bus, lambda: world.now, SUBNETS), Server()
    keeper = Reservations(world.store, world.bus, lambda: world.now, SUBNETS, server.set_reservations)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(keeper.run())
        assert await server.next() == {}
        await wishes.change_machine(key, MachineChange(reserved_address="10.77.0.60"), ADA)
        assert await server.next() == {node.mac: "10.77.0.60"}
        other = "52:54:00:00:00:07"
        sent = node.inventory() | {"boot_mac": other, "nics": [{"mac": node.mac}, {"mac": other}]}
        await world.fleet.take_inventory(node.token, sent)
        assert await server.next() == {other: "10.77.0.60"}, "it boots from its other interface now"
        await wishes.change_machine(key, MachineChange(reserved_address=""), ADA)
        assert await server.next() == {}
        await wishes.change_machine(key, MachineChange(reserved_address="10.77.0.61"), ADA)
        assert await server.next() == {other: "10.77.0.61"}
        await wishes.delete_machine(key, ADA)
        assert await server.next() == {}
        running.cancel()
    said = [event.text for event in await world.events("machine.changed")]
    assert said == [
        "ada changed reserved address from none to 10.77.0.60",
        "ada changed reserved address from 10.77.0.60 to none",
        "ada changed reserved address from none to 10.77.0.61",
    ]
    (trouble,) = await world.events("daemon.trouble")
    assert "nobody gets an address on br1" in trouble.text


async def test_a_store_that_cannot_be_read_leaves_the_server_with_what_it_knows(world, node, monkeypatch):
    await node.boots_stack()
    server = Server()
    keeper = Reservations(world.store, world.bus, lambda: world.now, [SUBNET], server.set_reservations)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(keeper.run())
        await server.next()
        looked = asyncio.Event()

        async def fails(_):
            looked.set()
            raise ApplianceError("store-failed", "no")

        with monkeypatch.context() as patch:
            patch.setattr(type(world.store), "read", lambda _self, job: fails(job))
            world.bus.publish(Event("machine.changed", world.now, "something"))
            await looked.wait()
        await Wishes(world.store, world.bus, lambda: world.now, [SUBNET]).change_machine(
            (await node.seen()).id, MachineChange(reserved_address="10.77.0.60"), ADA
        )
        assert await server.next() == {node.mac: "10.77.0.60"}
        running.cancel()


@pytest.mark.parametrize("error", [ApplianceError("store-failed", "no"), KeyError("a defect")])
async def test_a_store_that_fails_at_the_start_is_read_again(world, node, monkeypatch, error):
    await node.boots_stack()
    server, failed = Server(), asyncio.Event()
    monkeypatch.setattr("appliance.reconcile.reservations.AGAIN", 0.01)
    keeper = Reservations(world.store, world.bus, lambda: world.now, [CLOSED], server.set_reservations)

    async def fails(*_):
        failed.set()
        raise error

    async with asyncio.TaskGroup() as tasks:
        with monkeypatch.context() as patch:
            patch.setattr(type(world.store), "read", fails)
            running = tasks.create_task(keeper.run())
            await failed.wait()
        assert await server.next() == {}
        running.cancel()


async def test_what_cannot_be_told_does_not_keep_addresses_from_the_server(world, node, monkeypatch, caplog):
    await node.boots_stack()
    server, full = Server(), asyncio.Event()

    async def fails(*_):
        full.set()
        raise ApplianceError("store-failed", "the disk is full")

    keeper = Reservations(world.store, world.bus, lambda: world.now, [SUBNET, CLOSED], server.set_reservations)
    async with asyncio.TaskGroup() as tasks:
        with monkeypatch.context() as patch:
            patch.setattr(type(world.store), "write", fails)
            running = tasks.create_task(keeper.run())
            await full.wait()
            assert await server.next() == {}
        change = MachineChange(reserved_address="10.77.0.60")
        wishes = Wishes(world.store, world.bus, lambda: world.now, [SUBNET])
        await wishes.change_machine((await node.seen()).id, change, ADA)
        assert await server.next() == {node.mac: "10.77.0.60"}
        running.cancel()
    assert "nobody gets an address on br1" in caplog.text
    assert "the disk is full" in caplog.text


async def test_the_server_hears_only_what_is_news(world, node):
    await node.boots_stack()
    server = Server()
    keeper = Reservations(world.store, world.bus, lambda: world.now, [SUBNET], server.set_reservations)
    wishes = Wishes(world.store, world.bus, lambda: world.now, [SUBNET])
    for change in (MachineChange(), MachineChange(notes="rack 3"), MachineChange(reserved_address="10.77.0.60")):
        await wishes.change_machine((await node.seen()).id, change, ADA)
        await keeper.refresh()
    await keeper.refresh()
    assert server.pushed == [{}, {node.mac: "10.77.0.60"}]


async def test_two_machines_cannot_be_given_one_address_at_once(world, node):
    for number in (1, 2):
        await world.store.write(lambda db, n=number: machines.put(db, machine(f"m{n}", n)))
    wishes = Wishes(world.store, world.bus, lambda: world.now, SUBNETS)
    change = MachineChange(reserved_address="10.77.0.60")
    done = await asyncio.gather(*(wishes.change_machine(f"m{n}", change, ADA) for n in (1, 2)), return_exceptions=True)
    assert [type(each) for each in done if isinstance(each, Exception)] == [Conflict]
