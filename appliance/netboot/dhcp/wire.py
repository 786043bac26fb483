"""The sockets of one interface: DHCP in and out, raw frames out, ARP in and out."""

import errno
import fcntl
import logging
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address

from appliance.errors import ApplianceError
from appliance.netboot.dhcp.effects import Send
from appliance.netboot.dhcp.frame import ETHERTYPE_ARP, Endpoint, arp_probe, arp_sender, udp_frame
from appliance.netboot.dhcp.options import address_of, text_of
from appliance.netboot.dhcp.request import PROXY_PORT, SERVER_PORT, Arrival
from appliance.netboot.dhcp.subnet import Mode

log = logging.getLogger(__name__)

_SIOCGIFHWADDR = 0x8927
_IP_PKTINFO = 8
_PKTINFO = struct.Struct("@i4s4s")
_ANCILLARY = socket.CMSG_SPACE(_PKTINFO.size)
_MAX_DATAGRAM = 4096
_BATCH = 64
"""Frames read before other work gets its turn."""
_FLOOD = 1024
"""Datagrams read at once: quickly done, while answering them all would keep others waiting."""
_RECEIVE_BUFFER = 4 * 1024 * 1024
"""Octets; a rack that powers on at once sends thousands of packets in one second."""


INTERFACE_GONE = "dhcp-interface-gone"
"""Code of the error that ends service where an interface was removed."""

Received = tuple[bytes, list[tuple[int, int, bytes]], tuple[str, int]]
"""A datagram, what the kernel says beside it, and the address that it came from."""


