"""The DHCP server: sockets, timers and the disk around the responder."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address

from appliance.lease import Lease, Reservation
from appliance.netboot.dhcp.effects import Effect, Probe, Publish, Save, Send
from appliance.netboot.dhcp.facts import DhcpSeen, Fact
from appliance.netboot.dhcp.packet import kind_of_reply
from appliance.netboot.dhcp.prober import Prober
from appliance.netboot.dhcp.responder import Responder
from appliance.netboot.dhcp.saver import LeaseStore, Saver
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.dhcp.wire import Wire
from appliance.netboot.firmware import ChooseProgram, first_program

log = logging.getLogger(__name__)

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
        self._subnets = [subnet for subnet in subnets if subnet.mode != "off"]
        self._store = store
        self._publish = publish
        self._is_known = is_known
        self._choose = choose
        self._reservations = reservations
        self._saver = Saver(store, self._on_saved, self._on_save_failed)
        self._wires: dict[str, Wire] = {}
        self._probers: dict[str, Prober] = {}
        self._responder = self._build(())
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.packets: Counter[tuple[str, ...]] = Counter()
        """How many, by direction (``received``, ``sent``) and kind; ``other`` are broken, or nobody's to answer."""

    def _build(self, leases: Sequence[Lease]) -> Responder:
        return Responder(
            self._subnets,
            is_known=self._is_known,
            reservations=self._reservations,
            leases=leases,
            choose=self._choose,
        )

    def set_reservations(self, reservations: Sequence[Reservation]) -> None:
        """Replace all reservations, at any time."""
        self._reservations = reservations
        self._responder.set_reservations(reservations)

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
        try:
            for subnet in self._subnets:
                wire = Wire(subnet)
                self._wires[subnet.interface] = wire
                self._probers[subnet.interface] = Prober(wire, self._on_probe_result)
        except BaseException:
            self.close()
            raise

    async def run(self) -> None:
        """Answer until cancelled; raises ApplianceError (in a group) when an interface is gone for good."""
        loop = asyncio.get_running_loop()
        for interface, wire in self._wires.items():
            for port, opened in wire.ports.items():
                loop.add_reader(opened, self._on_datagrams, wire, port)
            loop.add_reader(wire.arp, self._probers[interface].read)
        try:
            self._on_timer()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._saver.run(), name="dhcp leases")
                tasks.create_task(self._watch_interfaces(), name="dhcp interfaces")
        finally:
            self._stop_reading(loop)

    async def _watch_interfaces(self) -> None:
        while True:
            for wire in self._wires.values():
                wire.check()
            await asyncio.sleep(CHECK_SECONDS)

    def _stop_reading(self, loop: asyncio.AbstractEventLoop) -> None:
        for wire in self._wires.values():
            for opened in (*wire.ports.values(), wire.arp):
                loop.remove_reader(opened)
        if self._timer is not None:
            self._timer.cancel()
        for prober in self._probers.values():
            prober.close()

    def close(self) -> None:
        """Give all ports back; may be called twice."""
        for wire in self._wires.values():
            wire.close()

    def _on_datagrams(self, wire: Wire, port: int) -> None:
        for data, arrival in wire.datagrams(port):
            try:
                effects = self._responder.receive_datagram(data, arrival, time.time())
                self.packets["received", _kind_received(effects)] += 1
                self._apply(effects)
            except Exception:  # a defect of ours in one packet must not end the service of all others
                log.exception("answering a DHCP packet from %s on %s", arrival.source, arrival.interface)

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
        for effect in effects:
            match effect:
                case Save():
                    self._saver.put(effect.lease)
                case Send():
                    self.packets["sent", kind_of_reply(effect.data)] += 1
                    self._wires[effect.destination.interface].send(effect)
                case Probe():
                    self._probers[effect.interface].start(effect)
                case Publish():
                    self._publish(effect.fact)
        self._set_timer()

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
    match effects[:1]:
        case [Publish(DhcpSeen(kind=kind))]:
            return kind.name.lower()
    return "other"
