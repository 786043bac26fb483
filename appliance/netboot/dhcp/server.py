"""The DHCP server: sockets, timers and the disk around the responder."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address

from appliance.errors import ApplianceError
from appliance.lease import Lease, Reservation
from appliance.netboot.dhcp.effects import Effect, Probe, Publish, Save, Send
from appliance.netboot.dhcp.facts import DhcpSeen, Fact
from appliance.netboot.dhcp.options import MESSAGE_NAMES
from appliance.netboot.dhcp.packet import kind_of_reply
from appliance.netboot.dhcp.responder import Responder
from appliance.netboot.dhcp.saver import LeaseStore, Saver
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.dhcp.triage import Triage, claimed_mac
from appliance.netboot.dhcp.wire import Received, Wire
from appliance.netboot.dhcp.wires import Wires
from appliance.netboot.firmware import ChooseProgram, first_program
from appliance.netboot.quiet import Quiet

log = logging.getLogger(__name__)

FLOOD_SECONDS = 60.0
"""Between two lines of the log about a flood."""

CHECK_SECONDS = 5.0
"""How often to look whether our interfaces are still there."""


class DhcpServer:
    """Serves all subnets until cancelled.

    `publish` is called with each fact and must return at once; `is_known` says whether a MAC address
    (lower case, colons) is that of a machine of the fleet; `choose` which boot program firmware is sent.
    """

    def __init__(
        self,
        subnets: Iterable[Subnet],
        store: LeaseStore,
        publish: Callable[[Fact], None],
        is_known: Callable[[str], bool],
        reservations: Sequence[Reservation] = (),
        choose: ChooseProgram = first_program,
    ) -> None:
        self._subnets = {subnet.interface: subnet for subnet in subnets}
        self._held: set[str] = set()
        self._store = store
        self._publish = publish
        self._is_known = is_known
        self._choose = choose
        self._reservations = reservations
        self._machine_options: Mapping[str, Mapping[int, bytes]] = {}
        self._saver = Saver(store, self._on_saved, self._on_save_failed)
        self._wires = Wires(self._on_datagrams, self._on_probe_result)
        self._bound = False
        self._responder = self._build(())
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._triage: Triage[tuple[Wire, int, Received]] = Triage()
        self._more: asyncio.Handle | None = None
        self._floods = Quiet(FLOOD_SECONDS)
        self.packets: Counter[tuple[str, ...]] = Counter()
        """How many, by direction (``received``, ``sent``) and kind; ``other`` are broken, or nobody's to answer."""

    def _build(self, leases: Sequence[Lease]) -> Responder:
        responder = Responder(
            self._subnets.values(),
            is_known=self._is_known,
            reservations=self._reservations,
            leases=leases,
            choose=self._choose,
        )
        responder.set_options(self._machine_options)
        for interface in self._held:
            responder.hold(interface, True)
        return responder

    def switch(self, subnet: Subnet) -> None:
        """Serve the subnet of this interface so from now on; leases and offers stay.

        Raises ApplianceError, and all is as it was, where a port cannot be had.
        """
        before = self._subnets[subnet.interface]
        self._subnets[subnet.interface] = subnet
        try:
            self._fit()
        except ApplianceError:
            self._subnets[subnet.interface] = before
            self._fit()
            raise
        self._responder.switch(subnet)

    def _fit(self) -> None:
        if self._bound:
            self._wires.fit(self._subnets.values())

    def hold(self, interface: str, held: bool) -> None:
        """Hold authoritative service back, or let it begin: who was leased an address keeps it all the same."""
        (self._held.add if held else self._held.discard)(interface)
        self._responder.hold(interface, held)

    def set_reservations(self, reservations: Sequence[Reservation]) -> None:
        """Replace all reservations, at any time."""
        self._reservations = reservations
        self._responder.set_reservations(reservations)

    def set_options(self, options: Mapping[str, Mapping[int, bytes]]) -> None:
        """Replace the options that users set for machines, at any time: code and octets, by MAC address."""
        self._machine_options = options
        self._responder.set_options(options)

    def holder(self, address: IPv4Address) -> str | None:
        """The machine that was leased an address last, as the server knows it this very moment."""
        return self._responder.holder(address)

    def leased(self) -> dict[str, int]:
        """How many addresses are leased now, by interface."""
        return self._responder.leased(time.time())

    async def forget(self, interface: str, address: IPv4Address) -> bool:
        """Free an address and forget whose it was, on disk too; False where nothing is known of it."""
        effects = self._responder.forget(interface, address, time.time())
        self._apply(effects)
        if effects:
            await self._saver.written()
        return bool(effects)

    async def start(self) -> None:
        """Load the leases and bind every interface; nothing is answered yet. Raises ApplianceError."""
        self._responder = self._build(await self._store.load())
        self._bound = True
        try:
            self._fit()
        except BaseException:
            self.close()
            raise

    async def run(self) -> None:
        """Answer until cancelled; raises ApplianceError (in a group) when an interface is gone for good."""
        self._wires.start_reading()
        try:
            self._on_timer()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._saver.run(), name="dhcp leases")
                tasks.create_task(self._watch_interfaces(), name="dhcp interfaces")
        finally:
            self._stop_reading()

    async def _watch_interfaces(self) -> None:
        while True:
            self._wires.check()
            await asyncio.sleep(CHECK_SECONDS)

    def _stop_reading(self) -> None:
        self._wires.stop_reading()
        self._triage.clear()
        if self._more is not None:
            self._more.cancel()
            self._more = None
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        """Give all ports back; may be called twice."""
        self._bound = False
        self._wires.close()

    def _on_datagrams(self, wire: Wire, port: int) -> None:
        received, now = wire.received(port), time.time()
        dropped = self._triage.put(
            [(wire, port, each) for each in received],
            lambda each: self._responder.is_familiar(claimed_mac(each[2][0]), now),
        )
        self._shed(dropped, wire.interface, now)
        if self._more is None:
            self._answer()

    def _answer(self) -> None:
        """Answer some of those who wait, the others once what came in meanwhile is read and what is stored is told."""
        now = time.time()
        for wire, port, each in self._triage.take():
            arrival = wire.arrival(each, port)
            try:
                effects = self._responder.receive_datagram(each[0], arrival, now)
                self.packets["received", _kind_received(effects)] += 1
                self._do(effects)
            except Exception:  # a defect of ours in one packet must not end the service of all others
                log.exception("answering a DHCP packet from %s on %s", arrival.source, arrival.interface)
        self._set_timer()
        self._more = asyncio.get_running_loop().call_soon(self._answer) if self._triage else None

    def _shed(self, number: int, interface: str, now: float) -> None:
        """Count what is left unanswered, and say so now and then."""
        if not number:
            return
        self.packets["received", "other"] += number
        if self._floods.count(now):
            log.warning("more DHCP packets of strangers come in on %s than can be answered: machines first", interface)

    def _on_probe_result(self, interface: str, address: IPv4Address, in_use: bool) -> None:
        self._apply(self._responder.probe_result(interface, address, in_use, time.time()))

    def _on_saved(self, leases: Sequence[Lease]) -> None:
        self._apply(self._responder.saved(leases, time.time()))

    def _on_save_failed(self, leases: Sequence[Lease]) -> None:
        self._responder.save_failed(leases)
        self._set_timer()

    def _on_timer(self) -> None:
        self._timer = None
        self._apply(self._responder.handle_timer(time.time()))

    def _apply(self, effects: Iterable[Effect]) -> None:
        self._do(effects)
        self._set_timer()

    def _do(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Publish():
                    self._publish(effect.fact)
                case Send():
                    self.packets["sent", kind_of_reply(effect.data)] += 1
                    self._wires.send(effect)
                case Save():
                    self._saver.put(effect.lease)
                case Probe():
                    self._wires.probe(effect)

    def _set_timer(self) -> None:
        """Have `_on_timer` called at the responder's next deadline; cheap when nothing changed."""
        deadline = self._responder.next_deadline()
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        delay = max(0.0, deadline - time.time())
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)


def _kind_received(effects: Sequence[Effect]) -> str:
    """What kind of message led to this; the responder tells first that it has seen one."""
    first = effects[0] if effects else None
    seen = first.fact if isinstance(first, Publish) else None
    return MESSAGE_NAMES[seen.kind] if isinstance(seen, DhcpSeen) else "other"
