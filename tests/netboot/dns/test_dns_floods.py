"""Floods: what many questions, slow readers and made-up sources may take is bounded; others are served meanwhile."""

import asyncio
import contextlib
import socket
from collections import Counter
from ipaddress import IPv4Address, IPv4Network

import dnslib
from dns_serving import ADDRESS, ask, dig, framed, free_port, make_zone, question, read_framed, serving, upstream

from appliance.netboot.dns.asking import Asking
from appliance.netboot.dns.cache import Failures
from appliance.netboot.dns.connection import Connection
from appliance.netboot.dns.facts import DnsOverloaded
from appliance.netboot.dns.forwarder import Forwarder
from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.ready import ReadyAnswers
from appliance.netboot.dns.records import Text
from appliance.netboot.dns.strangers import BURST, Strangers, Verdict
from appliance.netboot.dns.upstream import Asked


def silent(data, record):
    return []


def asked(name):
    return Asked(name, 1, 1, False, name.encode())


async def test_a_client_that_does_not_read_is_cut_off_with_what_was_kept_for_it():
    kept = []
    ended = asyncio.Event()

    async def serve(reader, writer):
        def handle(data, source, deliver):
            deliver(b"x" * 60_000)
            kept.append(writer.transport.get_write_buffer_size())

        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        await Connection(reader, writer, handle, DnsLimits(idle_seconds=0.2)).serve("10.0.0.9")
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, ADDRESS, 0)
    async with server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            client.connect(server.sockets[0].getsockname())
            client.sendall(framed(question("web1.lab.test")) * 1000)
            async with asyncio.timeout(20):
                await ended.wait()
    assert 0 < max(kept) <= 65536
    assert len(kept) < 50


async def test_answers_that_come_all_at_once_to_a_client_that_does_not_read_end_its_connection():
    delivers = []
    ended = asyncio.Event()

    async def serve(reader, writer):
        limits = DnsLimits(idle_seconds=20, unread_bytes=200_000)
        await Connection(reader, writer, lambda data, source, deliver: delivers.append(deliver), limits).serve("x")
        ended.set()

    server = await asyncio.start_server(serve, ADDRESS, 0)
    async with server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            client.connect(server.sockets[0].getsockname())
            client.sendall(framed(question("example.com")) * 50)
            async with asyncio.timeout(20):
                while len(delivers) < 50:
                    await asyncio.sleep(0)
                for deliver in delivers:
                    for _ in range(10):  # more than any buffer of the kernel takes
                        deliver(b"x" * 65_000)
                await ended.wait()


async def test_slow_readers_leave_room_for_others():
    zone = make_zone()
    for number in range(8):
        zone.publish_record(f"t{number}", "long", Text((bytes([97 + number]) * 255,) * 4))
    limits = DnsLimits(connections_per_source=3, idle_seconds=2.0)
    async with serving(zone, limits=limits) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((ADDRESS, server.port))
            client.setblocking(False)
            questions = framed(question("long.lab.test", "TXT")) * 100
            with contextlib.suppress(BlockingIOError):  # it asks until nobody reads its questions any more
                while client.send(questions):
                    continue
            assert await dig(server, "+tcp", "+short", "web1.lab.test") == "10.77.0.51\n"
            async with asyncio.timeout(30):
                while server._connections:
                    await asyncio.sleep(0.01)


async def test_one_client_cannot_take_all_the_room_upstream():
    limits = DnsLimits(waiting_per_source=3)
    async with upstream(silent) as up, serving(make_zone(), Forwarder([up.name], print), limits=limits) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as greedy:
            greedy.connect((ADDRESS, server.port))
            for number in range(20):
                greedy.send(question(f"{number}.example.com"))
            async with asyncio.timeout(20):
                while server.counts["failed"] < 17:
                    await asyncio.sleep(0.01)
            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                other = tasks.create_task(ask(server.port, question("other.example.com"), source="127.0.0.2"))
                while "other.example.com." not in {str(each.q.qname) for each in up.queries}:
                    await asyncio.sleep(0.01)
                other.cancel()
        assert await dig(server, "+short", "web1.lab.test") == "10.77.0.51\n"
    assert server.facts[0] == DnsOverloaded(1, "127.0.0.1 waits for 3 answers already")


async def test_waiting_is_bounded_whoever_asks():
    class Never:
        def cached(self, asked):
            return None

        async def resolve(self, asked):
            await asyncio.Event().wait()

    reasons, settled, tasks, counts = [], [], [], Counter()
    limits = DnsLimits(pending=50, waiting=80, waiting_per_source=5, waiters=30)
    asking = Asking(Never(), limits, counts, reasons.append)
    asking.spawn = lambda work: tasks.append(work)
    for number in range(10_000):
        asking.ask(asked(f"{number % 60}.example.com"), f"10.0.{number // 250}.{number % 250}", settled.append)
    assert len(tasks) == 50
    assert len(settled) == 10_000 - 80
    assert counts == {"failed": 10_000 - 80}
    assert "80 clients wait for the forwarders" in reasons
    assert "50 questions wait for the forwarders" in reasons
    for task in tasks:
        task.close()


