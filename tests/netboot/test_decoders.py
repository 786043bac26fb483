"""Every reader of what comes from outside: what was written is read again; any bytes raise only its own error."""

import json
import re
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import dnslib
import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from appliance.errors import ApplianceError, Invalid
from appliance.machine import MacAddress
from appliance.netboot.control import (
    ActiveBody,
    MessagesBody,
    NeighboursBody,
    ObeyBody,
    RedeemBody,
    ReportBody,
    SystemMessagesBody,
)
from appliance.netboot.dhcp.frame import arp_probe, arp_sender
from appliance.netboot.dhcp.options import DecodeError, decode_encapsulated, decode_options, encode_option
from appliance.netboot.dhcp.packet import BOOTREQUEST, Packet, decode, encode
from appliance.netboot.dhcp.request import Arrival, parse_request
from appliance.netboot.dns.message import HEADER, MessageError, parse_query, read_name
from appliance.netboot.http import boot_request, inside
from appliance.netboot.router import solicitor
from appliance.netboot.sending import _wanted
from appliance.netboot.tftp import packet as tftp
from appliance.reconcile.inventory import checked

ADDRESSES = st.integers(0, 2**32 - 1).map(IPv4Address)
MACS = st.binary(min_size=6, max_size=6).filter(lambda mac: not mac[0] & 1 and any(mac))
OCTETS = st.binary(max_size=300)
OPTIONS = st.dictionaries(st.integers(1, 254).filter(lambda code: code != 52), st.binary(max_size=60), max_size=8)
ARRIVAL = Arrival("br0", IPv4Address("10.77.0.1"), IPv4Address(0), IPv4Address("255.255.255.255"))
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=63)
BODIES = (RedeemBody, ReportBody, ActiveBody, ObeyBody, MessagesBody, NeighboursBody, SystemMessagesBody)
SIZE = 1000


class TestDhcp:
    @given(MACS, st.integers(0, 2**32 - 1), ADDRESSES, ADDRESSES, OPTIONS)
    def test_a_packet(
        self, mac: bytes, xid: int, ciaddr: IPv4Address, giaddr: IPv4Address, options: dict[int, bytes]
    ) -> None:
        sent = Packet(op=BOOTREQUEST, xid=xid, chaddr=mac, ciaddr=ciaddr, giaddr=giaddr, options=options)
        read = decode(encode(sent, limit=1472))
        assert (read.xid, read.chaddr, read.ciaddr, read.giaddr) == (xid, mac, ciaddr, giaddr)
        assert read.options == options

    @given(st.lists(st.tuples(st.integers(1, 254), st.binary(max_size=600)), max_size=6))
    def test_options(self, options: list[tuple[int, bytes]]) -> None:
        wanted: dict[int, bytes] = {}
        for code, value in options:
            wanted[code] = wanted.get(code, b"") + value
        assert decode_options(b"".join(encode_option(*each) for each in options) + b"\xff") == wanted

    @given(OCTETS)
    def test_any_bytes(self, data: bytes) -> None:
        for read in (decode, decode_options, lambda data: parse_request(data, ARRIVAL)):
            try:
                read(data)
            except DecodeError:
                continue
        decode_encapsulated(data)

    @given(MACS, st.dictionaries(st.integers(1, 12), st.binary(max_size=20), max_size=4), OCTETS)
    def test_relay_information_well_formed_or_not(
        self, mac: bytes, information: dict[int, bytes], broken: bytes
    ) -> None:
        for value in (b"".join(encode_option(*each) for each in information.items()), broken[:255]):
            options = {53: b"\1", 82: value}
            relayed = Packet(op=BOOTREQUEST, xid=1, chaddr=mac, giaddr=IPv4Address("10.9.0.1"), options=options)
            request = parse_request(encode(relayed, limit=1472), ARRIVAL)
            assert request.mac == mac.hex(":")
            assert request.relay is not None
            _ = (request.relay.link, request.our_id, request.max_reply, request.hostname, request.owners)

    @given(MACS, ADDRESSES, OCTETS)
    def test_arp(self, mac: bytes, address: IPv4Address, data: bytes) -> None:
        assert arp_sender(arp_probe(mac.hex(":"), address)) == (mac.hex(":"), IPv4Address(0)), "it claims nothing"
        arp_sender(data)
        arp_sender(arp_probe(mac.hex(":"), address)[: len(data)])


class TestTftp:
    @given(TEXTS.filter(bool), st.sampled_from(tftp.Mode), st.dictionaries(TEXTS.map(str.lower), TEXTS, max_size=5))
    def test_requests(self, name: str, mode: tftp.Mode, options: dict[str, str]) -> None:
        assume(not name.endswith("\xff"))
        assume({each.lower() for each in options} == set(options))
        sent = tftp.ReadRequest(name, mode, options)
        assume(len(tftp.encode(sent)) < tftp.LONGEST_REQUEST)
        assert tftp.decode(tftp.encode(sent)) == sent

    @given(
        st.integers(0, 65535), st.binary(max_size=1468), TEXTS, st.dictionaries(LABELS, TEXTS, min_size=1, max_size=4)
    )
    def test_all_others(self, number: int, payload: bytes, text: str, options: dict[str, str]) -> None:
        said: tuple[tftp.Packet, ...] = (
            tftp.Data(number, payload),
            tftp.Ack(number),
            tftp.Failure(number, text),
            tftp.OptionsAck(options),
        )
        for packet in said:
            assert tftp.decode(tftp.encode(packet)) == packet

    @given(OCTETS, st.integers(0, 8))
    def test_any_bytes(self, data: bytes, opcode: int) -> None:
        for said in (data, opcode.to_bytes(2, "big") + data):
            try:
                tftp.decode(said)
            except tftp.MalformedPacketError:
                continue


