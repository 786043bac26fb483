"""Forwarding: to upstreams that misbehave, and to real ones."""

import asyncio
import contextlib
import subprocess
import time
from ipaddress import IPv4Network

import dnslib
import pytest
from dns_serving import (
    ADDRESS,
    LOOPBACK,
    ask,
    dig,
    framed,
    free_port,
    make_zone,
    question,
    read_framed,
    serving,
    upstream,
)

from appliance.errors import ApplianceError
from appliance.netboot.dns.facts import DnsOverloaded, DnsUpstreamAnswers, DnsUpstreamFailed
from appliance.netboot.dns.forwarder import Forwarder, parse_upstream
from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.responder import Responder

DEAD = f"{ADDRESS}:9"


def address_answer(data, record, address="192.0.2.1", ttl=60):
    answer = record.reply()
    answer.header.ad = 0  # dnslib copies it from the question; an upstream that validates nothing clears it
    answer.add_answer(dnslib.RR(record.q.qname, ttl=ttl, rdata=dnslib.A(address)))
    return [answer.pack()]


def silent(data, record):
    return []


def forwarder_to(*upstreams, facts=None, **options):
    publish = (facts if facts is not None else []).append
    return Forwarder([getattr(each, "name", each) for each in upstreams], publish, **options)


async def addresses(server, name, **options):
    record = dnslib.DNSRecord.parse(await ask(server.port, question(name, **options)))
    return dnslib.RCODE[record.header.rcode], [str(answer.rdata) for answer in record.rr]


async def test_foreign_names_are_forwarded_and_own_names_are_not():
    async with upstream(address_answer) as up, serving(make_zone(), forwarder_to(up)) as server:
        assert await addresses(server, "example.com") == ("NOERROR", ["192.0.2.1"])
        assert await addresses(server, "web1.lab.test") == ("NOERROR", ["10.77.0.51"])
        assert (await addresses(server, "nobody.lab.test"))[0] == "NXDOMAIN"
        assert [str(query.q.qname) for query in up.queries] == ["example.com."]
        assert "flags: qr rd ra;" in await dig(server, "example.com")
        assert "flags: qr aa rd ra;" in await dig(server, "web1.lab.test")


async def test_answers_are_cached_until_their_end():
    async with upstream(address_answer) as up, serving(make_zone(), forwarder_to(up)) as server:
        for name in ("example.com", "EXAMPLE.com", "example.com"):
            await addresses(server, name)
        assert len(up.queries) == 1


async def test_a_slow_question_of_a_connection_keeps_none_behind_it_waiting():
    """RFC 7766 section 7: answers go out as they come."""
    async with upstream(silent) as up, serving(make_zone(), forwarder_to(up, seconds_per_try=0.5)) as server:
        reader, writer = await asyncio.open_connection(ADDRESS, server.port)
        writer.write(framed(question("example.com", ident=1)) + framed(question("web1.lab.test", ident=2)))
        first = dnslib.DNSRecord.parse(await read_framed(reader))
        assert (first.header.id, str(first.a.rdata)) == (2, "10.77.0.51")
        last = dnslib.DNSRecord.parse(await read_framed(reader))
        assert (last.header.id, dnslib.RCODE[last.header.rcode]) == (1, "SERVFAIL")
        writer.close()


async def test_ports_and_ids_are_never_the_same():
    async with upstream(address_answer) as up, serving(make_zone(), forwarder_to(up)) as server:
        for number in range(40):
            await addresses(server, f"n{number}.example.com", ident=7)
        assert len({port for _, port in up.sources}) > 30
        assert len({query.header.id for query in up.queries}) > 30


async def test_forged_answers_are_passed_over():
    def forgeries(data, record):
        (true,) = address_answer(data, record)
        (forged,) = address_answer(data, record, "192.0.2.66")
        wrong_id = bytes([forged[0] ^ 1]) + forged[1:]
        other = dnslib.DNSRecord.question("example.org").reply()
        other.header.id = record.header.id
        return [b"", b"x", wrong_id, other.pack(), data, true]

    async with upstream(forgeries) as up, serving(make_zone(), forwarder_to(up)) as server:
        assert await addresses(server, "example.com") == ("NOERROR", ["192.0.2.1"])


async def test_poison_about_other_names_goes_nowhere():
    def poison(data, record):
        answer = record.reply()
        answer.add_answer(dnslib.RR("example.com", ttl=60, rdata=dnslib.A("192.0.2.1")))
        answer.add_answer(dnslib.RR("bank.example.org", ttl=60, rdata=dnslib.A("192.0.2.66")))
        return [answer.pack()]

    async with upstream(poison) as up, serving(make_zone(), forwarder_to(up, seconds_per_try=0.05)) as server:
        assert await addresses(server, "example.com") == ("SERVFAIL", [])


