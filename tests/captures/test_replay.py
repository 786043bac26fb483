"""What real firmware and clients said, said again: they get what made them go on, byte by byte where that matters.

`book` tells how the recordings look, `record` makes them anew.
"""

import asyncio
import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from appliance.lease import Lease
from appliance.netboot.dhcp.effects import Effect, Probe, Publish, Save, Send
from appliance.netboot.dhcp.facts import DhcpSeen, Fact, LeaseEnded, LeaseGranted
from appliance.netboot.dhcp.options import Code, MessageKind, Options
from appliance.netboot.dhcp.packet import decode
from appliance.netboot.dhcp.request import Arrival
from appliance.netboot.dhcp.responder import Responder
from appliance.netboot.dhcp.subnet import AddressRange, Subnet
from appliance.netboot.firmware import Firmware
from appliance.netboot.http import BootFiles, BootHttp
from appliance.netboot.tftp.content import content_of
from appliance.netboot.tftp.files import MemoryFile
from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.options import negotiate
from appliance.netboot.tftp.packet import ReadRequest
from appliance.netboot.tftp.packet import decode as decode_tftp
from appliance.netboot.tftp.transfer import Finished, Probed, Transfer
from tests.captures.book import CLIENTS, Packet, read
from tests.netboot.http.http_serving import TalkingFleet, served

MAC = "52:54:00:aa:bb:01"
SERVER = IPv4Address("10.77.0.1")
SUBNET = Subnet(
    interface="br0",
    address=IPv4Interface("10.77.0.1/24"),
    ranges=(AddressRange(IPv4Address("10.77.0.50"), IPv4Address("10.77.0.99")),),
    lease_seconds=3600,
    gateway=SERVER,
    dns=(SERVER,),
    domain="lab.test",
)
FIXED = 240
"""Octets in front of the options."""
PROGRAM = b"snponly.efi" * 500
"""What the boot program was when OVMF fetched it."""
KEPT = 4 + 32
"""Octets of a TFTP block that the recording has."""


@dataclass(frozen=True)
class Told:
    """What is known of a client after its first packet."""

    firmware: Firmware
    architecture: int | None = None
    is_ipxe: bool = False
    uuid: str | None = "12345678-9abc-def0-1122-334455667788"
    vendor_class: str = ""
    hostname: str = ""


SYSTEM = Told(Firmware.NONE, uuid=None)
KNOWN = {
    "seabios_ipxe": Told(Firmware.BIOS, 0, is_ipxe=True, vendor_class="PXEClient:Arch:00000:UNDI:002001"),
    "ovmf_pxe": Told(Firmware.UEFI_X64, 7, vendor_class="PXEClient:Arch:00007:UNDI:003000"),
    "ovmf_http": Told(Firmware.HTTP_X64, 16, vendor_class="HTTPClient:Arch:00016:UNDI:003000"),
    "udhcpc": replace(SYSTEM, vendor_class="udhcp 1.35.0"),
    "dhclient": SYSTEM,
    "networkd": replace(SYSTEM, hostname="n1"),
}
SAYS = {
    "seabios_ipxe": "DISCOVER REQUEST",
    "ovmf_pxe": "DISCOVER REQUEST",
    "ovmf_http": "DISCOVER REQUEST",
    "udhcpc": "DISCOVER REQUEST REQUEST RELEASE",
    "dhclient": "DISCOVER REQUEST REQUEST RELEASE",
    "networkd": "DISCOVER REQUEST",
}


class Desk:
    """A responder whose disk writes at once, and on whose network nobody has an address yet."""

    def __init__(self) -> None:
        self._responder = Responder([SUBNET], is_known=lambda _: False)
        self.now = 1e9
        self.facts: list[Fact] = []

    def hears(self, packet: Packet) -> list[Send]:
        """A packet as it was recorded; what is answered."""
        source, target = (IPv4Address(end.split(":")[0]) for end in (packet.source, packet.target))
        self.now += 1
        arrival = Arrival("br0", SERVER, source, target)
        return self._done(self._responder.receive_datagram(packet.data, arrival, self.now))

    def _done(self, effects: list[Effect]) -> list[Send]:
        sent: list[Send] = []
        for effect in effects:
            match effect:
                case Send():
                    sent.append(effect)
                case Publish(fact=fact):
                    self.facts.append(fact)
                case Save(lease=lease):
                    sent += self._done(self._responder.saved([lease], self.now))
                case Probe():
                    found = self._responder.probe_result(effect.interface, effect.address, False, self.now)
                    sent += self._done(found)
        return sent

    def lease(self) -> Lease:
        """The one that was granted last."""
        return [fact.lease for fact in self.facts if isinstance(fact, LeaseGranted)][-1]


def turns(client: str, protocol: str) -> list[tuple[Packet, list[Packet]]]:
    """What the client sent, each with what it was answered."""
    found: list[tuple[Packet, list[Packet]]] = []
    for packet in (each for each in read(client) if each.protocol == protocol):
        if packet.by == "client":
            found.append((packet, []))
        else:
            found[-1][1].append(packet)
    return found


@pytest.mark.parametrize("client", CLIENTS)
def test_dhcp_answers_are_those_that_the_client_took(client: str) -> None:
    desk = Desk()
    for asked, wanted in turns(client, "dhcp"):
        sent = desk.hears(asked)
        assert len(sent) == len(wanted), asked.words
        for got, recorded in zip(sent, wanted, strict=True):
            assert got.data[:FIXED] == recorded.data[:FIXED]
            _same_options(decode(got.data).options, decode(recorded.data).options)
            assert got.destination.address == IPv4Address(recorded.target.split(":")[0])
            assert got.destination.mac in (recorded.to_mac, None), "None: to be found by ARP"


