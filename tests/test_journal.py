"""Log lines to a journal of the test's own, and as text; with the machine that they are about."""

import asyncio
import logging
import os
import select
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from appliance import journal
from appliance.about import about, current, identified
from appliance.journal import JournalHandler, TextFormatter, cleaned, is_connected
from appliance.netboot.whose import known_by_address

HOSTILE = "web\n<3>ERROR appliance: forged\x1b[2J\u202e\u2028\x00end"


class Journal:
    """What listens instead of systemd-journald, and reads its protocol."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(10)
        self._socket.bind(str(path))

    def entry(self) -> dict[str, str]:
        """The next entry."""
        data, descriptors, _, _ = socket.recv_fds(self._socket, 1 << 20, 1)
        for descriptor in descriptors:
            with open(descriptor, "rb") as file:
                file.seek(0)
                data = file.read()
        return parsed(data)

    def close(self) -> None:
        self._socket.close()


def parsed(data: bytes) -> dict[str, str]:
    """Fields of an entry, read as https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ says."""
    fields: dict[str, str] = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", rest)
            value, data = rest[8 : 8 + length], rest[8 + length + 1 :]
        else:
            data = rest
        assert name.decode() not in fields
        fields[name.decode()] = value.decode()
    return fields


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "socket")
    yield made
    made.close()


@pytest.fixture
def log(listening: Journal) -> Iterator[logging.Logger]:
    """A logger that speaks to that journal, and what it does not take to ``kept``."""
    logger = logging.getLogger("appliance.test_journal")
    logger.propagate = False
    handler = JournalHandler(listening.path, Kept())
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    logger.propagate = True
    handler.close()


class Kept(logging.Handler):
    """Keeps what it is given."""

    lines: list[str] = []  # noqa: RUF012 - emptied by the one test that reads it

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_fields(listening: Journal, log: logging.Logger) -> None:
    with about("m-17"):
        log.warning("%s is %s", "node-1", "gone")
    entry = listening.entry()
    assert entry.pop("CODE_FILE") == __file__
    assert int(entry.pop("CODE_LINE")) > 1
    assert entry == {
        "MESSAGE": "node-1 is gone", "PRIORITY": "4", "SYSLOG_IDENTIFIER": "qrm", "LOGGER": "appliance.test_journal",
        "CODE_FUNC": "test_fields", "MACHINE": "m-17",
    }  # fmt: skip


@pytest.mark.parametrize(("level", "priority"), [(10, "7"), (20, "6"), (30, "4"), (40, "3"), (50, "2")])
def test_priorities(listening: Journal, log: logging.Logger, level: int, priority: str) -> None:
    log.setLevel(logging.DEBUG)
    log.log(level, "text")
    entry = listening.entry()
    assert entry["PRIORITY"] == priority
    assert "MACHINE" not in entry


def test_a_traceback_is_one_entry(listening: Journal, log: logging.Logger) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception("answering %s failed", HOSTILE)
    message = listening.entry()["MESSAGE"]
    first, *others = message.split("\n")
    assert first == f"answering {cleaned(HOSTILE)} failed"
    assert others[0] == "Traceback (most recent call last):"
    assert all(line.isprintable() for line in message.split("\n"))


@pytest.mark.parametrize("characters", [10, 60_000, 500_000])
def test_long_lines(listening: Journal, log: logging.Logger, characters: int) -> None:
    log.info("x" * characters)
    assert listening.entry()["MESSAGE"].rstrip("…") == "x" * min(characters, journal.LONGEST)


def test_what_is_too_large_for_a_datagram_goes_as_a_file(
    listening: Journal, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LONGEST", 20 << 20)
    log.info("y" * (10 << 20))
    assert len(listening.entry()["MESSAGE"]) == 10 << 20


def test_a_journal_that_restarts_loses_nothing(tmp_path: Path, listening: Journal, log: logging.Logger) -> None:
    Kept.lines.clear()
    log.info("before")
    listening.close()
    listening.path.unlink()
    log.info("meanwhile")
    again = Journal(tmp_path / "socket")
    log.info("after")
    assert again.entry()["MESSAGE"] == "after"
    assert Kept.lines == ["meanwhile"]
    again.close()


def test_a_journal_that_does_not_read_keeps_nobody_waiting(listening: Journal, log: logging.Logger) -> None:
    Kept.lines.clear()
    for number in range(5000):
        log.info("line %d", number)
    assert listening.entry()["MESSAGE"] == "line 0"
    log.info("there is room again")
    while "room" not in (message := listening.entry()["MESSAGE"]):
        assert message.startswith("line ")
    assert "lines before this one were lost" in message
    assert Kept.lines == []


def test_a_stderr_that_nobody_reads_keeps_nobody_waiting_either(tmp_path: Path, log: logging.Logger) -> None:
    """While the journal is away its stream fills up."""
    ours, reader = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    otherwise = Kept()
    otherwise.stream = ours
    Kept.lines.clear()
    handler = JournalHandler(tmp_path / "nobody", otherwise)
    log.handlers = [handler]
    with ours, reader:
        log.info("there is room")
        with suppress(BlockingIOError):
            while ours.send(bytes(4096)):
                continue
        log.info("it would wait")
        while select.select([reader], [], [], 0)[0]:
            reader.recv(1 << 20)
        log.info("there is room again")
    assert Kept.lines == ["there is room", "there is room again"]


def test_only_a_stderr_that_is_the_journals_counts(tmp_path: Path) -> None:
    with open(tmp_path / "stream", "w") as stream, open(tmp_path / "other", "w") as other:
        found = os.fstat(stream.fileno())
        environment = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert is_connected(environment, stream.fileno())
        assert not is_connected(environment, other.fileno())
        for wrong in ({}, {"JOURNAL_STREAM": "x:y"}, {"JOURNAL_STREAM": "1"}, {"JOURNAL_STREAM": "²:³"}):
            assert not is_connected(wrong, stream.fileno())


def _record(message: str, *arguments: object, raised: bool = False) -> logging.LogRecord:
    info = None
    if raised:
        try:
            raise RuntimeError(HOSTILE)
        except RuntimeError:
            info = sys.exc_info()
    return logging.LogRecord("appliance.x", logging.ERROR, __file__, 1, message, arguments, info)


def test_text_is_one_line_with_the_machine_at_its_end() -> None:
    formatter = TextFormatter()
    assert formatter.format(_record("%s", "plain")) == "ERROR appliance.x: plain"
    with about("m-17"):
        line = formatter.format(_record("%s calls", HOSTILE))
    assert line == f"ERROR appliance.x: {cleaned(HOSTILE)} calls machine=m-17"
    assert line.isprintable()


def test_nothing_in_a_traceback_looks_like_a_line_of_its_own() -> None:
    first, *others = TextFormatter().format(_record("failed", raised=True)).split("\n")
    assert first == "ERROR appliance.x: failed"
    assert len(others) > 3
    assert all(line.startswith("    ") and line.isprintable() for line in others)


def test_a_call_with_wrong_arguments_is_still_told() -> None:
    assert "wrong %d" in TextFormatter().format(_record("wrong %d", "x"))


def test_cleaned() -> None:
    assert cleaned("Grüße, 機械 17") == "Grüße, 機械 17"
    assert cleaned("a\tb\x1b[2J\u202e") == "a\\tb\\x1b[2J\\u202e"
    assert cleaned("\udc80") == "\\udc80"


async def test_a_task_that_is_about_a_machine_stays_so() -> None:
    seen: list[str] = []

    async def later() -> None:
        await asyncio.sleep(0)
        seen.append(current())

    async with asyncio.TaskGroup() as tasks:
        with about("m1"):
            tasks.create_task(later())
            with about(None):
                seen.append(current())
        tasks.create_task(later())
        seen.append(current())
    assert seen == ["", "", "m1", ""]


async def test_lines_about_a_request_have_the_machine_that_sent_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what aiohttp itself says when a handler fails, and until the next request of the connection."""
    owners = ["m1", None]
    app = web.Application(middlewares=[known_by_address(lambda address: owners[0] if address == "127.0.0.1" else "?")])

    async def fail(_: web.Request) -> web.Response:
        raise RuntimeError("a defect")

    async def enlist(_: web.Request) -> web.Response:
        identified("m2")
        return web.Response(text=current())

    async def ask(_: web.Request) -> web.Response:
        return web.Response(text=current())

    app.add_routes([web.get("/fail", fail), web.get("/enlist", enlist), web.get("/ask", ask)])
    lines: list[str] = []
    monkeypatch.setattr(caplog.handler, "emit", lambda record: lines.append(TextFormatter().format(record)))
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/fail")).status == 500
        assert await (await client.get("/ask")).text() == "m1"
        owners[0] = None
        assert await (await client.get("/enlist")).text() == "m2"
        assert await (await client.get("/ask")).text() == ""
    (failed,) = [line for line in lines if "a defect" in line]
    assert failed.split("\n")[0].endswith(" machine=m1")
