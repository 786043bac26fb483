"""A real DHCP server with one of our snippets in it, asked as each kind of firmware. Run as a program in `unshare`.

Usage: snippet_world.py dnsmasq|dhcpd|kea DIRECTORY usual|secure-boot. Prints one JSON object: kind
of firmware -> what it was offered.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from appliance.netboot.dhcp.frame import Endpoint, udp_frame, udp_payload
from appliance.netboot.dhcp.options import Code, MessageKind
from appliance.netboot.dhcp.packet import BOOTREPLY, BOOTREQUEST, BROADCAST_FLAG, NOWHERE, Packet, decode, encode
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.snippets import snippet

SUBNET = Subnet("br0", IPv4Interface("10.77.0.1/24"))
SECONDS = 40
LIST = bytes([1, 3, 6, 43, 51, 54, 60, 66, 67, 97])
PXE, HTTP = "PXEClient:Arch:{:05d}:UNDI:003016", "HTTPClient:Arch:{:05d}:UNDI:003016"


def firmware(architecture: int, form: str = PXE, **more: bytes) -> dict[int, bytes]:
    """The options of a DISCOVER of this firmware."""
    named = {"user_class": Code.USER_CLASS, "ipxe": Code.IPXE}
    return {
        Code.VENDOR_CLASS: form.format(architecture).encode(),
        Code.ARCHITECTURE: architecture.to_bytes(2, "big"),
        Code.PARAMETER_LIST: LIST,
        **{named[name]: value for name, value in more.items()},
    }


CLIENTS: dict[str, dict[int, bytes]] = {
    "bios": firmware(0),
    "uefi": firmware(7),
    "uefi-bc": firmware(9),
    "uefi-list": firmware(7) | {Code.ARCHITECTURE: b"\0\x07\0\x10"},
    "arm64": firmware(11),
    "http-list": firmware(16, HTTP) | {Code.ARCHITECTURE: b"\0\x10\0\x07"},
    "http": firmware(16, HTTP),
    "http-old": firmware(15, HTTP),
    "http-asks-not": firmware(16, HTTP) | {Code.PARAMETER_LIST: bytes([1, 3, 54, 67])},
    "http-arm64": firmware(19, HTTP),
    "ipxe-bios": firmware(0, user_class=b"iPXE", ipxe=b"\x13\x01\x01"),
    "ipxe-uefi": firmware(7, user_class=b"iPXE", ipxe=b"\x13\x01\x01"),
    "ipxe-prefixed": firmware(7, user_class=b"\x04iPXE"),
    "ipxe-only-175": firmware(7, ipxe=b"\x13\x01\x01"),
    "computer": {Code.PARAMETER_LIST: bytes([1, 3, 6])},
}


def run(*argv: str) -> None:
    """A program that must succeed."""
    subprocess.run(argv, check=True, capture_output=True, timeout=30)


def network() -> None:
    """A cable with the server on one end, 10.77.0.2, and the client on the other."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "server0", "type", "veth", "peer", "name", "client0")
    run("ip", "address", "add", "10.77.0.2/24", "dev", "server0")
    run("ip", "link", "set", "server0", "up")
    run("ip", "link", "set", "client0", "up")


def dnsmasq(directory: Path, text: str) -> list[str]:
    """A minimal configuration around the snippet, and the command that serves it."""
    file = directory / "dnsmasq.conf"
    (directory / "snippet.conf").write_text(text)
    head = ["port=0", "interface=server0", "bind-interfaces", "no-ping", "dhcp-range=10.77.0.100,10.77.0.199,1h"]
    lines = [*head, f"dhcp-leasefile={directory}/leases", f"conf-dir={directory},snippet.conf"]
    file.write_text("\n".join([*lines, ""]))
    # -d: it neither forks nor changes its user, which a user namespace would not let it
    return ["dnsmasq", "-d", f"--conf-file={file}"]