class TestDns:
    @given(st.lists(LABELS, min_size=1, max_size=4), st.sampled_from(["A", "AAAA", "PTR", "TXT", "SRV", "ANY"]))
    def test_questions(self, labels: list[str], qtype: str) -> None:
        name = ".".join(labels)
        assume(len(name) <= 250)
        asked = dnslib.DNSRecord.question(name, qtype)
        read = parse_query(bytes(asked.pack()))
        assert (read.question.name, read.question.qtype) == (name, asked.q.qtype)
        assert read_name(bytes(asked.pack()), HEADER.size)[0] == name

    @given(OCTETS, st.integers(0, 300))
    def test_any_bytes(self, data: bytes, offset: int) -> None:
        header = HEADER.pack(1, 0x0100, 1, 0, 0, 1)
        for said in (data, header + data, header + data + b"\xc0\x0c"):
            for read in (parse_query, lambda said: read_name(said, min(offset, len(said)))):
                try:
                    read(said)
                except MessageError:
                    continue


class TestHttp:
    @given(st.integers(0, 2000), st.integers(0, 2000))
    def test_ranges_are_those_of_python(self, first: int, last: int) -> None:
        content = bytes(range(250)) * 4
        for header, wanted in (
            (f"bytes={first}-{last}", content[first : last + 1]),
            (f"bytes={first}-", content[first:]),
            (f"bytes=-{last}", content[-last:] if last else b""),
        ):
            found = self._wanted(header)
            assert found is not None
            assert content[found[0] : found[1]] == (wanted if found[0] < found[1] else b"")

    @given(st.text(max_size=40) | st.text("0123456789-, ", max_size=20).map("bytes={}".format))
    def test_any_range_lies_in_the_file_or_is_none(self, header: str) -> None:
        found = self._wanted(header)
        assert found is None or 0 <= found[0] <= SIZE >= found[1]

    def _wanted(self, header: str) -> tuple[int, int] | None:
        asked: Any = SimpleNamespace(method="GET", headers={"Range": header})
        return _wanted(asked, SIZE)

    @given(st.text(max_size=60))
    def test_any_path_stays_inside(self, tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
        root = tmp_path_factory.getbasetemp()
        try:
            assert inside(root, path).resolve().is_relative_to(root.resolve())
        except ApplianceError:
            return

    @given(MACS, st.uuids(version=4), st.text("abcXYZ 0123-", min_size=5, max_size=20), st.booleans())
    def test_what_ipxe_asks(self, mac: bytes, uuid: UUID, serial: str, efi: bool) -> None:
        serial = serial.strip()
        assume(len(serial) > 4 and re.search("[1-9A-Z]", serial))
        query = {"mac": mac.hex("-"), "uuid": str(uuid), "serial": serial, "platform": "efi" if efi else "pcbios"}
        read = boot_request(query, "10.77.0.50", "10.77.0.1", lambda *_: True)
        assert (read.mac, read.uuid) == (MacAddress(mac.hex(":")), str(uuid))
        assert read.serial in (serial, None)
        assert read.firmware == ("uefi" if efi else "bios")
        assert urlencode(query), "it can be asked"

    @given(
        st.dictionaries(st.sampled_from(["mac", "uuid", "serial", "platform", "product", "manufacturer"]), st.text())
    )
    def test_any_query(self, query: dict[str, str]) -> None:
        try:
            read = boot_request(query, "10.77.0.50", "10.77.0.1", lambda *_: False)
        except Invalid:
            return
        assert all(each is None or each.isprintable() for each in (read.serial, read.product, read.manufacturer))


class TestControl:
    @given(st.text("0123456789abcdef", min_size=64, max_size=64), st.text(max_size=100), st.lists(st.text(max_size=20)))
    def test_a_redemption(self, token: str, nonce: str, macs: list[str]) -> None:
        sent = RedeemBody(token, token[::-1], nonce, "52:54:00:00:00:01", macs[:256])
        assert msgspec.json.decode(msgspec.json.encode(sent), type=RedeemBody) == sent

    @given(st.text(max_size=100), st.floats(0, 1), st.dictionaries(st.text(max_size=5), st.integers() | st.text()))
    @settings(max_examples=50)
    def test_a_report(self, step: str, progress: float, result: dict[str, Any]) -> None:
        sent = ReportBody("a", step, "running", progress, result=result)
        read = msgspec.json.decode(json.dumps(msgspec.to_builtins(sent)), type=ReportBody)
        assert (read.step, read.progress, read.result) == (step, progress, result)

    @given(OCTETS)
    def test_any_bytes(self, data: bytes) -> None:
        solicitor(data)
        for kind in BODIES:
            with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
                msgspec.json.decode(data, type=kind)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["disks", "nics", "cpu", "memory", "system", "mac", "bytes"]), inner, max_size=4
                )
            ),
        )
    )
    def test_any_inventory(self, told: Any) -> None:
        try:
            assert isinstance(checked({"disks": told, "nics": told, "cpu": told, "memory": told, "system": told}), list)
        except Invalid:
            return