class Wire:
    """Everything that is bound to one interface. Nothing blocks."""

    def __init__(self, interface: str, local: IPv4Address, ports: frozenset[int]) -> None:
        """Bind; ``local`` is our address there. Raises ApplianceError with the interface and the reason."""
        self.interface, self._local = interface, local
        self._source = [(socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, local.packed, bytes(4)))]
        self._open: list[socket.socket] = []
        try:
            self.ports = {port: self._dhcp_socket(port) for port in sorted(ports)}
            self.arp = self._link_socket(ETHERTYPE_ARP)
            self._frames = self._link_socket(0)
            self._index = socket.if_nametoindex(self.interface)
        except OSError as error:
            self.close()
            raise _bind_error(interface, ports, error) from error

    def open_port(self, port: int) -> None:
        """Listen on this port too; raises ApplianceError with the reason."""
        try:
            self.ports[port] = self._dhcp_socket(port)
        except OSError as error:
            raise _bind_error(self.interface, frozenset((port,)), error) from error

    def close_port(self, port: int) -> None:
        """Give this port back."""
        closed = self.ports.pop(port)
        closed.close()
        self._open.remove(closed)

    def _dhcp_socket(self, port: int) -> socket.socket:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._bind(udp, port)
        except OSError:
            udp.close()
            raise
        return self._track(udp)

    def _bind(self, udp: socket.socket, port: int) -> None:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode() + b"\0")
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        # No SO_REUSEADDR: it would let us share the port with another DHCP server without noticing.
        udp.bind(("0.0.0.0", port))  # noqa: S104 - broadcasts reach only a socket bound to any address

    def _link_socket(self, ethertype: int) -> socket.socket:
        """A packet socket on the interface; ethertype 0 receives nothing."""
        link = self._track(socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0))
        link.bind((self.interface, ethertype))
        return link

    def _track(self, opened: socket.socket) -> socket.socket:
        self._open.append(opened)
        return opened

    def _mac(self) -> str:
        """The interface's own MAC address, asked for each time: a bridge changes it as ports join."""
        answer = fcntl.ioctl(self.ports[SERVER_PORT], _SIOCGIFHWADDR, struct.pack("256s", self.interface.encode()))
        return answer[18:24].hex(":")

    def received(self, port: int) -> list[Received]:
        """What came in on one of our ports since the last call, at most as much as the kernel keeps of a flood."""
        found: list[Received] = []
        for _ in range(_FLOOD):
            try:
                data, ancillary, _, source = self.ports[port].recvmsg(_MAX_DATAGRAM, _ANCILLARY)
            except BlockingIOError:
                break
            except OSError as error:  # the interface went down; it may come back
                log.warning("reading DHCP on %s: %s", self.interface, error)
                break
            found.append((data, ancillary, source))
        return found

    def arrival(self, received: Received, port: int) -> Arrival:
        """How it came in."""
        _, ancillary, (source, source_port) = received
        to = self._destination(ancillary)
        return Arrival(self.interface, self._local, address_of(source), to, port, source_port)

    def _destination(self, ancillary: list[tuple[int, int, bytes]]) -> IPv4Address:
        for level, kind, value in ancillary:
            if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
                return address_of(_PKTINFO.unpack_from(value)[2])
        return self._local

    def send(self, effect: Send) -> None:
        """Send a reply; one that cannot be sent is lost, as on any network, and its client asks again."""
        target = effect.destination
        try:
            if target.mac is None:
                # From the address that was asked: the interface may have several, and routes prefer another one.
                self.ports[effect.port].sendmsg([effect.data], self._source, 0, (text_of(target.address), target.port))
            else:
                ours = Endpoint(self._mac(), self._local, SERVER_PORT)
                self._frames.send(udp_frame(ours, Endpoint(target.mac, target.address, target.port), effect.data))
        except OSError as error:
            log.warning("sending DHCP to %s on %s: %s", target.address, self.interface, error)

    def send_probe(self, address: IPv4Address) -> None:
        """Ask by ARP who has the address."""
        try:
            self.arp.send(arp_probe(self._mac(), address))
        except OSError as error:
            log.warning("sending ARP for %s on %s: %s", address, self.interface, error)

    def probe_answers(self) -> Iterator[tuple[str, IPv4Address]]:
        """MAC and IP address of those whose ARP frames came in since the last call, at most one batch."""
        for _ in range(_BATCH):
            try:
                sender, ours = arp_sender(self.arp.recv(_MAX_DATAGRAM)), self._mac()
            except OSError:  # nothing more, or the interface is down
                return
            if sender is not None and sender[0] != ours:
                yield sender

    def check(self) -> None:
        """Raise ApplianceError when the interface is gone: sockets stay bound to it and hear nothing more."""
        try:
            index = socket.if_nametoindex(self.interface)
        except OSError:
            index = 0
        if index != self._index:
            raise ApplianceError(
                INTERFACE_GONE,
                f"the interface {self.interface} was removed, or removed and made anew",
                "start the service again once the interface is there",
            )

    def close(self) -> None:
        """Close all sockets; may be called twice."""
        for each in self._open:
            each.close()


def ports_of(mode: Mode) -> frozenset[int]:
    """Where a subnet in this mode is listened on; nowhere where it is off."""
    match mode:
        case "off":
            return frozenset()
        case "proxy":
            return frozenset((SERVER_PORT, PROXY_PORT))
    return frozenset((SERVER_PORT,))


def _bind_error(interface: str, ports: frozenset[int], error: OSError) -> ApplianceError:
    if error.errno == errno.EADDRINUSE:
        which = " or ".join(map(str, sorted(ports)))
        return ApplianceError(
            "dhcp-port-in-use",
            f"another program already answers DHCP on {interface}: UDP port {which} is in use",
            "find it with `ss -ulpn` and stop it, or set this subnet's mode to off",
        )
    if error.errno == errno.ENODEV:
        return ApplianceError(
            "dhcp-no-interface",
            f"there is no interface {interface}",
            "`ip link` lists the interfaces; put one of them into the [[subnet]] section",
        )
    if error.errno in (errno.EPERM, errno.EACCES):
        return ApplianceError(
            "dhcp-not-permitted",
            f"not allowed to serve DHCP on {interface}: {error.strerror}",
            "the process needs the capabilities CAP_NET_BIND_SERVICE and CAP_NET_RAW",
        )
    return ApplianceError(
        "dhcp-bind-failed",
        f"cannot serve DHCP on {interface}: {error.strerror}",
        "look at the interface with `ip address`, and at the system's log for what the kernel says of it",
    )
