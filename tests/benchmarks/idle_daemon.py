"""What the daemon costs while two machines are idle and nobody asks for anything."""

import asyncio

import psutil

from appliance.errors import ApplianceError
from tests.benchmarks.bench import Bench, say
from tests.benchmarks.figure import Figure

SECONDS = 60
MOST_MEGABYTES = 80
MOST_PERCENT = 1


async def measure(bench: Bench) -> list[Figure]:
    """Resident memory, and processor time over ``SECONDS``, of the daemon's process."""
    async with asyncio.TaskGroup() as group:
        for operator in bench.operators:
            group.create_task(operator.become_idle())
    daemon = _find(str(bench.lab.directory.config))
    say(f"watching the daemon for {SECONDS} s")
    before = _processor_seconds(daemon)
    await asyncio.sleep(SECONDS)
    percent = (_processor_seconds(daemon) - before) / SECONDS * 100
    megabytes = daemon.memory_info().rss / 1e6
    whose = f"{len(bench.operators)} idle machines, {SECONDS} s"
    return [
        Figure("idle-daemon", "memory of the daemon (RSS)", megabytes, "MB", MOST_MEGABYTES, whose),
        Figure("idle-daemon", "processor time of the daemon", percent, "% of a core", MOST_PERCENT, whose),
    ]


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _find(config: str) -> psutil.Process:
    """The process that serves ``config``; its number inside the lab means nothing out here."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "serve" in words and config in words:
            return process
    raise ApplianceError("bench-daemon", "the lab's daemon is not running")
