"""Whose timeline tells of a file that was fetched: the interface that has the address, from its first packet on."""

import asyncio
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv4Interface

import pytest

from appliance.events import Bus
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.netboot.dhcp.facts import DhcpSeen
from appliance.netboot.dhcp.options import MessageKind
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.firmware import Firmware
from appliance.netboot.tftp.facts import TftpFinished
from appliance.reconcile.boot_programs import BootPrograms
from appliance.reconcile.known import BootsWith
from appliance.reconcile.observations import Observations
from appliance.reconcile.projection import Projection
from appliance.store import machines
from appliance.store.store import open_store

MAC, MACHINE = MacAddress("52:54:00:00:00:01"), MachineId("m")
LEASED, ELSEWHERE = "10.77.0.50", "10.88.0.9"
SUBNETS = [Subnet("br0", IPv4Interface("10.77.0.1/24")), Subnet("br1", IPv4Interface("10.88.0.1/24"), mode="proxy")]


@asynccontextmanager
async def observing(path):
    """Observations of a machine, and a queue of the events that are told; nothing of a lease is stored."""
    bus, told = Bus(), asyncio.Queue()
    async with open_store(path / "store.db") as store, asyncio.TaskGroup() as tasks:
        await store.write(lambda db: machines.put(db, Machine(MACHINE, "node-1", State.IDLE, (MAC,), 1.0)))
        projection = Projection(store, bus, lambda name: None, lambda owner: None)
        await projection.refresh()
        observed = Observations(store, bus, lambda: 100.0, projection)
        holds = {IPv4Address(LEASED): MAC}
        observed.programs = BootPrograms(
            lambda mac: BootsWith(), holds.get, observed.of_interface, lambda: 100.0, SUBNETS
        )
        running = tasks.create_task(observed.run())
        with bus.listen(told.put_nowait):
            yield observed, told
        running.cancel()


async def test_a_file_is_fetched_sooner_than_the_lease_is_read_anew(tmp_path):
    async with observing(tmp_path) as (observed, told), asyncio.timeout(30):
        observed.tftp(TftpFinished(LEASED, "snponly.efi", 284672, 0.1))
        event = await told.get()
    assert (event.kind, event.machine) == ("tftp.sent", MACHINE)
    assert event.text == "fetched snponly.efi by TFTP (284672 bytes in 0.1 s)"


@pytest.mark.parametrize("by", ["tftp", "http"])
async def test_a_file_is_fetched_from_an_address_that_another_server_gave(tmp_path, by):
    async with observing(tmp_path) as (observed, told), asyncio.timeout(30):
        observed.dhcp(
            DhcpSeen(
                MAC, MessageKind.REQUEST, Firmware.NONE, 7, False, None, None, "br1", 100.0,
                holds=IPv4Address(ELSEWHERE),
            )
        )  # fmt: skip
        if by == "tftp":
            observed.tftp(TftpFinished(ELSEWHERE, "shimx64.efi", 1036152, 0.5))
        else:
            await observed.http(ELSEWHERE, "/boot/shimx64.efi", 1036152)
        event = await told.get()
    assert (event.kind, event.machine) == (f"{by}.sent", MACHINE)


async def test_an_address_that_nobody_was_given_is_nobodys(tmp_path):
    async with observing(tmp_path) as (observed, told), asyncio.timeout(30):
        for address in ("10.77.0.99", "fe80::1"):
            observed.tftp(TftpFinished(address, "shimx64.efi", 1, 0.5))
        observed.tftp(TftpFinished(LEASED, "snponly.efi", 1, 0.1))
        assert "snponly.efi" in (await told.get()).text
