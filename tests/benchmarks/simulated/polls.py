"""``python -m tests.benchmarks.simulated.polls FILE SERVER``: agents that wait for work, each as the real one does.

FILE is a JSON list of poll ids. One JSON object on standard output at the end: polls answered and failed.
"""

import asyncio
import contextlib
import json
import resource
import sys
from collections import Counter
from ipaddress import IPv4Address
from pathlib import Path

import click
import uvloop

FIRST = IPv4Address("10.77.64.1")
SPREAD = 45.0
"""Seconds in which they begin: machines are idle since some other time each."""
BREATH = 0.25
QUIET = b"wait\n"


async def _agent(number: int, poll: str, server: str, seen: Counter[str]) -> None:
    """Ask, wait for the answer, breathe, ask again; over one connection as long as it holds."""
    await asyncio.sleep(number * SPREAD / 10_000)
    while True:
        try:
            reader, writer = await asyncio.open_connection(server, 80, local_addr=(str(FIRST + number), 0), limit=4096)
            with contextlib.closing(writer):
                await _polls(reader, writer, f"GET /poll/{poll} HTTP/1.1\r\nHost: {server}\r\n\r\n".encode(), seen)
        except (OSError, asyncio.IncompleteReadError):
            seen["failed"] += 1
        await asyncio.sleep(BREATH)


async def _polls(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, seen: Counter[str]
) -> None:
    while True:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(len(QUIET))
        seen["answered" if head.startswith(b"HTTP/1.1 200") and body == QUIET else "failed"] += 1
        await asyncio.sleep(BREATH)


async def _hall(polls: list[str], server: str, seconds: float) -> Counter[str]:
    seen: Counter[str] = Counter(answered=0, failed=0)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for number, poll in enumerate(polls):
                group.create_task(_agent(number, poll, server, seen))
    return seen


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.argument("server")
@click.option("--seconds", type=float, default=100.0)
def main(file: Path, server: str, seconds: float) -> None:
    """Wait for work with many machines."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    json.dump(uvloop.run(_hall(json.loads(file.read_text()), server, seconds)), sys.stdout)


if __name__ == "__main__":
    main()
