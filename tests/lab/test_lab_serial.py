"""The serial port between a machine, its log and the consoles."""

import asyncio
import socket
from pathlib import Path

from appliance.lab.serial import BoundedLog, SerialPort, old, read_log


def test_a_log_stays_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log", limit=1000)
    for number in range(500):
        log.write(f"line {number:04d}\n".encode())
    log.close()
    assert (tmp_path / "log").stat().st_size <= 1000
    assert old(tmp_path / "log").stat().st_size <= 1000
    text = read_log(tmp_path / "log")
    assert text.endswith("line 0499\n")
    assert "line 0400" in text
    assert "line 0000" not in text


def test_one_write_above_the_limit_keeps_its_end(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log", limit=10)
    log.write(b"x" * 100 + b"end")
    log.close()
    assert (tmp_path / "log").read_bytes() == b"xxxxxxxend"


def test_no_log_yet_is_empty(tmp_path: Path) -> None:
    assert read_log(tmp_path / "none") == ""


async def _streams(end: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(sock=end)


async def test_consoles_see_the_machine_and_type_to_it(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log")
    port = SerialPort(log)
    line, guest = socket.socketpair()
    console_a, user_a = socket.socketpair()
    console_b, user_b = socket.socketpair()
    guest_reader, guest_writer = await _streams(guest)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(port.pump(*await _streams(line)))
        group.create_task(port.attach(*await _streams(console_a)))
        reader_a, writer_a = await _streams(user_a)
        writer_a.write(b"hello\n")
        assert await guest_reader.readline() == b"hello\n"
        guest_writer.write(b"login: ")
        assert await reader_a.readexactly(7) == b"login: "
        group.create_task(port.attach(*await _streams(console_b)))
        reader_b, writer_b = await _streams(user_b)
        assert await reader_b.readexactly(7) == b"login: ", "a late console is shown what was said last"
        for writer in (guest_writer, writer_a, writer_b):
            writer.close()
    log.close()
    assert read_log(tmp_path / "log") == "login: "


async def test_typing_to_a_machine_without_power_is_lost(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log")
    port = SerialPort(log)
    port.type(b"anybody there?\n")
    line, guest = socket.socketpair()
    console, user = socket.socketpair()
    guest_reader, guest_writer = await _streams(guest)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(port.pump(*await _streams(line)))
        group.create_task(port.attach(*await _streams(console)))
        user_reader, user_writer = await _streams(user)
        guest_writer.write(b"booted")
        assert await user_reader.readexactly(6) == b"booted", "the power is on"
        port.type(b"root\n")
        assert await guest_reader.readline() == b"root\n", "and nothing before it"
        for writer in (guest_writer, user_writer):
            writer.close()
    log.close()
