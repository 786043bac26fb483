"""What is heard on the network is stored in batches, bounded, and survives a restart."""

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface

import pytest

from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.lease import Lease, LeaseState
from appliance.netboot.dhcp.facts import DhcpSeen, ForeignReply, LeaseGranted, NoAddress, Offered, Unserved
from appliance.netboot.dhcp.options import MessageKind
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.firmware import Client, Firmware
from appliance.netboot.policy import BootRequest, MaintenanceStack, NextEntry
from appliance.netboot.tftp.facts import TftpFailed, TftpFinished
from appliance.reconcile import watch as watching
from appliance.reconcile.watch import Watch
from appliance.sighting import Stage
from appliance.store import events, sightings
from appliance.store.documents import one
from appliance.store.store import open_store

MAC = "52:54:00:00:00:01"
ADDRESS = IPv4Address("10.77.0.50")
SUBNETS = [Subnet("br0", IPv4Interface("10.77.0.1/24")), Subnet("br1", IPv4Interface("10.78.0.1/24"), mode="proxy")]
CLIENT = Client(0, Firmware.BIOS, True, False, False, False, None, "PXEClient")
PXE = {"firmware": Firmware.BIOS, "architecture": 0, "vendor_class": "PXEClient:Arch:00000"}


def seen(at=100.0, mac=MAC, kind=MessageKind.DISCOVER, interface="br0", **said):
    values = {"firmware": Firmware.NONE, "architecture": None, "is_ipxe": False, "uuid": None, "relay": None, **said}
    return DhcpSeen(mac=mac, kind=kind, interface=interface, at=at, **values)


def asked_script(**changes):
    request = BootRequest(MAC, None, None, "bios", "", "", str(ADDRESS), "10.77.0.1", True)
    return replace(request, **changes)


@dataclass
class Watched:
    store: object
    now: float = 100.0
    holder: dict = field(default_factory=dict)
    here: set = field(default_factory=set)

    def __post_init__(self):
        self.bus = Bus()
        self.watch = Watch(self.store, self.bus, lambda: self.now, SUBNETS, self.holder.get, self.here.__contains__)

    async def known(self, mac=MAC):
        await self.watch.flush()
        return await self.store.read(lambda db: sightings.find(db, mac))

    async def servers(self):
        await self.watch.flush()
        return await self.store.read(lambda db: sightings.foreign_servers(db, 0.0))

    async def told(self):
        return [each.text for each in await self.store.read(lambda db: events.query(db, kind="dhcp.foreign"))]


