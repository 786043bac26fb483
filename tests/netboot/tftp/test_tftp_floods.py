"""Requests that nobody means: whoever answers has a place, however many there are that do not."""

import contextlib

import pytest
from test_tftp_server import Client, serving

from appliance.netboot.tftp.facts import TftpFailed, TftpFinished
from appliance.netboot.tftp.files import RenderedFiles
from appliance.netboot.tftp.packet import Ack, Data, Mode, ReadRequest

PLACES = 8
SIZE = 2000
"""Bytes: four blocks, and a flood between each two of them."""
FILES = RenderedFiles({"file": lambda *_: bytes(SIZE)})
REQUEST = ReadRequest("file", Mode.OCTET)
LIMITS = {"transfers": PLACES, "transfers_per_source": 1000, "unanswered_per_source": 1000}


async def flood(server, stack):
    """As many as there are places ask, and are never heard of again."""
    for _ in range(PLACES):
        silent = stack.enter_context(Client(server))
        silent.send(REQUEST)
        assert isinstance((await silent.receive())[0], Data), "it was taken in"


async def test_who_answers_finds_a_place_among_those_who_do_not_and_keeps_it():
    async with serving(FILES, **LIMITS) as (server, facts):
        with contextlib.ExitStack() as stack:
            real = stack.enter_context(Client(server))
            await flood(server, stack)
            real.send(REQUEST)
            packet, port = await real.receive()
            real.send(Ack(1), port)
            for block in (2, 3, 4):
                packet, _ = await real.receive()  # so the server has read the answer before
                assert packet.block == block
                await flood(server, stack)
                real.send(Ack(block), port)
            await facts.until(lambda facts: any(isinstance(fact, TftpFinished) for fact in facts))
            reasons = {fact.reason for fact in facts if isinstance(fact, TftpFailed)}
            assert reasons == {"nobody answered, and another client waits"}


async def test_places_that_are_all_in_use_are_nobody_elses():
    async with serving(FILES, **LIMITS) as (server, facts):
        with contextlib.ExitStack() as stack:
            busy = [stack.enter_context(Client(server)) for _ in range(PLACES)]
            late = stack.enter_context(Client(server))
            ports = []
            for client in busy:
                client.send(REQUEST)
                _, port = await client.receive()
                client.send(Ack(1), port)
                ports.append(port)
                await client.receive()
            late.send(REQUEST)
            late.send(b"\0\1garbage")
            assert (await late.receive())[0].code == 4, "and the request before that was dropped"
            with pytest.raises(BlockingIOError):
                late.socket.recv(1000)
            busy[0].send(Ack(2), ports[0])
            assert (await busy[0].receive())[0].block == 3, "it goes on"
            assert facts == []
