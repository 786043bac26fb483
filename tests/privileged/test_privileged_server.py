"""The privileged helper with good, broken, strange and impatient clients."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import ClassVar

import pytest
from paper_computer import computer, raw, serving

import appliance
from appliance.errors import ApplianceError, Conflict, Denied, Invalid
from appliance.privileged import server as server_module
from appliance.privileged.client import Privileged
from appliance.privileged.server import AT_ONCE, Server
from appliance.privileged.table import ROWS, TABLE, changes, reads
from appliance.privileged.verb import Done, Verb, result_type
from appliance.privileged.verbs.power import Reboot
from appliance.privileged.wire import LARGEST_REQUEST
from tests.one_by_one import one_by_one


class Echo(Verb[str], frozen=True):
    """Says what it was told."""

    name: ClassVar[str] = "trial.echo"
    patience: ClassVar[float] = 2.0
    text: str = ""


class Long(Verb[Done], frozen=True):
    """Goes on until the test lets it end."""

    name: ClassVar[str] = "trial.long"


class Stoppable(Verb[Done], frozen=True):
    """The same, and may be left."""

    name: ClassVar[str] = "trial.stoppable"


class World:
    """The trial verbs, and what became of them."""

    def __init__(self) -> None:
        self.begun, self.free = asyncio.Event(), asyncio.Event()
        self.log: list[str] = []
        rows = (
            reads(Echo, self.echo),
            changes(Long, self.long),
            changes(Stoppable, self.long, stops=True),
        )
        self.table = {row.verb.name: row for row in rows}

    async def echo(self, verb, on, tell):
        match verb.text:
            case "conflict":
                raise Conflict("trial-conflict", "no", "try", "text")
            case "defect":
                raise RuntimeError("secret words")
            case "silent":
                await asyncio.Event().wait()
            case "large":
                return "x" * 1_000_000
        tell(0.5, "half")
        if verb.text == "later":
            await self.free.wait()
        return verb.text

    async def long(self, verb, on, tell):
        self.log.append(f"{verb.name} begins")
        self.begun.set()
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.log.append(f"{verb.name} stopped")
            raise
        self.log.append(f"{verb.name} ends")
        return Done()


@pytest.fixture
def world():
    return World()


@pytest.fixture
async def client(world, tmp_path):
    on, _ = computer(tmp_path)
    async with serving(tmp_path, on, world.table) as made:
        yield made
        world.free.set()


async def test_a_call_has_its_progress_and_its_result(client):
    heard = []
    assert await client.call(Echo("word"), lambda *each: heard.append(each)) == "word"
    assert heard == [(0.5, "half")]


async def test_an_error_arrives_as_it_was_raised(client):
    with pytest.raises(Conflict) as caught:
        await client.call(Echo("conflict"))
    assert (caught.value.code, caught.value.message, caught.value.hint, caught.value.field) == (
        "trial-conflict", "no", "try", "text",
    )  # fmt: skip


async def test_a_defect_is_said_without_its_words_and_ends_nothing(client):
    with pytest.raises(ApplianceError) as caught:
        await client.call(Echo("defect"))
    assert caught.value.code == "helper-failed"
    assert "secret" not in caught.value.message
    assert await client.call(Echo("still here")) == "still here"


async def test_a_large_answer_arrives_whole(client):
    assert len(await client.call(Echo("large"))) == 1_000_000


async def test_a_silent_helper_is_not_waited_for_for_ever(client):
    with pytest.raises(ApplianceError) as caught:
        await client.call(Echo("silent"))
    assert caught.value.code == "helper-silent"


BROKEN = {
    b"nonsense\n": "request-broken",
    b"\xff\xfe\n": "request-broken",
    b"[1]\n": "request-broken",
    b"null\n": "request-broken",
    b"\n": "request-broken",
    b'{"verb": 7}\n': "request-broken",
    b'{"args": {}}\n': "request-broken",
    b'{"verb": "trial.echo", "more": 1}\n': "request-broken",
    b'{"verb": "trial.echo", "args": {"text": 7}}\n': "request-broken",
    b'{"verb": "trial.echo", "args": {"other": "x"}}\n': "request-broken",
    b'{"verb": "trial.echo", "args": []}\n': "request-broken",
    b'{"verb": "trial.echo", "args": ' + b"[" * 30_000 + b"}\n": "request-broken",
    b'{"verb": "trial.unknown"}\n': "verb-unknown",
    b'{"verb": "../../bin/sh"}\n': "verb-unknown",
    b'{"verb": "trial.echo", "args": {"text": "' + b"x" * LARGEST_REQUEST + b'"}}\n': "request-too-large",
}


async def test_what_cannot_be_read_is_refused_and_the_next_is_served(client, tmp_path):
    for said, code in BROKEN.items():
        answer = json.loads(await raw(tmp_path / "helper.sock", said))
        assert answer["error"]["code"] == code, said[:60]
        assert await client.call(Echo("next")) == "next"


async def test_half_a_request_is_waited_for_and_then_refused(client, tmp_path, monkeypatch):
    monkeypatch.setattr(server_module, "PATIENCE_SECONDS", 0.2)
    answer = json.loads(await raw(tmp_path / "helper.sock", b'{"verb": "trial.echo"'))
    assert answer["error"]["code"] == "request-slow"


async def test_who_ends_in_the_middle_of_a_request_or_says_nothing_hears_nothing(client, tmp_path):
    assert await raw(tmp_path / "helper.sock", b'{"verb": "tri', close=True) == b""
    assert await raw(tmp_path / "helper.sock", b"", close=True) == b""
    assert await client.call(Echo("next")) == "next"


async def ask_and_go(client, world, verb):
    """Close the connection while the verb goes on."""
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(client.call(verb))
        await world.begun.wait()
        asked.cancel()
    world.begun.clear()


async def test_a_change_is_carried_to_its_end_when_who_asked_has_gone(client, world):
    await ask_and_go(client, world, Long())
    assert await client.call(Echo("meanwhile")) == "meanwhile"
    world.free.set()
    await client.call(Long())
    assert world.log == ["trial.long begins", "trial.long ends"] * 2


async def test_what_may_be_left_is_stopped_when_who_asked_has_gone(client, world):
    await ask_and_go(client, world, Stoppable())
    async with asyncio.TaskGroup() as group:
        group.create_task(client.call(Long()))
        await world.begun.wait()
        world.free.set()
    assert world.log == ["trial.stoppable begins", "trial.stoppable stopped", "trial.long begins", "trial.long ends"]


async def test_two_changes_of_one_area_never_go_on_together(client, world):
    async with asyncio.TaskGroup() as group:
        group.create_task(client.call(Long()))
        group.create_task(client.call(Long()))
        await world.begun.wait()
        assert await client.call(Echo("a look")) == "a look"
        assert world.log == ["trial.long begins"]
        world.free.set()
    assert world.log == ["trial.long begins", "trial.long ends"] * 2


async def test_too_many_calls_are_refused_and_room_comes_back(client, world):
    going_on = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(client.call(Echo("later"), lambda *_: going_on.release()))
        for _ in range(AT_ONCE):
            await going_on.acquire()
        with pytest.raises(Conflict) as caught:
            await client.call(Echo("one more"))
        assert caught.value.code == "helper-busy"
        world.free.set()
    assert await client.call(Echo("room")) == "room"


async def test_another_user_is_refused_before_anything_is_read(world, tmp_path):
    on, _ = computer(tmp_path)
    async with serving(tmp_path, on, world.table, users=frozenset({54321})) as client:
        with pytest.raises(Denied) as caught:
            await client.call(Echo("word"))
    assert caught.value.code == "peer-refused"


async def test_the_client_says_where_there_is_no_helper(tmp_path):
    for path in (tmp_path / "nothing.sock", tmp_path):
        with pytest.raises(ApplianceError) as caught:
            await Privileged(path).call(Reboot())
        assert caught.value.code == "helper-missing"
        assert "not a flashed appliance" in caught.value.message
        assert not Privileged(path).here


async def test_a_helper_that_failed_is_no_other_kind_of_computer(tmp_path):
    path = tmp_path / "helper.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
    with pytest.raises(ApplianceError, match="does not run") as caught:
        await Privileged(path).call(Reboot())
    assert caught.value.code == "helper-down"
    assert "not a flashed appliance" not in str(caught.value)


async def test_the_client_sends_no_more_than_the_helper_takes(tmp_path):
    with pytest.raises(Invalid, match="at most"):
        await Privileged(tmp_path / "x").call(Echo("x" * LARGEST_REQUEST))


@pytest.mark.parametrize(
    ("last_words", "code"),
    [
        (b"", "helper-gone"),
        (b'{"progress": 0.1, "message": "x"}\n', "helper-gone"),
        (b'{"result": "wo', "helper-gone"),
        (b"nonsense\n", "helper-broken"),
        (b'{"result": 7}\n', "helper-broken"),
        (b'{"error": "x"}\n', "helper-broken"),
    ],
)
async def test_a_helper_without_a_whole_answer_is_said_to_be_gone_or_broken(tmp_path, last_words, code):
    """Gone, as after kill -9, where the kernel closes the connection; broken, where it is no answer of ours."""

    async def answer(reader, writer):
        await reader.readline()
        writer.write(last_words)
        writer.close()

    path = tmp_path / "helper.sock"
    async with await asyncio.start_unix_server(answer, str(path)):
        with pytest.raises(ApplianceError) as caught:
            await Privileged(path).call(Echo("word"))
    assert caught.value.code == code


async def test_it_ends_when_nobody_calls_and_not_before(world, tmp_path):
    on, _ = computer(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "helper.sock"))
        listening.listen()
        listening.setblocking(False)
        server = Server(on, frozenset({os.getuid()}), world.table)
        async with asyncio.TaskGroup() as group:
            serving_it = group.create_task(server.serve(listening, idle=0.05))
            call = group.create_task(Privileged(tmp_path / "helper.sock").call(Long()))
            await world.begun.wait()
            await asyncio.wait([serving_it], timeout=0.3)
            assert not serving_it.done(), "a call goes on"
            world.free.set()
            await call
    assert world.log[-1] == "trial.long ends"


@one_by_one(ROWS)
def test_every_verb_names_itself_and_its_result(row):
    assert TABLE[row.verb.name] is row, "two verbs have one name"
    area, _, word = row.verb.name.partition(".")
    assert area, word
    assert row.verb.__module__.startswith("appliance.privileged.verbs.")
    assert row.act.__module__ == f"appliance.privileged.{row.verb.__module__.rpartition('.')[2]}"
    assert result_type(row.verb) is not None
    assert row.verb.__struct_config__.forbid_unknown_fields
    assert row.verb.__struct_config__.frozen


COMPOSED = {"config-syntax", "config-invalid"}
"""Codes that begin with the family of what was read (toml_sections.py)."""


@cache
def raised():
    """Every word in the code that may be the code of an error."""
    package = Path(appliance.__file__).parent
    return {word for path in package.rglob("*.py") for word in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', path.read_text())}


@one_by_one(ROWS)
def test_what_a_verb_says_that_it_raises_is_raised_somewhere(row):
    named = set(re.findall(r"``([a-z]+(?:-[a-z]+)+)``", row.verb.__doc__))
    assert named <= raised() | COMPOSED


def test_the_process_answers_and_ends_when_it_is_told(tmp_path):
    """`qrm helper` itself, with a socket of its own: refuses what it does not know, and ends at SIGTERM."""
    path = tmp_path / "helper.sock"
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    argv = [sys.executable, "-m", "appliance", "helper", "--socket", str(path), "--user", user]
    process = subprocess.Popen(argv, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr is not None
        while "serves" not in process.stderr.readline():
            assert process.poll() is None
        answer = asyncio.run(raw(path, b'{"verb": "power.explode"}\n'))
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert json.loads(answer)["error"]["code"] == "verb-unknown"
    assert process.returncode == 0