def dhcpd(directory: Path, text: str) -> list[str]:
    """The same for ISC's server."""
    file, leases = directory / "dhcpd.conf", directory / "leases"
    leases.write_text("")
    file.write_text(
        f"{text}ping-check off;\nsubnet 10.77.0.0 netmask 255.255.255.0 {{ range 10.77.0.100 10.77.0.199; }}\n"
    )
    return ["dhcpd", "-4", "-f", "-d", "-cf", str(file), "-lf", str(leases), "-pf", f"{directory}/pid", "server0"]


def kea(directory: Path, text: str) -> list[str]:
    """The same for Kea."""
    file = directory / "kea.conf"
    pool = '"subnet4": [{"id": 1, "subnet": "10.77.0.0/24", "pools": [{"pool": "10.77.0.100 - 10.77.0.199"}]}]'
    lease = '"lease-database": {"type": "memfile", "persist": false}'
    sockets = '"interfaces-config": {"interfaces": ["server0"]}'
    file.write_text(f'{{"Dhcp4": {{ {sockets}, {lease}, {pool},\n{text}}}}}\n')
    return ["kea-dhcp4", "-c", str(file)]


SERVERS = {"dnsmasq": dnsmasq, "dhcpd": dhcpd, "kea": kea}


class Client:
    """Asks by hand-made frames, with our own codec."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self._socket.bind(("client0", 0x0800))
        self._mac = self._socket.getsockname()[4].hex(":")
        self._asked = 0

    def ask(self, options: dict[int, bytes], until: float) -> Packet:
        """The offer; asks again every second until then."""
        while time.monotonic() < until:
            self._asked += 1
            xid, chaddr = self._asked, bytes.fromhex(f"52540000{self._asked:04x}")
            self._send(xid, chaddr, options)
            if (found := self._offer(xid, min(until, time.monotonic() + 1))) is not None:
                return found
        raise AssertionError(f"no offer for {options}")

    def _send(self, xid: int, chaddr: bytes, options: dict[int, bytes]) -> None:
        said = {Code.MESSAGE_TYPE: bytes([MessageKind.DISCOVER]), **options}
        packet = Packet(op=BOOTREQUEST, xid=xid, chaddr=chaddr, flags=BROADCAST_FLAG, options=said)
        everybody = Endpoint("ff:ff:ff:ff:ff:ff", IPv4Address("255.255.255.255"), 67)
        self._socket.send(udp_frame(Endpoint(self._mac, NOWHERE, 68), everybody, encode(packet, 548)))

    def _offer(self, xid: int, until: float) -> Packet | None:
        while select.select([self._socket], [], [], max(0.0, until - time.monotonic()))[0]:
            sent = udp_payload(self._socket.recv(4096), 68)
            if sent is not None and (packet := decode(sent[1])).op == BOOTREPLY and packet.xid == xid:
                return packet
        return None


def told(offer: Packet) -> dict[str, str]:
    """What firmware takes from an offer; option 67 counts before the field, as in PXE ROMs and UEFI."""
    file = offer.options.get(Code.BOOT_FILE, b"") or offer.file
    return {
        "file": file.rstrip(b"\0").decode(),
        "next": "" if offer.siaddr == NOWHERE else str(offer.siaddr),
        "class": offer.options.get(Code.VENDOR_CLASS, b"").decode(),
        "address": str(offer.yiaddr),
    }


def main(kind: str, directory: Path, secure_boot: bool) -> None:
    """Serve, ask, print."""
    network()
    text = snippet(SUBNET, kind, secure_boot=secure_boot).text
    command = SERVERS[kind](directory, text)
    environment = {**os.environ, "KEA_LOCKFILE_DIR": str(directory), "KEA_PIDFILE_DIR": str(directory)}
    log = (directory / "log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log, env=environment) as server:
        client, until = Client(), time.monotonic() + SECONDS
        print(json.dumps({name: told(client.ask(options, until)) for name, options in CLIENTS.items()}))
        server.kill()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "secure-boot")
