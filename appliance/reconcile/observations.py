"""Facts of the netboot servers, written to timelines. Servers hand them over without waiting."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable

from appliance.bootprogram import is_dispensable
from appliance.events import Bus, Event
from appliance.lease import Lease
from appliance.machine import MacAddress, MachineId
from appliance.netboot.dhcp.facts import (
    AddressConflict,
    BadPacket,
    DhcpSeen,
    Fact,
    LeaseEnded,
    LeaseGranted,
    PoolExhausted,
    ServiceBegins,
    ServiceHeld,
)
from appliance.netboot.dhcp.options import text_of
from appliance.netboot.tftp.facts import TftpFact, TftpFailed, TftpFinished
from appliance.reconcile.boot_programs import BootPrograms
from appliance.reconcile.projection import Projection
from appliance.reconcile.ration import Ration, more
from appliance.reconcile.surviving import Surviving
from appliance.reconcile.watch import Watch
from appliance.screencode import MEANINGS, Waits, in_words
from appliance.store import attempts, events
from appliance.store.store import Store
from appliance.workflow import entered

log = logging.getLogger(__name__)

WAITING = 10_000
"""Facts held for the store at most; beyond it facts are dropped, machines still boot."""
STRANGERS_PER_MINUTE = 300
"""Events of interfaces that belong to no machine: made-up addresses must not fill the log."""
FACTS_AT_ONCE, FACT_SECONDS = 200, 5.0
"""Events of one machine that are kept at once, and seconds to each further one; a boot has some twenty."""

IN_INITRD = range(Waits.NETWORK, Waits.EXPORT + 1)
"""What an initrd tells of; firmware and boot programs tell of less."""


class Observations:
    """Turns facts into events; ``run`` stores them."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], projection: Projection) -> None:
        self._store, self._bus, self._clock, self._projection = store, bus, clock, projection
        self._queue: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        self._leased: dict[str, tuple[str, str]] = {}
        """Address and name of each interface, as told last."""
        self._strangers = (0.0, 0)
        self._facts = Ration(FACTS_AT_ONCE, FACT_SECONDS)
        self._entered: set[MachineId] = set()
        """Machines whose hand-over initrd has said something; stored with the next events."""
        self.dropped = 0
        self.watch: Watch | None = None
        """Is told the same; None in tests."""
        self.programs: BootPrograms | None = None
        """Is told the same; None in tests."""

    def dhcp(self, fact: Fact) -> None:
        """A fact of the DHCP server; returns at once."""
        for listener in (self.watch, self.programs):
            if listener is not None:
                listener.dhcp(fact)
        if isinstance(fact, LeaseGranted):
            self._projection.leased(text_of(fact.lease.address), fact.until)
        match fact:
            case DhcpSeen(kind=kind) if fact.boots:
                who = "iPXE" if fact.is_ipxe else f"{fact.firmware.value} firmware"
                self._of_mac(fact.mac, "dhcp.seen", f"DHCP {kind.name} from {who}", at=fact.at)
            case LeaseGranted(lease=lease) if self._is_news(lease):
                calls_itself = f" and calls itself {lease.hostname}" if lease.hostname else ""
                self._of_mac(lease.mac, "dhcp.lease", f"was leased {text_of(lease.address)}{calls_itself}", at=fact.at)
            case LeaseEnded(lease=lease, reason=reason):
                self._leased.pop(lease.mac, None)
                self._of_mac(lease.mac, "dhcp.ended", f"{lease.address} is free again: {reason}", at=fact.at)
            case AddressConflict():
                text = f"{fact.address} is used by another computer and was set aside (found by {fact.found_by})"
                self._of_mac(fact.mac, "dhcp.ended", text, at=fact.at)
            case PoolExhausted() | ServiceHeld() | ServiceBegins():
                self._put(_of_subnet(fact))
            case BadPacket():
                log.warning("bad DHCP packet on %s from %s: %s", fact.interface, fact.source, fact.reason)

    def tftp(self, fact: TftpFact) -> None:
        """A fact of a TFTP server; returns at once."""
        for listener in (self.watch, self.programs):
            if listener is not None:
                listener.tftp(fact)
        if isinstance(fact, TftpFinished):
            text = f"fetched {fact.name} by TFTP ({fact.bytes} bytes in {fact.seconds:.1f} s)"
            self._of_address(fact.client, "tftp.sent", text)
        elif isinstance(fact, TftpFailed) or not is_dispensable(fact.name):
            reason = fact.reason if isinstance(fact, TftpFailed) else "there is no such file"
            self._of_address(fact.client, "tftp.failed", f"TFTP of {fact.name} failed", reason)

    async def http(self, address: str, path: str, size: int) -> None:
        """A boot file went out by HTTP."""
        for listener in (self.watch, self.programs):
            if listener is not None:
                listener.http(address, path)
        self._of_address(address, "http.sent", f"fetched {path} ({size} bytes)")

    def boot_screen(self, mac: MacAddress, number: int, error: str) -> None:
        """What stands on the boot screen of a machine; returns at once."""
        meaning = MEANINGS.get(Waits(number)) if number in set(Waits) else None
        if meaning is not None:
            if number in IN_INITRD and (machine := self._projection.machine_of.get(mac)):
                self._entered.add(machine)
            why = f" ({in_words(error)})" if error else ""
            self._of_mac(mac, "boot.trouble", f"its screen says: {meaning.text}{why}", meaning.todo)

    def other(self, fact: object) -> None:
        """A fact of a server that concerns no machine."""
        log.warning("%s", fact)

    def of_interface(self, mac: str, kind: str, text: str, reason: str = "") -> None:
        """An event about the machine of an interface, or about an interface that is nobody's; returns at once."""
        self._of_mac(mac, kind, text, reason)

    async def run(self) -> None:
        """Store what waits, in batches; until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty() and len(batch) < WAITING:
                batch.append(self._queue.get_nowait())
            await self._write(batch)

    async def _write(self, batch: list[Event]) -> None:
        stored: list[Event] | None = None
        with Surviving(log, f"{len(batch)} events are not in the timelines"):
            heard, self._entered = self._entered, set()
            stored = await self._store.write(lambda db: _stored(db, batch, heard))
        if stored is None:
            self.dropped += len(batch)
        for event in stored or ():
            self._bus.publish(event)

    def _is_news(self, lease: Lease) -> bool:
        """Whether this is another address or name than last time: renewals are no news."""
        # A machine of the fleet has the name that we gave it; firmware, agent and system each call it something.
        name = "" if self._projection.is_known(lease.mac) else lease.hostname
        known = self._leased.get(lease.mac)
        if len(self._leased) > WAITING:
            self._leased.clear()
        told = self._leased[lease.mac] = (text_of(lease.address), name)
        return known != told

    def _of_mac(self, mac: str, kind: str, text: str, reason: str = "", at: float = 0.0) -> None:
        machine = self._projection.machine_of.get(MacAddress(mac))
        at = at or self._clock()
        held_back = self._facts.admit(machine, at) if machine is not None else 0
        if held_back is not None and (machine is not None or self._stranger_allowed(at)):
            self._put(Event(kind, at, more(text, held_back), reason, machine, detail={"mac": mac}))

    def _of_address(self, address: str, kind: str, text: str, reason: str = "") -> None:
        mac = self._whose(address)
        if mac is not None:
            self._of_mac(mac, kind, text, reason)

    def _whose(self, address: str) -> str | None:
        """A boot program is fetched within a moment of the lease, sooner than what is stored is read anew; and where
        another server gives the addresses nothing of them is stored.
        """
        return (self.programs and self.programs.whose(address)) or self._projection.mac_of.get(address)

    def _stranger_allowed(self, now: float) -> bool:
        since, count = self._strangers
        if now - since >= 60.0:
            since, count = now, 0
        self._strangers = (since, count + 1)
        return count < STRANGERS_PER_MINUTE

    def _put(self, event: Event) -> None:
        if self._queue.full():
            self.dropped += 1
        else:
            self._queue.put_nowait(event)


def _stored(db: sqlite3.Connection, batch: list[Event], heard: set[MachineId]) -> list[Event]:
    for machine in heard:
        if attempt := attempts.live_of(db, machine):
            attempts.put(db, entered(attempt))
    return events.add_all(db, batch)


def _of_subnet(fact: PoolExhausted | ServiceHeld | ServiceBegins) -> Event:
    """Whether addresses are given on a subnet."""
    if isinstance(fact, PoolExhausted):
        text = f"no address is left on {fact.interface} for {fact.mac}; widen its ranges"
        return Event("daemon.trouble", fact.at, text)
    on, detail = fact.interface, {"interface": fact.interface}
    if isinstance(fact, ServiceBegins):
        text = f"addresses are given on {on}: no other DHCP server answers there any more"
        return Event("dhcp.begins", fact.at, text, detail=detail)
    others = " and ".join(str(each) for each in fact.servers)
    text = f"no new addresses are given on {on}: another DHCP server, {others}, answers there"
    reason = "two servers on one network give one address twice, and send machines elsewhere to boot"
    return Event("dhcp.held", fact.at, text, reason, detail=detail)
