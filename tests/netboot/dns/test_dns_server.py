"""The server on loopback, asked by dig and by hand-made messages."""

import asyncio
import contextlib
import os
import random
import re
import socket
import struct
from ipaddress import IPv4Address

import dnslib
import pytest
from dns_serving import ADDRESS, ask, dig, framed, free_port, make_zone, question, read_framed, serving, upstream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.errors import ApplianceError
from appliance.netboot.dns import responder as responding
from appliance.netboot.dns.facts import DnsOverloaded
from appliance.netboot.dns.forwarder import Forwarder
from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.message import HEADER
from appliance.netboot.dns.records import Rcode, Target, Text, Type
from appliance.netboot.dns.responder import Responder
from appliance.netboot.dns.server import DnsServer


def header(said):
    """Status and flags as dig shows them."""
    return re.search(r"status: (\w+)", said)[1], re.search(r"flags: ([\w ]*);", said)[1].split()


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
async def test_forward_and_reverse(transport):
    async with serving(make_zone()) as server:
        assert await dig(server, transport, "+short", "web1.lab.test") == "10.77.0.51\n"
        assert await dig(server, transport, "+short", "WEB1.Lab.Test") == "10.77.0.51\n"
        assert await dig(server, transport, "+short", "-x", "10.77.0.51") == "web1.lab.test.\n"
        assert await dig(server, transport, "+short", "-x", "10.77.0.1") == "appliance.lab.test.\n"


async def test_flags_and_sections():
    async with serving(make_zone()) as server:
        said = await dig(server, "web1.lab.test")
        assert header(said) == ("NOERROR", ["qr", "aa", "rd"])
        assert re.search(r"web1\.lab\.test\.\s+300\s+IN\s+A\s+10\.77\.0\.51", said)
        assert "udp: 1232" in said


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["nobody.lab.test"], "NXDOMAIN"),
        (["web1.lab.test", "AAAA"], "NOERROR"),
        (["web1.lab.test", "TYPE65"], "NOERROR"),
        (["-x", "10.77.0.99"], "NXDOMAIN"),
    ],
)
async def test_negative_answers_have_the_soa(words, status):
    async with serving(make_zone()) as server:
        said = await dig(server, *words)
        assert header(said) == (status, ["qr", "aa", "rd"])
        assert re.search(r"\s15\s+IN\s+SOA\s+appliance\.lab\.test\. hostmaster\.lab\.test\.", said)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["example.com"], "REFUSED"),
        (["-x", "10.99.0.1"], "REFUSED"),
        (["."], "REFUSED"),
        (["web1.lab.test", "CH", "TXT"], "REFUSED"),
        (["version.bind", "CH", "TXT"], "REFUSED"),
        (["+opcode=NOTIFY", "lab.test"], "NOTIMP"),
        (["+opcode=UPDATE", "lab.test"], "NOTIMP"),
        (["+header-only"], "FORMERR"),
        (["+edns=1", "+noednsnegotiation", "web1.lab.test"], "BADVERS"),
        (["web1.lab.test", "TYPE41"], "FORMERR"),
    ],
)
async def test_refusals(words, status):
    async with serving(make_zone()) as server:
        assert header(await dig(server, *words))[0] == status


@pytest.mark.parametrize("words", [["AXFR"], ["IXFR=1"], ["+tcp", "IXFR=1"]])
async def test_zone_transfer_is_refused(words):
    async with serving(make_zone()) as server:
        assert "Transfer failed" in await dig(server, *words, "lab.test")
        for kind in ("AXFR", "IXFR"):
            said = dnslib.DNSRecord.parse(await ask(server.port, question("lab.test", kind)))
            assert (said.header.get_rcode(), said.rr) == (Rcode.REFUSED, [])


async def test_any_is_minimal():
    async with serving(make_zone()) as server:
        said = await dig(server, "+notcp", "ANY", "lab.test")
        assert "ANSWER: 1," in said


async def test_opt_only_for_those_who_sent_one():
    async with serving(make_zone()) as server:
        without = dnslib.DNSRecord.parse(await ask(server.port, question("web1.lab.test")))
        with_it = dnslib.DNSRecord.parse(await ask(server.port, question("web1.lab.test", edns=4096)))
        assert without.ar == []
        assert [(record.rtype, record.rclass) for record in with_it.ar] == [(Type.OPT, 1232)]


async def test_unknown_edns_options_and_flags_are_ignored():
    async with serving(make_zone()) as server:
        said = await dig(server, "+ednsopt=65001:abcd", "+ednsflags=0x0040", "+dnssec", "web1.lab.test")
        assert header(said)[0] == "NOERROR"
        assert "flags: do" in said