async def test_equal_questions_in_flight_are_asked_once():
    held = []

    def hold(data, record):
        held.extend(address_answer(data, record))
        return []

    async with upstream(hold) as up, serving(make_zone(), forwarder_to(up)) as server:
        async with asyncio.TaskGroup() as tasks:
            clients = [tasks.create_task(addresses(server, "example.com", ident=n)) for n in range(20)]
            await up.arrived.wait()
            await addresses(server, "web1.lab.test")
            up.transport.sendto(held[0], up.sources[0])
        assert {str(client.result()) for client in clients} == {"('NOERROR', ['192.0.2.1'])"}
        assert len(up.queries) == 1


async def test_the_next_upstream_is_asked_when_one_is_dead_or_unwilling():
    def refuse(data, record):
        answer = record.reply()
        answer.header.rcode = dnslib.RCODE.REFUSED
        return [answer.pack()]

    facts = []
    async with upstream(refuse) as unwilling, upstream(silent) as dumb, upstream(address_answer) as good:
        forwarder = forwarder_to(DEAD, unwilling, dumb, good, facts=facts, seconds_per_try=0.1)
        async with serving(make_zone(), forwarder) as server:
            assert await addresses(server, "a.example.com") == ("NOERROR", ["192.0.2.1"])
            assert await addresses(server, "b.example.com") == ("NOERROR", ["192.0.2.1"])
        assert len(dumb.queries) == 1  # it is asked last now
    assert facts == [
        DnsUpstreamFailed(DEAD, "[Errno 111] Connection refused"),
        DnsUpstreamFailed(dumb.name, "no answer in time"),
    ]


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("rcode", ["FORMERR", "NOTIMP"])
async def test_an_upstream_that_does_not_know_edns_is_asked_without(bare, rcode):
    def old(data, record):
        if not record.ar:
            return address_answer(data, record)
        answer = record.reply()
        answer.header.rcode = getattr(dnslib.RCODE, rcode)
        if bare:
            answer.questions.clear()
        return [answer.pack()]

    async with upstream(old) as up, serving(make_zone(), forwarder_to(up)) as server:
        assert await addresses(server, "example.com", edns=1232) == ("NOERROR", ["192.0.2.1"])
        assert [len(each.ar) for each in up.queries] == [1, 0]


async def test_an_upstream_that_understands_nothing_is_not_asked_for_ever():
    def confused(data, record):
        answer = record.reply()
        answer.header.rcode = dnslib.RCODE.FORMERR
        return [answer.pack()]

    async with upstream(confused) as up, serving(make_zone(), forwarder_to(up)) as server:
        assert (await addresses(server, "example.com"))[0] == "SERVFAIL"
        assert len(up.queries) == 4