async def test_a_name_that_nobody_answers_is_not_asked_again_at_once(monkeypatch):
    monkeypatch.setattr(Failures, "SECONDS", 1000.0)

    def refuse(data, record):
        answer = record.reply()
        answer.header.rcode = dnslib.RCODE.SERVFAIL
        return [answer.pack()]

    async with upstream(refuse) as up, serving(make_zone(), Forwarder([up.name], print)) as server:
        for _ in range(20):
            answer = await ask(server.port, question("bogus.example.com"))
            assert answer[3] & 0xF == dnslib.RCODE.SERVFAIL
        assert len(up.queries) == 2  # each upstream is tried twice


def test_failures_are_forgotten_in_time_and_bounded():
    failures = Failures()
    failures.put(asked("a"), 10.0)
    assert failures.holds(asked("a"), 11.9)
    assert not failures.holds(asked("a"), 12.0)
    assert not failures.holds(asked("b"), 11.0)
    for number in range(5000):
        failures.put(asked(str(number)), 20.0)
    assert len(failures) == 2000
    assert failures.holds(asked("4999"), 21.0)


async def test_a_flood_of_forged_answers_sends_the_question_over_tcp():
    """Who finds the port can try all ids on it; not so over TCP (RFC 5452 section 9.2)."""
    forged = []

    def forge(data, record):
        for number in range(500):
            answer = record.reply()
            answer.add_answer(dnslib.RR(record.q.qname, ttl=60, rdata=dnslib.A("6.6.6.6")))
            answer.header.id = record.header.id + 1 + number & 0xFFFF
            forged.append(1)
            yield answer.pack()

    async def honest(reader, writer):
        record = dnslib.DNSRecord.parse(await read_framed(reader))
        answer = record.reply()
        answer.add_answer(dnslib.RR(record.q.qname, ttl=60, rdata=dnslib.A("192.0.2.1")))
        writer.write(framed(answer.pack()))
        writer.close()

    port = free_port()
    async with (
        upstream(forge, port) as up,
        await asyncio.start_server(honest, ADDRESS, port),
        serving(make_zone(), Forwarder([up.name], print)) as server,
    ):
        assert await dig(server, "+short", "example.com") == "192.0.2.1\n"
    assert len(forged) == 500


async def test_strangers_get_their_ration_and_come_back_over_tcp():
    mine = [IPv4Network("127.0.0.2/32")]
    async with serving(make_zone(), allowed=mine) as server:
        loop, answers = asyncio.get_running_loop(), []

        class Client(asyncio.DatagramProtocol):
            def datagram_received(self, data, addr):
                answers.append(data)

        transport, _ = await loop.create_datagram_endpoint(Client, (ADDRESS, 0), (ADDRESS, server.port))
        async with asyncio.timeout(20):
            while server.counts["limited"] < 30:
                transport.sendto(question("web1.lab.test"))
                await asyncio.sleep(0)
        for _ in range(50):  # our own are answered all the while
            assert (await ask(server.port, question("web1.lab.test"), source="127.0.0.2"))[3] & 0xF == 0
        transport.close()
        assert any(answer[2] & 2 for answer in answers), "some hear that they are to come back over TCP"
        assert await dig(server, "+tcp", "+short", "web1.lab.test") == "10.77.0.51\n"
    assert "is in none of our subnets" in server.facts[0].reason


def test_the_ration_of_a_network_comes_back_with_time_and_others_have_their_own():
    strangers = Strangers([IPv4Network("10.77.0.0/24")])
    first = [strangers.verdict(f"192.0.2.{number % 250}", 5.0) for number in range(int(BURST) + 60)]
    assert first.count(Verdict.ANSWER) == BURST
    assert first.count(Verdict.TRUNCATE) == 20
    assert strangers.verdict("198.51.100.1", 5.0) is Verdict.ANSWER
    again = [strangers.verdict("192.0.2.9", 5.5) for _ in range(100)]
    assert again.count(Verdict.ANSWER) == 50


def test_what_is_kept_of_strangers_is_bounded():
    strangers = Strangers([IPv4Network("10.0.0.0/8")])
    for number in range(50_000):
        address = str(IPv4Address("11.0.0.0") + number * 256)
        strangers.verdict(address, 5.0)
        strangers.is_ours(str(IPv4Address("10.0.0.0") + number))
    assert len(strangers) < 25_000


def test_ready_answers_are_bounded_and_those_in_use_survive_a_flood():
    ready = ReadyAnswers(most_bytes=100_000)
    ready.put(b"ididhot", b"ididanswer", ("hot",), float("inf"))
    for number in range(10_000):
        ready.put(b"id" + str(number).encode(), b"id" + b"x" * 100, (str(number),), float("inf"))
        if number % 50 == 0:
            assert ready.get(b"newidhot"[:2] + b"idhot", 1.0) == b"neidanswer"
    assert len(ready) < 500
    ready.forget(["hot"])
    assert ready.get(b"neidhot", 1.0) is None


async def test_a_flood_of_names_that_do_not_exist_pushes_nobody_out():
    async with serving(make_zone()) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
            flood.connect((ADDRESS, server.port))
            for number in range(3000):
                flood.send(question(f"x{number}.lab.test"))
                if number % 100 == 0:
                    answer = await ask(server.port, question("web1.lab.test"), source="127.0.0.3")
                    assert str(dnslib.DNSRecord.parse(answer).a.rdata) == "10.77.0.51"
