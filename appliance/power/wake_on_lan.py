"""Wake-on-LAN: a machine that is off listens for a packet with its own address in it sixteen times.

There is no answer, so nothing is ever known of the machine, and nothing but "on" can be done.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface

from appliance.machine import MacAddress
from appliance.power.driver import Target
from appliance.power.manual import by_hand
from appliance.power_switch import PowerError, PowerState

TIMES = 3
"""Each packet is sent so often: it is one datagram without an answer, and switches that wake up drop some."""
PAUSE = 0.2
"""Seconds between two rounds."""
LONGEST_LOOK_UP = 5.0
"""Seconds for the name of an additional address."""


def magic_packet(mac: MacAddress, secure_on: bytes = b"") -> bytes:
    """Six bytes of ones, the address sixteen times, and the password, if there is one (AMD publication 20213)."""
    return b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) * 16 + secure_on


def secure_on(secret: str) -> bytes:
    """The six bytes of a SecureOn password as ``check_secret`` lets it pass; none for ""."""
    return bytes.fromhex(secret.replace(":", "").replace("-", ""))


@dataclass(frozen=True, slots=True)
class Way:
    """One way that a packet leaves by."""

    to: str
    source: str = ""
    """The address to send from; "": the kernel chooses by its routes."""
    interface: str = ""


def ways(target: Target, more: str = "") -> Iterator[Way]:
    """The broadcast address of every network of ours, the machine's own address, and one that a user added.

    Every network: a machine without a lease may be on any, and one with a lease may have moved. Its own address
    reaches cards that answer ARP while they sleep, and passes switches that hold broadcasts back.
    """
    for name, own in target.interfaces.items():
        yield Way(_broadcast(own), str(own.ip), name)
    if target.address:
        yield Way(str(target.address))
    if more:
        yield Way(more)


def _broadcast(own: IPv4Interface) -> str:
    """Point-to-point links have no broadcast address of their own (RFC 3021)."""
    return str(own.network.broadcast_address if own.network.prefixlen < 31 else IPv4Address("255.255.255.255"))


@dataclass(frozen=True, slots=True)
class WakeOnLan:
    """Wakes one machine."""

    target: Target
    address: str
    port: int
    secret: str = field(default="", repr=False)
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def observe(self) -> PowerState:
        """Always unknown: a packet that wakes gets no answer."""
        return PowerState.UNKNOWN

    async def on(self) -> None:
        """Sends the packets; raises PowerError ``power-failed`` when none could leave."""
        chosen = list(ways(self.target, await self._looked_up()))
        packets = [magic_packet(mac, secure_on(self.secret)) for mac in self.target.macs]
        if not packets or not chosen:
            text = f"there is nothing to wake {self.target.name} by: no MAC address of it, or no network to send on"
            raise PowerError("power-failed", text, "let it boot from the network once, or add a subnet")
        for left in reversed(range(TIMES)):
            self._send(chosen, packets)
            if left:
                await self.pause(PAUSE)

    async def off(self) -> None:
        """Raises PowerError ``power-unsupported``."""
        raise by_hand(self.target.name, "be switched off", "hold its power button until it is off")

    async def cycle(self) -> None:
        """Raises PowerError ``power-unsupported``."""
        hint = "hold its power button until it is off, then wake it"
        raise by_hand(self.target.name, "be restarted", hint)

    async def check_start(self, network: bool, uefi: bool) -> None:
        """Raises PowerError ``power-unsupported`` for a start from the network; any other may succeed."""
        if network:
            await self.boot_network_once(uefi)

    async def boot_network_once(self, uefi: bool) -> None:
        """Raises PowerError ``power-unsupported``; firmware often has a setting of its own for it."""
        hint = "choose the network for starts by Wake-on-LAN in its firmware's settings"
        raise by_hand(self.target.name, "be told to boot from the network", hint)

    async def _looked_up(self) -> str:
        """The added address as a number, "" without one."""
        if not self.address:
            return ""
        try:
            async with asyncio.timeout(LONGEST_LOOK_UP):
                found = await asyncio.get_running_loop().getaddrinfo(self.address, self.port, type=socket.SOCK_DGRAM)
        except (OSError, TimeoutError) as error:
            text = f"{self.address} has no address: {error or 'no answer in time'}"
            raise PowerError("power-unreachable", text, "look at its name, or give a number") from error
        return str(found[0][4][0])

    def _send(self, chosen: list[Way], packets: list[bytes]) -> None:
        """One round; raises when not one packet could leave."""
        failed = [error for way in chosen if (error := sent(way, self.port, packets))]
        if len(failed) == len(chosen):
            text = f"no packet to wake {self.target.name} could be sent: {failed[0]}"
            raise PowerError("power-failed", text, "look at the network interfaces of the appliance")


def sent(way: Way, port: int, packets: list[bytes]) -> OSError | None:
    """Sends by one way; the reason when that failed."""
    family = socket.AF_INET6 if ":" in way.to else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            if way.interface:
                _keep_to(out, way)
            for packet in packets:
                out.sendto(packet, (way.to, port))
    except OSError as error:
        return error
    return None


def _keep_to(out: socket.socket, way: Way) -> None:
    """Two networks of ours may share a prefix: the interface decides, not the routing table."""
    out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, way.interface.encode())
    out.bind((way.source, 0))