@pytest.mark.parametrize(("words", "records"), [(["+noedns"], 500), (["+bufsize=512"], 500), (["+bufsize=4096"], 1500)])
async def test_long_answers_are_truncated_and_whole_over_tcp(words, records):
    zone = make_zone()
    for number in range(8):
        zone.publish_record(f"t{number}", "long", Text((os.urandom(records // 16).hex().encode(),) * 2))
    async with serving(zone) as server:
        cut = await dig(server, *words, "+ignore", "TXT", "long.lab.test")
        assert "tc" in header(cut)[1]
        assert "ANSWER: 0," in cut
        whole = await dig(server, *words, "TXT", "long.lab.test")
        assert "ANSWER: 8," in whole


async def test_answers_follow_the_zone_at_once():
    zone = make_zone()
    async with serving(zone) as server:
        for last in (60, 61, 62):
            zone.publish("machine:1", "web1", IPv4Address(f"10.77.0.{last}"), None, "machine")
            for ident in (1, 2):
                answer = dnslib.DNSRecord.parse(await ask(server.port, question("web1.lab.test", ident=ident)))
                assert (answer.header.id, str(answer.a.rdata)) == (ident, f"10.77.0.{last}")
        zone.withdraw("machine:1")
        assert header(await dig(server, "web1.lab.test"))[0] == "NXDOMAIN"


async def test_ready_answers_keep_case_and_flags_of_each_query():
    async with serving(make_zone()) as server:
        for name in ("WEB1.lab.test", "web1.LAB.test", "web1.lab.test") * 2:
            wire = question(name)
            answer = await ask(server.port, wire)
            assert answer[12 : len(wire)] == wire[12:]
        no_recursion = bytearray(question("web1.lab.test"))
        no_recursion[2] = 0
        assert (await ask(server.port, bytes(no_recursion)))[2] == 0x84


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
async def test_a_record_that_cannot_be_written_harms_only_its_name(transport):
    zone = make_zone()
    zone.publish_record("u", "broken", Text((b"x" * 300,)))
    async with serving(zone) as server:
        assert header(await dig(server, transport, "TXT", "broken.lab.test"))[0] == "SERVFAIL"
        assert await dig(server, transport, "+short", "web1.lab.test") == "10.77.0.51\n"


async def test_alias_out_of_the_zone():
    zone = make_zone()
    zone.publish_record("u", "docs", Target(Type.CNAME, "example.com"))
    async with serving(zone) as server:
        assert await dig(server, "+short", "docs.lab.test") == "example.com.\n"


async def test_several_addresses_share_one_port():
    async with serving(make_zone(), addresses=("127.0.0.1", "127.0.0.2")) as server:
        for address in server.addresses:
            answer = await ask(server.port, question("web1.lab.test"), address)
            assert str(dnslib.DNSRecord.parse(answer).a.rdata) == "10.77.0.51"


async def test_responses_are_never_answered():
    async with serving(make_zone()) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((ADDRESS, server.port))
            response = bytearray(question("web1.lab.test"))
            response[2] |= 0x80
            client.send(response)
            await ask(server.port, question("web1.lab.test"))  # the server has read both by now
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(1000)


async def test_pipelined_questions_of_one_connection():
    async with serving(make_zone()) as server:
        reader, writer = await asyncio.open_connection(ADDRESS, server.port)
        names = ["web1.lab.test", "nobody.lab.test", "example.com", "appliance.lab.test"] * 30
        writer.write(b"".join(framed(question(name, ident=number)) for number, name in enumerate(names)))
        seen = {}
        for _ in names:
            record = dnslib.DNSRecord.parse(await read_framed(reader))
            seen[record.header.id] = str(record.q.qname).rstrip(".")
        assert [seen[number] for number in range(len(names))] == names
        writer.close()


async def test_a_message_in_pieces_and_a_half_closed_connection():
    async with serving(make_zone()) as server:
        reader, writer = await asyncio.open_connection(ADDRESS, server.port)
        for byte in framed(question("web1.lab.test")):
            writer.write(bytes([byte]))
            await writer.drain()
        writer.write_eof()
        assert str(dnslib.DNSRecord.parse(await read_framed(reader)).a.rdata) == "10.77.0.51"
        assert await reader.read() == b""
        writer.close()


async def test_silent_connections_are_closed():
    async with serving(make_zone(), limits=DnsLimits(idle_seconds=0.05)) as server:
        reader, writer = await asyncio.open_connection(ADDRESS, server.port)
        writer.write(b"\0\x20half")
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_connections_of_one_source_are_limited():
    limits = DnsLimits(connections_per_source=2)
    async with serving(make_zone(), limits=limits) as server, contextlib.AsyncExitStack() as stack:

        async def connect(source):
            reader, writer = await asyncio.open_connection(ADDRESS, server.port, local_addr=(source, 0))
            stack.callback(writer.close)
            return reader, writer

        async def is_served(reader, writer):
            writer.write(framed(question("web1.lab.test")))
            await read_framed(reader)

        first, _, third = [await connect(ADDRESS) for _ in range(3)]
        assert await third[0].read() == b""
        await is_served(*first)
        await is_served(*await connect("127.0.0.9"))
    assert server.facts == [DnsOverloaded(1, "127.0.0.1 has 2 connections already")]


async def test_garbage_over_tcp_harms_nobody():
    async with serving(make_zone()) as server:
        for garbage in (b"", b"\0", b"\0\0", b"\xff\xff" + b"x" * 70000, framed(b"x" * 11), b"GET / HTTP/1.1\r\n\r\n"):
            _, writer = await asyncio.open_connection(ADDRESS, server.port)
            writer.write(garbage)
            writer.close()
        assert await dig(server, "+short", "+tcp", "web1.lab.test") == "10.77.0.51\n"


async def test_a_question_that_makes_us_fail_ends_its_own_connection_only(monkeypatch, caplog):
    real = responding.without_asking

    def fails(query, *, recursion):
        if query.question.name == "poison.test":
            raise RecursionError("deep")
        return real(query, recursion=recursion)

    monkeypatch.setattr(responding, "without_asking", fails)
    async with serving(make_zone()) as server:
        reader, writer = await asyncio.open_connection(ADDRESS, server.port)
        writer.write(framed(question("web1.lab.test")) + framed(question("poison.test")))
        assert str(dnslib.DNSRecord.parse(await read_framed(reader)).a.rdata) == "10.77.0.51"
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
        assert await dig(server, "+tcp", "+short", "web1.lab.test") == "10.77.0.51\n"
    assert "RecursionError" in caplog.text


async def test_a_datagram_that_makes_us_fail_costs_no_other_its_answer(monkeypatch, caplog):
    real = responding.without_asking

    def fails(query, *, recursion):
        if query.question.name == "poison.test":
            raise RecursionError("deep")
        return real(query, recursion=recursion)

    monkeypatch.setattr(responding, "without_asking", fails)
    async with serving(make_zone()) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((ADDRESS, server.port))
            client.settimeout(10)
            for ident in range(20):  # they come as one batch: the loop has not turned meanwhile
                client.send(question("poison.test" if ident % 2 else "web1.lab.test", ident=ident))
            await ask(server.port, question("appliance.lab.test"))
            assert [client.recv(600)[1] for _ in range(10)] == list(range(0, 20, 2))
    assert "RecursionError" in caplog.text


async def test_mutated_queries_crash_nothing():
    rng = random.Random(77)
    plain = [question("web1.lab.test", edns=4096), question("51.0.77.10.in-addr.arpa", "PTR")]
    async with serving(make_zone()) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((ADDRESS, server.port))
            for round_number in range(3000):
                query = bytearray(rng.choice(plain))
                for _ in range(rng.randrange(1, 5)):
                    query[rng.randrange(len(query))] = rng.randrange(256)
                client.send(query[: rng.randrange(len(query) + 1)] if round_number % 3 else query)
                if round_number % 100 == 0:
                    await ask(server.port, question("web1.lab.test"))
        assert await dig(server, "+short", "web1.lab.test") == "10.77.0.51\n"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.binary(min_size=1, max_size=20), max_size=5),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.integers(0, 0x7FFF),
    st.booleans(),
)
def test_every_question_gets_a_readable_answer(labels, qtype, qclass, flags, ours):
    suffix = [b"lab", b"test"] if ours else []
    wire = b"".join(bytes([len(label)]) + label for label in [*labels, *suffix]) + b"\0"
    query = HEADER.pack(9, flags, 1, 0, 0, 0) + wire + struct.pack("!HH", qtype, qclass)
    answers = []
    responder = Responder(make_zone(), None, [], answers.append, DnsLimits())
    responder.handle_datagram(query, "10.0.0.1", answers.append)
    responder.handle_stream(query, "10.0.0.1", answers.append)
    for answer in answers:
        assert answer[:2] == b"\0\x09"
        assert answer[2] & 0x80
        assert len(answer) <= 512
        if all(label.isascii() for label in labels):
            dnslib.DNSRecord.parse(answer)
    assert len(answers) == 2


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
async def test_port_in_use_is_said_clearly(kind):
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind((ADDRESS, 0))
        port = other.getsockname()[1]
        server = DnsServer(["127.0.0.3", ADDRESS], port, make_zone(), None, [], print)
        with pytest.raises(ApplianceError, match=f"{ADDRESS} port {port}: Address already in use") as caught:
            await server.start()
        assert caught.value.code == "dns-bind"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as freed:
            freed.bind(("127.0.0.3", port))


async def test_close_without_run_frees_the_ports():
    port = free_port()
    for _ in range(2):
        server = DnsServer([ADDRESS], port, make_zone(), None, [], print)
        await server.start()
        server.close()
        await server.run()


async def test_close_ends_connections_and_questions_in_work():
    async with (
        upstream(lambda data, record: []) as silent,
        serving(make_zone(), Forwarder([silent.name], print)) as server,
    ):
        reader, writer = await asyncio.open_connection(ADDRESS, server.port)
        writer.write(framed(question("example.com")))
        await silent.arrived.wait()
        server.close()
        async with asyncio.timeout(1):
            await reader.read()
        writer.close()