def _same_options(got: Options, needed: Options) -> None:
    """All that was there is there, and the same; the query of the script's address may have become longer."""
    assert {code: got.get(code) for code in needed if code != Code.BOOT_FILE} == {
        code: value for code, value in needed.items() if code != Code.BOOT_FILE
    }
    name = needed.get(Code.BOOT_FILE, b"")
    assert got.get(Code.BOOT_FILE, b"") == name or (b"?" in name and got[Code.BOOT_FILE].startswith(name + b"&"))


@pytest.mark.parametrize("client", CLIENTS)
def test_what_it_is_and_has_is_known_from_its_packets(client: str) -> None:
    desk, told = Desk(), KNOWN[client]
    for asked, _ in turns(client, "dhcp"):
        desk.hears(asked)
    seen = [fact for fact in desk.facts if isinstance(fact, DhcpSeen)]
    assert " ".join(each.kind.name for each in seen) == SAYS[client]
    first = seen[0]
    found = Told(
        first.firmware,
        first.architecture,
        first.is_ipxe,
        str(first.uuid) if first.uuid else None,
        first.vendor_class,
        first.hostname,
    )
    assert (first.mac, found) == (MAC, told)
    assert desk.lease().address == IPv4Address("10.77.0.50")
    ended = [fact.reason for fact in desk.facts if isinstance(fact, LeaseEnded)]
    assert ended == (["released"] if "RELEASE" in SAYS[client] else [])


@pytest.mark.parametrize("client", CLIENTS)
def test_it_boots_all_the_same_where_every_packet_comes_twice(client: str) -> None:
    desk = Desk()
    for asked, wanted in turns(client, "dhcp"):
        for sent in (desk.hears(asked), desk.hears(asked)):
            assert [each.data[FIXED - 8 :] for each in sent[: len(wanted)]] == [each.data[FIXED - 8 :] for each in sent]
    assert desk.lease().address == IPv4Address("10.77.0.50")


def test_the_first_transfer_of_ovmf_asks_for_the_size_only_and_the_second_has_it_all() -> None:
    outcomes = []
    transfer: Transfer | None = None
    for asked, wanted in turns("ovmf_pxe", "tftp"):
        if asked.target.endswith(":69"):
            transfer = _begun(asked)
        else:
            assert transfer is not None
            transfer.receive_datagram(asked.data, 1.0)
        assert [_kept(each) for each in transfer.datagrams_to_send()] == [each.data for each in wanted]
        outcomes.append(type(transfer.outcome))
    assert outcomes == [type(None), Probed, type(None), type(None), Finished]


def _kept(datagram: bytes) -> bytes:
    return datagram[:KEPT] if datagram.startswith(b"\0\3") else datagram


def _begun(asked: Packet) -> Transfer:
    request = decode_tftp(asked.data)
    assert isinstance(request, ReadRequest)
    assert request.name == "snponly.efi"
    content = content_of(MemoryFile(PROGRAM), request.mode)
    return Transfer(content, negotiate(request.options, content.size, TftpLimits()), TftpLimits(), 0.0)


@pytest.mark.parametrize("client", ["seabios_ipxe", "ovmf_http"])
async def test_http_answers_have_the_head_that_the_client_took(client: str, tmp_path: Path) -> None:
    app = BootHttp(TalkingFleet(), _files(client, tmp_path), lambda: 1e9, _nothing, lambda *_: False).make_app()
    async with asyncio.timeout(20), served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)  # one connection, as the client kept its own
        for asked, (answered,) in turns(client, "http"):
            writer.write(asked.data)
            head = await reader.readuntil(b"\r\n\r\n")
            assert _telling(head) == _telling(answered.data)
            if not asked.data.startswith(b"HEAD"):
                await reader.readexactly(_length(head))
        writer.close()


async def _nothing(*_: object) -> None:
    return None


def _files(client: str, directory: Path) -> BootFiles:
    """The files whose sizes the recording has; the boot script's own depends on what it says."""
    path = next(
        (found[1] for each in read(client) if (found := re.match(rb"GET (/stack/\w+)/", each.data))), b"/stack/0"
    )
    for name, size in (("snponly.efi", len(PROGRAM)), ("vmlinuz", 3500), ("initrd", 207856)):
        (directory / name).write_bytes(bytes(size))
    return BootFiles(directory, directory, path.decode(), b"", "ab" * 32, 80, 443)


def _length(head: bytes) -> int:
    found = re.search(rb"Content-Length: (\d+)\r\n", head)
    assert found, "firmware goes by it"
    return int(found[1])


def _telling(head: bytes) -> tuple[bytes, set[bytes], int]:
    """Status, header fields, and the length of files; of a script only that it has one."""
    fields = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line}
    is_script = b"text/plain" in head
    assert b"transfer-encoding" not in fields
    return head.split(b"\r\n")[0], fields, -1 if is_script and _length(head) else _length(head)


def test_an_offer_and_an_acknowledgement_differ_in_their_kind_only() -> None:
    for client in CLIENTS:
        offers, acks = ([each for each in read(client) if f"53 {kind}" in each.words] for kind in ("OFFER", "ACK"))
        offer, ack = decode(offers[0].data), decode(acks[0].data)
        changed = {code for code in offer.options if offer.options[code] != ack.options.get(code)}
        assert changed == {Code.MESSAGE_TYPE}
        assert ack.options[Code.MESSAGE_TYPE][0] == MessageKind.ACK
