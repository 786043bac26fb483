"""``python -m tests.benchmarks.simulated.polls FILE SERVER``: agents that wait for work, each as the real one does.

FILE is a JSON list of poll ids. One JSON object on standard output at the end: polls answered and failed, agents lost.
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

from appliance.agent.poll import TIMEOUT
from tests.benchmarks.simulated.agent import wait_for_work
from tests.benchmarks.simulated.http import Line

FIRST = IPv4Address("10.77.64.1")
SPREAD = 45.0
"""Seconds in which they begin: machines are idle since some other time each."""


async def _agent(number: int, start: float, poll: str, server: str, seen: Counter[str]) -> None:
    """Nothing is to be done: one that is told to come, or that nobody knows, is lost."""
    await asyncio.sleep(start)
    await wait_for_work(Line(str(FIRST + number), f"http://{server}", TIMEOUT), f"/poll/{poll}", seen)
    seen["lost"] += 1


async def _hall(polls: list[str], server: str, seconds: float) -> Counter[str]:
    seen: Counter[str] = Counter(answered=0, failed=0, lost=0)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for number, poll in enumerate(polls):
                group.create_task(_agent(number, number * SPREAD / len(polls), poll, server, seen))
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