async def test_answers_kept_of_upstreams_count_their_ttl_down_and_end(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    async with upstream(lambda data, record: address_answer(data, record, ttl=3)) as up:
        responder = Responder(make_zone(), forwarder_to(up), LOOPBACK, print, DnsLimits())
        query, answers = bytes(question("example.com")), []
        async with asyncio.TaskGroup() as tasks:
            responder.begin(tasks.create_task)
            responder.handle_datagram(query, ADDRESS, answers.append)
        for at in (0.0, 0.5, 0.99, 1.0, 1.01, 1.99, 2.5, 2.99):
            now[0] = 1000.0 + at
            if ready := responder.ready(query, now[0]):
                answers.append(ready)
            else:
                responder.handle_datagram(query, ADDRESS, answers.append)
        assert [dnslib.DNSRecord.parse(each).rr[0].ttl for each in answers] == [3, 3, 3, 3, 2, 2, 2, 1, 1]
        assert len(up.queries) == 1
        now[0] = 1003.0
        assert responder.ready(query, now[0]) is None
        async with asyncio.TaskGroup() as tasks:
            responder.begin(tasks.create_task)
            responder.handle_datagram(query, ADDRESS, answers.append)
        assert dnslib.DNSRecord.parse(answers[-1]).rr[0].ttl == 3
        assert len(up.queries) == 2
        assert responder.counts == {"forwarded": 2, "cached": 8}


async def test_what_is_kept_for_our_own_never_goes_to_strangers():
    mine = [IPv4Network("127.0.0.2/32")]
    async with upstream(address_answer) as up, serving(make_zone(), forwarder_to(up), mine) as server:
        for _ in range(3):
            answer = await ask(server.port, question("example.com"), source="127.0.0.2")
            assert str(dnslib.DNSRecord.parse(answer).a.rdata) == "192.0.2.1"
            assert (await addresses(server, "example.com"))[0] == "REFUSED"


async def test_an_upstream_that_comes_back_is_announced():
    answers = iter([silent, address_answer])
    facts = []
    async with (
        upstream(lambda data, record: next(answers)(data, record)) as up,
        serving(make_zone(), forwarder_to(up, facts=facts, seconds_per_try=0.1)) as server,
    ):
        assert await addresses(server, "example.com") == ("NOERROR", ["192.0.2.1"])
    assert facts == [DnsUpstreamFailed(up.name, "no answer in time"), DnsUpstreamAnswers(up.name)]


async def test_without_any_upstream_alive_the_client_hears_servfail():
    async with serving(make_zone(), forwarder_to(DEAD)) as server:
        assert await addresses(server, "example.com") == ("SERVFAIL", [])
        assert "SERVFAIL" in await dig(server, "+tcp", "example.com")


async def test_a_server_that_forwards_to_itself_does_not_run_wild():
    facts = []
    zone = make_zone()
    port = free_port()
    forwarder = Forwarder([f"{ADDRESS}:{port}"], facts.append, seconds_per_try=0.1)
    async with serving(zone, forwarder, port=port) as server:
        assert await addresses(server, "example.com") == ("SERVFAIL", [])
        assert await addresses(server, "web1.lab.test") == ("NOERROR", ["10.77.0.51"])


@pytest.mark.parametrize(
    "words",
    [
        ["-x", "192.168.7.7"],
        ["-x", "10.99.0.1"],
        ["-x", "fd00::1"],
        ["printer"],
        ["wpad", "AAAA"],
        ["secret.onion"],
        ["thing.invalid"],
    ],
)
async def test_private_names_never_leave(words):
    async with upstream(address_answer) as up, serving(make_zone(), forwarder_to(up)) as server:
        said = await dig(server, *words)
        assert ("status: NXDOMAIN" in said) or ("ANSWER: 0," in said)
        assert "SOA" in said
        assert up.queries == []


async def test_localhost_is_answered_here():
    async with upstream(address_answer) as up, serving(make_zone(), forwarder_to(up)) as server:
        assert await dig(server, "+short", "localhost") == "127.0.0.1\n"
        assert await dig(server, "+short", "x.localhost", "AAAA") == "::1\n"
        assert up.queries == []


async def test_strangers_and_those_who_do_not_ask_for_it_get_no_recursion():
    mine = [IPv4Network("127.0.0.2/32")]
    async with upstream(address_answer) as up, serving(make_zone(), forwarder_to(up), mine) as server:
        assert (await addresses(server, "example.com"))[0] == "REFUSED"
        assert (await addresses(server, "web1.lab.test"))[0] == "NOERROR"
        allowed = await ask(server.port, question("example.com"), source="127.0.0.2")
        assert str(dnslib.DNSRecord.parse(allowed).a.rdata) == "192.0.2.1"
        assert (await addresses(server, "example.com"))[0] == "REFUSED"
    async with upstream(address_answer) as up, serving(make_zone(), forwarder_to(up)) as server:
        assert "REFUSED" in await dig(server, "+norecurse", "example.com")
        assert up.queries == []


async def test_truncated_answers_are_fetched_over_tcp():
    def truncated(data, record):
        answer = record.reply()
        answer.header.tc = 1
        return [answer.pack()]

    async def long_answer(reader, writer):
        record = dnslib.DNSRecord.parse(await read_framed(reader))
        answer = record.reply()
        for number in range(200):
            answer.add_answer(dnslib.RR(record.q.qname, ttl=60, rdata=dnslib.A(f"192.0.2.{number}")))
        writer.write(framed(answer.pack()))
        writer.close()

    port = free_port()
    async with (
        upstream(truncated, port) as up,
        await asyncio.start_server(long_answer, ADDRESS, port),
        serving(make_zone(), forwarder_to(up)) as server,
    ):
        assert "tc" in await dig(server, "+ignore", "example.com")
        assert "ANSWER: 200," in await dig(server, "example.com")


async def test_waiting_questions_are_limited():
    limits = DnsLimits(pending=1)
    async with (
        upstream(silent) as up,
        serving(make_zone(), forwarder_to(up), limits=limits) as server,
        asyncio.TaskGroup() as tasks,
    ):
        waiting = tasks.create_task(addresses(server, "a.example.com"))
        await up.arrived.wait()
        assert (await addresses(server, "b.example.com"))[0] == "SERVFAIL"
        waiting.cancel()
    assert server.facts == [DnsOverloaded(1, "1 questions wait for the forwarders")]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("10.0.0.1", ("10.0.0.1", 53)),
        ("10.0.0.1:5353", ("10.0.0.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:54", ("2001:db8::1", 54)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
    ],
)
def test_upstreams_are_read(text, parsed):
    assert parse_upstream(text) == parsed


@pytest.mark.parametrize(
    "text", ["", "dns.example.com", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:99999", "10.0.0", "[::1]x"]
)
def test_wrong_upstreams_are_refused(text):
    with pytest.raises(ApplianceError, match="is not an address") as caught:
        parse_upstream(text)
    assert caught.value.code == "dns-upstream"


@contextlib.asynccontextmanager
async def program(*argv, port):
    """A real DNS server on `port`, until it answers and while it is needed."""
    process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(20):
            while not await answers(port):
                assert process.returncode is None, f"{argv[0]} has ended"
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def answers(port):
    try:
        async with asyncio.timeout(0.2):
            await ask(port, question("up.example.com"))
    except (TimeoutError, OSError):
        return False
    return True


def unbound(tmp_path, port):
    settings = tmp_path / "unbound.conf"
    long_text = " ".join(['"' + "x" * 200 + '"'] * 8)
    settings.write_text(
        f"""server:
  interface: {ADDRESS}
  port: {port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{tmp_path}"
  pidfile: "{tmp_path}/unbound.pid"
  use-syslog: no
  local-zone: "example.com." static
  local-data: "www.example.com. 300 IN A 192.0.2.80"
  local-data: "up.example.com. 300 IN A 192.0.2.1"
  local-data: "mail.example.com. 300 IN MX 10 www.example.com."
  local-data: "example.com. 300 IN SOA ns.example.com. root.example.com. 1 2 3 4 60"
  local-data: 'txt.example.com. 300 IN TXT {long_text}'
remote-control:
  control-enable: no
"""
    )
    return ("unbound", "-d", "-c", str(settings))


def dnsmasq(tmp_path, port):
    return (
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        f"--pid-file={tmp_path}/dnsmasq.pid",
        f"--port={port}",
        f"--listen-address={ADDRESS}",
        "--bind-interfaces",
        "--user=root",
        "--local=/example.com/",
        "--host-record=www.example.com,192.0.2.80,300",
        "--host-record=up.example.com,192.0.2.1,300",
        "--mx-host=mail.example.com,www.example.com,10",
    )


@pytest.mark.parametrize("make", [unbound, dnsmasq])
async def test_a_real_upstream(tmp_path, make):
    port = free_port()
    async with (
        program(*make(tmp_path, port), port=port),
        serving(make_zone(), forwarder_to(f"{ADDRESS}:{port}")) as server,
    ):
        for _ in ("asked", "cached"):
            assert await dig(server, "+short", "www.example.com") == "192.0.2.80\n"
            assert await dig(server, "+short", "+tcp", "www.example.com") == "192.0.2.80\n"
            assert await dig(server, "+short", "MX", "mail.example.com") == "10 www.example.com.\n"
            assert "NXDOMAIN" in await dig(server, "no.example.com")


async def test_a_long_answer_of_a_real_upstream(tmp_path):
    port = free_port()
    async with (
        program(*unbound(tmp_path, port), port=port),
        serving(make_zone(), forwarder_to(f"{ADDRESS}:{port}")) as server,
    ):
        said = await dig(server, "TXT", "txt.example.com")
        assert said.count("x" * 200) == 8
        assert "(TCP)" in said


async def test_dnsperf_gets_every_answer(tmp_path):
    questions = tmp_path / "questions"
    questions.write_text("web1.lab.test A\nnobody.lab.test A\n51.0.77.10.in-addr.arpa PTR\nexample.com A\n")
    async with upstream(address_answer) as up, serving(make_zone(), forwarder_to(up)) as server:
        process = await asyncio.create_subprocess_exec(
            *("dnsperf", "-s", ADDRESS, "-p", str(server.port), "-d", str(questions), "-n", "2000"),
            stdout=subprocess.PIPE,
        )
        said, _ = await process.communicate()
    assert "Queries completed:    8000 (100.00%)" in said.decode()
    assert len(up.queries) == 1
