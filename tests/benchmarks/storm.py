"""A thousand computers that are switched on within ten seconds, and what their bytes alone take over nginx."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from appliance.errors import ApplianceError
from tests.benchmarks.arena import SERVER, Arena, arena
from tests.benchmarks.bench import say
from tests.benchmarks.daemons import our_daemon
from tests.benchmarks.figure import Figure
from tests.benchmarks.tftp import KEEP_GROUPS

NAME = "storm"
MACHINES, WITHIN = 1000, 10.0
ROUNDS = 3
KERNEL, INITRD = 12 << 20, 75 << 20
"""Bytes, as our maintenance stack has them."""
RANGE, NETWORK = "10.77.64.0-10.77.79.255", "10.77.64.0/20"
MOST_RATIO, MOST_MEGABYTES, MOST_DHCP = 1.15, 250, 1.0
LOOK_SECONDS = 0.5
"""Between two looks at the daemon's memory."""
_NGINX = """
daemon off; worker_processes 1; user root; pid {directory}/nginx.pid; worker_rlimit_nofile 8192;
error_log {directory}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{ listen {server}:80; location / {{ root {directory}; }} }}
}}
"""


@dataclass(slots=True)
class Round:
    """One storm, and the same bytes over nginx, as the halls tell of them."""

    storm: dict[str, Any]
    alone: dict[str, Any]
    peak: float
    """The daemon's highest memory in MB."""
    busy: float
    """Processor time of the daemon in seconds."""
    busy_alone: float
    """Of nginx."""

    @property
    def words(self) -> str:
        """How it went, for who watches."""
        again = {what: count for what, count in self.storm["again"].items() if count}
        ours = f"{self.storm['seconds']:.1f} s with {self.busy:.1f} s of processor, the hall {self.storm['busy']:.1f}"
        nginx = f"{self.alone['seconds']:.1f} s with {self.busy_alone:.1f} s, the hall {self.alone['busy']:.1f}"
        whole = f"{self.peak:.0f} MB, {self.storm['idle']} idle, asked again: {again or 'nothing'}"
        return "; ".join([ours, f"over nginx {nginx}", whole, *self.storm["failures"]])


async def measure() -> list[Figure]:
    """Both, interleaved; the daemon with an empty state every time: it has never seen one of the machines."""
    rounds = []
    with arena() as where:
        await where.behind_one(NETWORK)
        for number in range(ROUNDS):
            rounds.append(await _round(where))
            say(f"round {number + 1}: {rounds[-1].words}")
    return figures(rounds)


def figures(rounds: Sequence[Round]) -> list[Figure]:
    """Medians of times, the worst of the rest."""
    whole, alone = [each.storm["seconds"] for each in rounds], [each.alone["seconds"] for each in rounds]
    delays, missing = [each.storm["dhcp_p99"] for each in rounds], [MACHINES - each.storm["idle"] for each in rounds]
    beside = [each.busy - each.busy_alone for each in rounds]
    what = f"{MACHINES} computers switched on in {WITHIN:.0f} s"
    detail = f"{_listed(whole)} s; over nginx {_listed(alone)} s"
    failures = [failure for each in rounds for failure in each.storm["failures"]]
    return [
        Figure(NAME, f"{what}: not idle in the end", max(missing), "", 0, "; ".join(failures)),
        Figure(NAME, f"{what}: time per that of the bytes", median(whole) / median(alone), "", MOST_RATIO, detail),
        Figure(NAME, f"{what}: memory of the daemon", max(each.peak for each in rounds), "MB", MOST_MEGABYTES),
        Figure(NAME, f"{what}: p99 of a DHCP exchange", median(delays), "s", MOST_DHCP, _listed(delays)),
        Figure(NAME, f"{what}: processor time beside the bytes", median(beside), "s", None, _listed(beside)),
    ]  # fmt: skip


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


async def _round(where: Arena) -> Round:
    storm, peak, busy = await _storm(where)
    # The stack has our agent in it: nginx is asked for files of the very sizes.
    alone, busy_alone = await _bytes_alone(where, (KERNEL, storm["octets"] // max(1, storm["idle"]) - KERNEL))
    if storm["idle"] == MACHINES and storm["octets"] != alone["octets"]:
        raise ApplianceError("bench-storm", f"{storm['octets']} octets are compared with {alone['octets']} over nginx")
    return Round(storm, alone, peak, busy, busy_alone)


async def _storm(where: Arena) -> tuple[dict[str, Any], float, float]:
    """What became of the hall; the daemon's highest memory in MB, and its processor time."""
    files = {
        "stack/vmlinuz": b"\0" * KERNEL,
        "stack/initrd": b"\0" * INITRD,
        "programs/undionly.kpxe": b"\0" * 72_000,
    }
    with TemporaryDirectory(prefix="bench-storm-") as directory:
        async with our_daemon(where, Path(directory), RANGE, files) as pid:
            watched = _Memory(pid)
            before = busy_seconds(pid)
            async with watched.watching():
                outcome = await _hall(where)
            return outcome, watched.peak, busy_seconds(pid) - before


def busy_seconds(pid: int) -> float:
    """Processor time of a process and of those that it started."""
    process = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))


async def _bytes_alone(where: Arena, sizes: tuple[int, int]) -> tuple[dict[str, Any], float]:
    with TemporaryDirectory(prefix="bench-nginx-") as made:
        directory = Path(made)
        for name, size in zip(("vmlinuz", "initrd"), sizes, strict=True):
            (directory / name).write_bytes(b"\0" * size)
        configuration = directory / "nginx.conf"
        configuration.write_text(_NGINX.format(directory=directory, server=SERVER))
        ready = ("curl", "--silent", "--fail", "--output", "/dev/null", "--head", f"http://{SERVER}/vmlinuz")
        argv = (sys.executable, KEEP_GROUPS, "nginx", "-c", str(configuration), "-e", "stderr")
        async with where.serving(*argv, ready=ready) as pid:
            before = busy_seconds(pid)
            urls = [f"http://{SERVER}/{name}" for name in ("vmlinuz", "initrd")]
            outcome = await _hall(where, *(word for url in urls for word in ("--download", url)))
            return outcome, busy_seconds(pid) - before


async def _hall(where: Arena, *more: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "tests.benchmarks.simulated", "--machines", str(MACHINES), "--within", str(WITHIN)]
    said = json.loads(await where.ask(*argv, *more))
    assert isinstance(said, dict)
    return said


class _Memory:
    """The highest memory of a process, in MB (RSS)."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.peak = 0.0

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """For the length of the block."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._watch())
            try:
                yield
            finally:
                task.cancel()

    async def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, self._process.memory_info().rss / 1e6)
            await asyncio.sleep(LOOK_SECONDS)
