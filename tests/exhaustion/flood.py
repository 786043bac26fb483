"""Everything bad at once, sent into an appliance's network: made-up machines, abandoned transfers, questions, hoarders.

Run as a program inside the network: INTERFACE NUMBER RATE, so many DISCOVERs with a new MAC address each, at most so
many a second; one TFTP request from a made-up address for each ten of them, one question for each three. It prints
"begun" at the begin and what it sent at the end. The readers stay until it is killed or its input ends.
"""

import random
import socket
import struct
import sys
import time
from contextlib import suppress
from ipaddress import IPv4Address

from appliance.netboot.dhcp.frame import Endpoint, udp_frame
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import BOOTREQUEST, Packet, encode

SERVER = IPv4Address("10.77.0.1")
EVERYBODY = IPv4Address("255.255.255.255")
NOWHERE = IPv4Address(0)
BROADCAST = "ff:ff:ff:ff:ff:ff"
PXE = b"PXEClient:Arch:00000:UNDI:002001"
READERS = 200
"""Connections that ask for the largest file and read nothing."""
TFTP_EVERY, DNS_EVERY = 10, 3
PACE = 64
"""Packets between two looks at the clock."""
UDP_CHECKSUM = 14 + 20 + 6


def discover(mac: bytes) -> bytes:
    """A DISCOVER of network-booting firmware."""
    options = {
        Code.MESSAGE_TYPE: bytes([MessageKind.DISCOVER]),
        Code.VENDOR_CLASS: PXE,
        Code.ARCHITECTURE: b"\0\0",
    }
    return encode(Packet(op=BOOTREQUEST, xid=int.from_bytes(mac[2:], "big"), chaddr=mac, options=options))


class Sender:
    """Frames on one interface, as of anybody."""

    def __init__(self, interface: str, server_mac: str) -> None:
        self._link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._link.bind((interface, 0))
        self._server = server_mac
        self._chance = random.Random(1)
        self.sent = {"dhcp": 0, "tftp": 0, "dns": 0, "lost": 0}
        self._template = udp_frame(self._anybody(68, NOWHERE), Endpoint(BROADCAST, EVERYBODY, 67), discover(bytes(6)))

    def _anybody(self, port: int, address: IPv4Address) -> Endpoint:
        return Endpoint("52:54:00:ff:ff:fe", address, port)

    def _send(self, kind: str, frame: bytes) -> None:
        try:
            self._link.send(frame)
            self.sent[kind] += 1
        except OSError:  # the queue of the interface is full
            self.sent["lost"] += 1

    def dhcp(self, number: int) -> None:
        """A machine that nobody has heard of asks for an address. The UDP checksum is left out (RFC 768)."""
        mac = b"\x06" + struct.pack("!Q", number)[3:]
        frame = bytearray(self._template)
        frame[6:12] = mac
        frame[UDP_CHECKSUM : UDP_CHECKSUM + 2] = b"\0\0"
        payload = UDP_CHECKSUM + 2
        frame[payload + 4 : payload + 8] = mac[2:]
        frame[payload + 28 : payload + 34] = mac
        self._send("dhcp", bytes(frame))

    def tftp(self) -> None:
        """Somebody asks for a file, and is never heard of again. Never under the address of the real machine."""
        self._to(69, b"\0\1undionly.kpxe\0octet\0tsize\x000\0blksize\x001468\0windowsize\x0016\0", "tftp")

    def dns(self) -> None:
        """A question, each another one; some of our own names, some of others'."""
        label = f"x{self._chance.getrandbits(40):x}".encode()
        zone = self._chance.choice((b"\3lab\4test", b"\7example\3com", b""))
        header = struct.pack("!HHHHHH", self._chance.getrandbits(16), 0x0100, 1, 0, 0, 0)
        self._to(53, header + bytes([len(label)]) + label + zone + b"\0\0\1\0\1", "dns")

    def _to(self, port: int, payload: bytes, kind: str) -> None:
        source = IPv4Address(int(SERVER) + self._chance.randrange(100, 250))
        ends = self._anybody(self._chance.randrange(1024, 65535), source), Endpoint(self._server, SERVER, port)
        self._send(kind, udp_frame(*ends, payload))


def hoard(path: str) -> list[socket.socket]:
    """Connections that ask for a large file and do not read it."""
    held = []
    for _ in range(READERS):
        with suppress(OSError):
            reader = socket.create_connection((str(SERVER), 80), timeout=5)
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            held.append(reader)
    return held


def storm(sender: Sender, number: int, rate: float) -> float:
    """Send it all; how many seconds it took."""
    began = time.monotonic()
    for at in range(number):
        sender.dhcp(at)
        if at % TFTP_EVERY == 0:
            sender.tftp()
        if at % DNS_EVERY == 0:
            sender.dns()
        if at % PACE == 0 and (ahead := at / rate - (time.monotonic() - began)) > 0:
            time.sleep(ahead)
    return time.monotonic() - began


def main(interface: str, number: int, rate: float, path: str, server_mac: str) -> None:
    """Until all is sent and the input ends."""
    held = hoard(path)
    print("begun", flush=True)
    sender = Sender(interface, server_mac)
    seconds = storm(sender, number, rate)
    print(f"{seconds:.1f}", *sender.sent.values(), len(held), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5])