@pytest.fixture
async def watched(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        yield Watched(store)


async def test_a_boot_is_followed_stage_by_stage(watched):
    watch, stages = watched.watch, []
    lease = Lease(MAC, ADDRESS, "br0", b"", "", 100.0, 9000.0, LeaseState.BOUND)
    watched.holder[ADDRESS] = MAC
    for step in (
        lambda: watch.dhcp(seen(**PXE)),
        lambda: watch.dhcp(Offered(MAC, ADDRESS, "br0", 101.0)),
        lambda: watch.dhcp(LeaseGranted(lease, CLIENT, 3700.0, 102.0)),
        lambda: watch.tftp(TftpFinished(str(ADDRESS), "undionly.kpxe", 70000, 0.1)),
        lambda: watch.dhcp(seen(is_ipxe=True, firmware=Firmware.BIOS)),
        lambda: watch.script(asked_script(), MaintenanceStack(armed=False)),
        lambda: watch.http(str(ADDRESS), "/stack/abc/vmlinuz"),
        lambda: watch.http(str(ADDRESS), "/stack/abc/initrd"),
        lambda: watch.agent(MAC),
    ):
        step()
        stages.append((await watched.known()).stage)
    assert stages == [*list(Stage)[:6], Stage.SCRIPT, Stage.STACK, Stage.AGENT]
    known = await watched.known()
    assert (known.asked, known.offered, known.fetched, known.script) == (2, 1, 3, "stack")
    assert (known.interface, known.address) == ("br0", "10.77.0.50")


async def test_a_machine_that_came_up_is_in_its_timeline_only(watched):
    watched.here.add(MAC)
    watched.watch.dhcp(seen())
    assert await watched.known() is None


async def test_ordinary_clients_are_told_from_those_that_boot(watched):
    watched.watch.dhcp(Unserved(seen(hostname="printer", vendor_class="MSFT 5.0")))
    known = await watched.known()
    assert (known.served, known.firmware, known.boots_at, known.hostname) == (False, "none", 0.0, "printer")


async def test_what_keeps_it_from_going_on_is_kept(watched):
    watched.watch.dhcp(NoAddress(MAC, "br0", 105.0))
    assert (await watched.known()).trouble == "exhausted"
    watched.holder[ADDRESS] = MAC
    watched.now = 110.0
    watched.watch.tftp(TftpFailed(str(ADDRESS), "snponly.efi", "it went silent"))
    known = await watched.known()
    assert (known.trouble, known.reason, known.file) == ("tftp-failed", "it went silent", "snponly.efi")
    watched.watch.script(asked_script(), None)
    assert (await watched.known()).trouble == "crowded"


async def test_a_request_for_a_script_that_is_not_the_machines_own_changes_nothing(watched):
    watched.watch.script(asked_script(proven=False), NextEntry())
    assert await watched.known() is None


async def test_where_another_server_gives_addresses_they_are_learnt_from_requests(watched):
    watched.watch.dhcp(seen(interface="br1", kind=MessageKind.REQUEST, holds=IPv4Address("10.78.0.9"), **PXE))
    watched.watch.tftp(TftpFinished("10.78.0.9", "undionly.kpxe", 1, 0.1))
    assert (await watched.known()).stage is Stage.PROGRAM


async def test_what_was_seen_survives_a_restart_and_goes_on(watched):
    watched.watch.dhcp(seen())
    await watched.watch.flush()
    again = Watched(watched.store, now=200.0)
    again.watch.dhcp(seen(at=200.0))
    known = await again.known()
    assert (known.first, known.last, known.asked) == (100.0, 200.0, 2)


async def test_a_store_that_fails_loses_nothing(watched, monkeypatch):
    real = watched.store.write

    async def fails(*_):
        raise ApplianceError("store-failed", "disk full")

    monkeypatch.setattr(watched.store, "write", fails)
    watched.watch.dhcp(seen())
    watched.watch.dhcp(ForeignReply(IPv4Address("10.77.0.9"), "br0", 100.0))
    await watched.watch.flush()
    watched.watch.dhcp(seen(at=105.0))
    monkeypatch.setattr(watched.store, "write", real)
    assert (await watched.known()).asked == 2
    assert len(await watched.servers()) == 1


@pytest.mark.parametrize("number_of_them", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
async def test_a_million_made_up_addresses_do_not_push_the_others_out(watched, monkeypatch, number_of_them):
    monkeypatch.setattr(sightings, "KEEP", 400)
    watched.watch.dhcp(seen())
    await watched.watch.flush()
    for number in range(number_of_them):
        watched.watch.dhcp(seen(at=101.0 + number / 1e5, mac=f"02:00:{number:08x}"))
    assert len(watched.watch._signs) <= watching.WAITING
    assert await watched.known() is not None
    (count,) = await watched.store.read(lambda db: one(db, "SELECT count(*) FROM sightings"))
    assert count <= watching.NEW_AT_ONCE + 10


async def test_the_oldest_are_forgotten(watched, monkeypatch):
    monkeypatch.setattr(sightings, "KEEP", 3)
    for number in range(6):
        watched.watch.dhcp(seen(at=100.0 + number, mac=f"52:54:00:00:00:0{number}"))
    await watched.watch.flush()
    assert set(await watched.store.read(sightings.stages)) == {f"52:54:00:00:00:0{number}" for number in (3, 4, 5)}


class TestForeignServers:
    OTHER = IPv4Address("10.77.0.9")

    async def test_a_client_that_chooses_another_one_tells_of_it_once_an_hour(self, watched):
        for minute in range(90):
            watched.now = 10_000.0 + minute * 60
            watched.watch.dhcp(seen(at=watched.now, kind=MessageKind.REQUEST, chosen=self.OTHER))
            (server,) = await watched.servers()
        assert (server.address, server.client, server.first, server.last) == ("10.77.0.9", MAC, 10_000.0, watched.now)
        assert await watched.told() == ["another DHCP server, 10.77.0.9, gives addresses on br0"] * 2
        assert (await watched.known()).other_server == "10.77.0.9"

    async def test_a_reply_that_reaches_us_tells_of_it(self, watched):
        watched.watch.dhcp(ForeignReply(self.OTHER, "br0", 100.0))
        assert [each.client for each in await watched.servers()] == [""]

    async def test_where_others_may_give_addresses_nothing_is_told(self, watched):
        watched.watch.dhcp(seen(interface="br1", kind=MessageKind.REQUEST, chosen=self.OTHER, **PXE))
        watched.watch.dhcp(Unserved(seen(kind=MessageKind.REQUEST, chosen=self.OTHER)))
        assert await watched.servers() == []

    async def test_we_ourselves_are_no_foreign_server(self, watched):
        watched.watch.dhcp(seen(kind=MessageKind.REQUEST, chosen=IPv4Address("10.78.0.1")))
        assert await watched.servers() == []

    async def test_one_without_a_sign_for_a_day_is_gone(self, watched):
        watched.watch.dhcp(ForeignReply(self.OTHER, "br0", 100.0))
        await watched.watch.flush()
        watched.now = 100.0 + 86401.0
        watched.watch.dhcp(ForeignReply(IPv4Address("10.77.0.8"), "br0", watched.now))
        assert [each.address for each in await watched.servers()] == ["10.77.0.8"]

    async def test_made_up_ones_are_bounded(self, watched):
        for number in range(10_000):
            watched.watch.dhcp(seen(kind=MessageKind.REQUEST, chosen=IPv4Address(0x0B000000 + number)))
        assert len(await watched.servers()) <= watching.SERVERS
        assert len(await watched.told()) <= watching.TOLD_AT_ONCE
