"""The sockets of all subnets: opened and closed as their modes need, at any time."""

import asyncio
import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address

from appliance.netboot.dhcp.echo import Echo
from appliance.netboot.dhcp.effects import Probe, Send
from appliance.netboot.dhcp.prober import Prober, Report
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.dhcp.wire import Wire, ports_of


class Wires:
    """One `Wire` with its conflict probes for each interface that a subnet is heard on. Nothing blocks."""

    def __init__(self, read: Callable[[Wire, int], None], report: Report) -> None:
        """`read` is called with a wire and the port on which something came in, once reading has begun."""
        self._read, self._report = read, report
        self._wires: dict[str, Wire] = {}
        self._echoes: dict[str, Echo] = {}
        self._probers: dict[str, Prober] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def fit(self, subnets: Iterable[Subnet]) -> None:
        """Listen where the modes of these subnets need it, and nowhere else.

        What is needed is opened first: raises ApplianceError where it cannot be had, and nothing was closed then.
        """
        served = list(subnets)
        wanted = _wanted(served)
        self._fit_echoes({each.interface for each in served if each.remote is not None and each.mode != "off"})
        for interface, (local, ports) in wanted.items():
            if interface not in self._wires:
                self._add(Wire(interface, local, ports))
            self._open(self._wires[interface], ports)
        for interface, wire in list(self._wires.items()):
            self._close(wire, wanted[interface][1] if interface in wanted else frozenset())

    def _fit_echoes(self, wanted: set[str]) -> None:
        for interface in wanted - self._echoes.keys():
            echo = self._echoes[interface] = Echo(interface)
            self._probers[interface] = Prober(echo, self._report)
            self._listen_to(echo)
        for interface in self._echoes.keys() - wanted:
            echo = self._echoes.pop(interface)
            self._probers.pop(interface).close()
            self._deafen(echo.socket)
            echo.close()

    def _listen_to(self, echo: Echo) -> None:
        if self._loop is not None:
            self._loop.add_reader(echo.socket, self._probers[echo.interface].read)

    def _add(self, wire: Wire) -> None:
        self._wires[wire.interface] = wire
        self._probers[wire.interface] = Prober(wire, self._report)
        self._listen(wire)

    def _open(self, wire: Wire, ports: frozenset[int]) -> None:
        for port in sorted(ports - wire.ports.keys()):
            wire.open_port(port)
            self._listen_on(wire, port)

    def _close(self, wire: Wire, keep: frozenset[int]) -> None:
        if not keep:
            self._probers.pop(wire.interface).close()
            self._stop(self._wires.pop(wire.interface))
            wire.close()
            return
        for port in wire.ports.keys() - keep:
            self._deafen(wire.ports[port])
            wire.close_port(port)

    def start_reading(self) -> None:
        """Take in what comes, from now on."""
        self._loop = asyncio.get_running_loop()
        for wire in self._wires.values():
            self._listen(wire)
        for echo in self._echoes.values():
            self._listen_to(echo)

    def _listen(self, wire: Wire) -> None:
        if self._loop is not None:
            self._loop.add_reader(wire.arp, self._probers[wire.interface].read)
        for port in wire.ports:
            self._listen_on(wire, port)

    def _listen_on(self, wire: Wire, port: int) -> None:
        if self._loop is not None:
            self._loop.add_reader(wire.ports[port], self._read, wire, port)

    def _deafen(self, opened: socket.socket) -> None:
        if self._loop is not None:
            self._loop.remove_reader(opened)

    def _stop(self, wire: Wire) -> None:
        for opened in (*wire.ports.values(), wire.arp):
            self._deafen(opened)

    def stop_reading(self) -> None:
        """Take nothing in any more, and end the probes."""
        for wire in self._wires.values():
            self._stop(wire)
        for echo in self._echoes.values():
            self._deafen(echo.socket)
        self._loop = None
        for prober in self._probers.values():
            prober.close()

    def check(self) -> None:
        """Raise ApplianceError when an interface is gone that is listened on."""
        for wire in self._wires.values():
            wire.check()

    def send(self, effect: Send) -> None:
        """Send a reply; one for a network that was switched off meanwhile is dropped."""
        wire = self._wires.get(effect.destination.interface)
        if wire is not None and effect.port in wire.ports:
            wire.send(effect)

    def probe(self, effect: Probe) -> None:
        """Find out whether somebody uses an address."""
        if effect.interface in self._probers:
            self._probers[effect.interface].start(effect)

    def close(self) -> None:
        """Give all ports back; may be called twice."""
        for wire in self._wires.values():
            wire.close()
        for echo in self._echoes.values():
            echo.close()


def _wanted(subnets: Iterable[Subnet]) -> dict[str, tuple[IPv4Address, frozenset[int]]]:
    """Our address and the ports on each interface; several subnets may be heard on one, through relays."""
    wanted: dict[str, tuple[IPv4Address, frozenset[int]]] = {}
    for subnet in subnets:
        if ports := ports_of(subnet.mode):
            local, others = wanted.get(subnet.heard_on, (subnet.address.ip, frozenset()))
            wanted[subnet.heard_on] = (local, others | ports)
    return wanted
