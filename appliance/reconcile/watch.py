"""Notes what was heard of computers that are not here yet, and of other DHCP servers. Servers hand facts over without
waiting; what came together is one durable write.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from appliance.bootprogram import is_dispensable
from appliance.events import Bus, Event
from appliance.netboot.dhcp.facts import DhcpSeen, Fact, ForeignReply, LeaseGranted, NoAddress, Offered, Unserved
from appliance.netboot.dhcp.options import text_of
from appliance.netboot.dhcp.served import behind_relays
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.policy import BootRequest, BootSpec, LocalDisk, MaintenanceStack, NetworkRoot, NoStack
from appliance.netboot.tftp.facts import TftpFact, TftpFailed, TftpFinished
from appliance.network import hardware_address
from appliance.reconcile.ration import Ration
from appliance.reconcile.record import Tell, record
from appliance.reconcile.surviving import Surviving
from appliance.sighting import ForeignServer, Sighting, Stage, merged, noticed_again
from appliance.store import sightings
from appliance.store.store import Store

log = logging.getLogger(__name__)

GATHER_SECONDS = 1.0
"""News waits so long for more, to be written together."""
LAZY_SECONDS = 60.0
"""What is no news, such as a lease that is renewed, waits so long."""
WAITING = 1024
"""Interfaces that wait for the store at most; beyond it new ones are dropped, and noted when they are heard of again:
a crowd that is larger is served first, and to note one takes nearly as long as to store its lease.
"""
NEW_AT_ONCE, NEW_SECONDS = 300, 2.0
"""Interfaces that are noted at once before they took an address, and seconds to each further one: made-up addresses
must not push out the others. Those that take one are as many as there are addresses."""
SERVERS = 50
"""Other DHCP servers that wait for the store at most: anybody can make them up."""
TOLD_SECONDS = 3600.0
"""Between two events about the same one."""
TOLD_AT_ONCE, TOLD_AGAIN = 5, 600.0
"""Events about all of them at once, and seconds to each further one."""
FOREIGN_SECONDS = 86400.0
"""After so long without a sign another DHCP server is forgotten."""
LONGEST = 100
"""Characters of a text that a machine sent."""


_SAID = {MaintenanceStack: "stack", NetworkRoot: "root", LocalDisk: "disk", NoStack: "none", type(None): "busy"}


class Watch:
    """Turns facts into sightings; ``run`` stores them."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Callable[[], float],
        subnets: Sequence[Subnet],
        holder: Callable[[IPv4Address], str | None],
        arrived: Callable[[str], bool],
    ) -> None:
        """``holder`` says which interface was leased an address last, ``arrived`` whether a machine with this
        interface came up before: what that does is in its timeline.
        """
        self._store, self._bus, self._clock = store, bus, clock
        self._subnets = subnets
        near_last = sorted(subnets, key=lambda each: each.remote is None)
        self._interfaces = {str(subnet.address.ip): subnet.interface for subnet in near_last}
        self._holder, self._arrived = holder, arrived
        self._elsewhere: dict[str, str] = {}
        """Interfaces by address where another server gives the addresses."""
        self._signs: dict[str, Sighting] = {}
        self._servers: dict[tuple[str, str], ForeignServer] = {}
        self._known: dict[str, Stage] = {}
        self._new = Ration(NEW_AT_ONCE, NEW_SECONDS)
        self._told = Ration(TOLD_AT_ONCE, TOLD_AGAIN)
        self._something, self._news = asyncio.Event(), asyncio.Event()
        self.suspect: Callable[[str], None] | None = None
        """Is told of the interface whenever another DHCP server was noticed; None in tests."""

    def dhcp(self, fact: Fact) -> None:
        """A fact of the DHCP server; returns at once."""
        match fact:
            case DhcpSeen():
                self._heard(fact, served=True)
            case Unserved(seen=seen):
                self._heard(seen, served=False)
            case Offered():
                address = text_of(fact.address) if fact.address else ""
                self._note(fact.mac, Stage.OFFERED, fact.at, interface=fact.interface, offered=1, address=address)
            case LeaseGranted(lease=lease):
                address = text_of(lease.address)
                self._note(lease.mac, Stage.LEASED, fact.at, interface=lease.interface, address=address)
            case NoAddress():
                what = "port-full" if fact.full_port else "exhausted"
                trouble: dict[str, Any] = {"trouble": what, "trouble_at": fact.at, "reason": fact.full_port[:LONGEST]}
                self._note(fact.mac, Stage.ASKED, fact.at, interface=fact.interface, **trouble)
            case ForeignReply():
                self._notice(ForeignServer(fact.interface, str(fact.server), fact.at, fact.at))

    def _heard(self, seen: DhcpSeen, *, served: bool) -> None:
        chosen = self._chosen(seen, served=served) if seen.chosen else ""
        if seen.holds:
            self._uses(seen, text_of(seen.holds))
        stage = Stage.IPXE if seen.is_ipxe else Stage.ASKED
        if not self._matters(seen.mac, stage, seen.at):
            return
        self._take(
            seen.mac,
            stage,
            seen.at,
            interface=seen.interface,
            asked=1,
            served=served,
            firmware=seen.firmware.value,
            architecture=seen.architecture,
            vendor_class=seen.vendor_class[:LONGEST],
            user_class=seen.user_class[:LONGEST],
            hostname=seen.hostname,
            boots_at=seen.at if seen.boots else 0.0,
            other_server=chosen,
            other_at=seen.at if chosen else 0.0,
        )

    def _chosen(self, seen: DhcpSeen, *, served: bool) -> str:
        """The address of the other server whose offer was taken; empty where that is one of us."""
        chosen, subnet = str(seen.chosen), self._subnet(seen.interface)
        if chosen in self._interfaces:
            return ""  # a cable between two subnets of ours
        if served and subnet is not None and subnet.mode == "authoritative":
            self._notice(ForeignServer(seen.interface, chosen, seen.at, seen.at, client=seen.mac))
        return chosen

    def _uses(self, seen: DhcpSeen, address: str) -> None:
        subnet = self._subnet(seen.interface)
        if subnet is not None and subnet.mode == "proxy":
            self._learn(address, seen.mac)

    def _subnet(self, interface: str) -> Subnet | None:
        return next((each for each in self._subnets if each.interface == interface), None)

    def _learn(self, address: str, mac: str) -> None:
        if len(self._elsewhere) >= WAITING:
            self._elsewhere.clear()
        self._elsewhere[address] = mac

    def tftp(self, fact: TftpFact) -> None:
        """A fact of a TFTP server; returns at once."""
        now, file = self._clock(), fact.name[:LONGEST]
        if isinstance(fact, TftpFinished):
            if not file.lstrip("/").startswith("grub/"):
                stage = Stage.IPXE if file == "autoexec.ipxe" else Stage.PROGRAM
                self._of_address(fact.client, stage, now, fetched=1, file=file)
            return
        if not isinstance(fact, TftpFailed) and is_dispensable(fact.name):
            return
        reason = fact.reason if isinstance(fact, TftpFailed) else "there is no such file"
        trouble: dict[str, Any] = {"trouble": "tftp-failed", "trouble_at": now, "reason": reason[:LONGEST]}
        self._of_address(fact.client, Stage.LEASED, now, file=file, **trouble)

    def http(self, address: str, path: str) -> None:
        """A boot file went out by HTTP; returns at once."""
        room, _, file = path[1:].partition("/")
        # The initrd is most of the stack; who has the kernel only came no further than the script.
        stage = {"boot": Stage.PROGRAM, "stack": Stage.STACK if file.endswith("/initrd") else Stage.SCRIPT}.get(room)
        if stage is not None:
            self._of_address(address, stage, self._clock(), fetched=1, file=file.rpartition("/")[2][:LONGEST])

    def script(self, request: BootRequest, spec: BootSpec | None) -> None:
        """A boot script was asked for, and says this; None: to wait, since too many are new. Returns at once."""
        if not request.proven:
            return
        now = self._clock()
        said = _SAID.get(type(spec), "next")
        trouble: dict[str, Any] = {"trouble": "crowded", "trouble_at": now} if spec is None else {}
        subnet = behind_relays(self._subnets, request.address)
        interface = subnet.interface if subnet is not None else self._interfaces.get(request.server, "")
        subnet = self._subnet(interface)
        if subnet is not None and subnet.mode == "proxy":
            self._learn(request.address, request.mac)
        told: dict[str, Any] = {"interface": interface, "address": request.address, "boots_at": now}
        self._note(request.mac, Stage.SCRIPT, now, script=said, **told, **trouble)

    def agent(self, mac: str) -> None:
        """An agent traded its token; returns at once."""
        if mac in self._known or mac in self._signs:
            self._note(mac, Stage.AGENT, self._clock())

    def _of_address(self, address: str, stage: Stage, now: float, **said: Any) -> None:
        with suppress(AddressValueError):
            mac = self._elsewhere.get(address) or self._holder(IPv4Address(address))
            if mac is not None:
                self._note(mac, stage, now, **said)

    def _note(self, mac: str, stage: Stage, at: float, interface: str = "", **said: Any) -> None:
        if self._matters(mac, stage, at):
            self._take(mac, stage, at, interface, **said)

    def _matters(self, mac: str, stage: Stage, at: float) -> bool:
        """Whether anything is kept of it. Of most packets nothing is, and then nothing must be made of them."""
        return not self._arrived(mac) and (mac in self._signs or self._admitted(mac, stage, at))

    def _take(self, mac: str, stage: Stage, at: float, interface: str, **said: Any) -> None:
        before = self._signs.get(mac)
        sign = Sighting(mac, interface, at, at, stage, at, **said)
        self._signs[mac] = sign if before is None else merged(before, sign)
        self._something.set()
        if self._known.get(mac) != self._signs[mac].stage:
            self._news.set()

    def _admitted(self, mac: str, stage: Stage, at: float) -> bool:
        if len(self._signs) >= WAITING:
            return False
        return mac in self._known or stage >= Stage.LEASED or self._new.admit(None, at) is not None

    def _notice(self, server: ForeignServer) -> None:
        key = server.interface, server.address
        if server.address in self._interfaces or (key not in self._servers and len(self._servers) >= SERVERS):
            return
        if self.suspect is not None:
            self.suspect(server.interface)
        before = self._servers.get(key)
        self._servers[key] = server if before is None else noticed_again(before, server)
        self._something.set()
        if before is None:
            self._news.set()

    async def run(self) -> None:
        """Store what waits, in batches; until cancelled."""
        await self._recall()
        while True:
            await self._something.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(LAZY_SECONDS):
                    await self._news.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self.flush()

    async def _recall(self) -> None:
        with Surviving(log, "what was seen on the network before is taken for new"):
            self._known = await self._store.read(sightings.stages)

    async def flush(self) -> None:
        """Store what waits now; what cannot be stored waits on."""
        self._something.clear()
        self._news.clear()
        signs, self._signs = self._signs, {}
        servers, self._servers = self._servers, {}
        with Surviving(log, "what was seen on the network is not stored"):
            known = await record(self._store, self._bus, lambda db, tell: self._store_all(db, tell, signs, servers))
            self._known |= {each.mac: each.stage for each in known}
            if len(self._known) > sightings.KEEP:
                await self._recall()
            return
        self._signs = {mac: _joined(signs, self._signs, mac) for mac in {**signs, **self._signs}}
        self._servers = {**servers, **self._servers}

    def _store_all(
        self,
        db: sqlite3.Connection,
        tell: Tell,
        signs: dict[str, Sighting],
        servers: dict[tuple[str, str], ForeignServer],
    ) -> list[Sighting]:
        known = sightings.take(db, list(signs.values())) if signs else []
        if servers:
            noticed = [self._told_of(tell, sightings.notice(db, each)) for each in servers.values()]
            sightings.put_servers(db, noticed, self._clock() - FOREIGN_SECONDS)
        return known

    def _told_of(self, tell: Tell, server: ForeignServer) -> ForeignServer:
        """The server with its hardware address, told of unless it was within the hour."""
        mac = hardware_address(server.interface, server.address) or server.mac
        server = replace(server, mac=mac)
        now = self._clock()
        if 0 <= now - server.told < TOLD_SECONDS or self._told.admit(None, now) is None:
            return server
        whose = f" ({mac})" if mac else ""
        text = f"another DHCP server, {server.address}{whose}, gives addresses on {server.interface}"
        reason = f"{server.client} took its offer" if server.client else "a reply of it was heard"
        detail = {"interface": server.interface, "address": server.address, "mac": mac, "client": server.client}
        tell(Event("dhcp.foreign", now, text, reason, detail=detail))
        return replace(server, told=now)


def _joined(older: dict[str, Sighting], newer: dict[str, Sighting], mac: str) -> Sighting:
    if mac in older and mac in newer:
        return merged(older[mac], newer[mac])
    return newer.get(mac) or older[mac]
