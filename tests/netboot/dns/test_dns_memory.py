"""A long flood of questions, each another one, takes as much memory as the caches may have, and no more."""

import asyncio
import gc
import random
import socket
from pathlib import Path

import pytest
from dns_serving import ADDRESS, ask, make_zone, question, serving, upstream

from appliance.netboot.dns.forwarder import Forwarder
from appliance.netboot.dns.limits import DnsLimits
from appliance.netboot.dns.message import HEADER, RD

PAGE = 4096
ROUND = 10_000
MOST = 32 << 20
"""Bytes that the caches, which are full then, and all that waits may take."""


def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def random_question(rng):
    """Of names that are not there, in our zone and in others', and of one that is, in another case each time."""
    label = f"x{rng.getrandbits(60):x}"
    name = rng.choice((f"{label}.lab.test", f"{label}.example.com", "web1.lab.test"))
    letters = rng.getrandbits(len(name))
    cased = "".join(letter.upper() if letters >> at & 1 else letter for at, letter in enumerate(name))
    wire = b"".join(bytes([len(part)]) + part.encode() for part in cased.split("."))
    return HEADER.pack(rng.getrandbits(16), RD, 1, 0, 0, 0) + wire + b"\0\0\1\0\1"


async def flood(server, sources, rng):
    """From several addresses, as fast as they are read: before each hundred somebody is answered."""
    for sent in range(ROUND):
        rng.choice(sources).send(random_question(rng))
        if sent % 100 == 0:  # the server has its turn, and answers
            assert (await ask(server.port, question("web1.lab.test"), source="127.0.0.99"))[3] & 0xF == 0


@pytest.mark.slow
async def test_memory_stays_bounded_under_a_flood():
    rng = random.Random(77)
    limits = DnsLimits(waiting=300, waiting_per_source=50)
    async with (
        upstream(lambda data, record: []) as silent,
        serving(make_zone(), Forwarder([silent.name], print, seconds_per_try=0.2), limits=limits) as server,
    ):
        sources = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
        for number, each in enumerate(sources):
            each.bind((f"127.0.0.{number + 2}", 0))
            each.connect((ADDRESS, server.port))
        before = resident()
        grown = []
        for _ in range(4):
            await flood(server, sources, rng)
            silent.queries.clear()
            silent.sources.clear()
            grown.append(resident() - before)
        for each in sources:
            each.close()
        print(f"{4 * ROUND} questions: grown by {', '.join(f'{each / 1e6:.1f}' for each in grown)} MB")
        assert grown[-1] < MOST
        async with asyncio.timeout(30):
            assert (await ask(server.port, question("web1.lab.test")))[3] & 0xF == 0
