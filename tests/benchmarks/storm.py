"""A thousand computers that are switched on within ten seconds, and what their bytes alone take over nginx."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
RANGE = "10.77.1.0-10.77.15.255"
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


async def measure() -> list[Figure]:
    """Both, interleaved; the daemon with an empty state every time: it has never seen one of the machines."""
    bytes_alone, whole, peaks, delays = [], [], [], []
    with arena() as where:
        for number in range(ROUNDS):
            bytes_alone.append((await _bytes_alone(where))["seconds"])
            outcome, peak = await _storm(where)
            say(f"round {number + 1}: {outcome['seconds']:.1f} s, over nginx {bytes_alone[-1]:.1f} s, {peak:.0f} MB")
            whole.append(outcome["seconds"])
            peaks.append(peak)
            delays.append(outcome["dhcp_p99"])
    what, detail = f"{MACHINES} computers switched on in {WITHIN:.0f} s", f"{whole} s; over nginx {bytes_alone} s"
    ratio = median(whole) / median(bytes_alone)
    return [
        Figure(NAME, f"{what}: time per that of the bytes", ratio, "", MOST_RATIO, detail),
        Figure(NAME, f"{what}: memory of the daemon", max(peaks), "MB", MOST_MEGABYTES, "the highest of all rounds"),
        Figure(NAME, f"{what}: p99 of a DHCP exchange", median(delays), "s", MOST_DHCP, f"{delays}"),
    ]  # fmt: skip


async def _storm(where: Arena) -> tuple[dict[str, Any], float]:
    """What became of the hall, and the daemon's highest memory in MB; raises ApplianceError where one is not idle."""
    files = {
        "stack/vmlinuz": b"\0" * KERNEL,
        "stack/initrd": b"\0" * INITRD,
        "programs/undionly.kpxe": b"\0" * 72_000,
    }
    with TemporaryDirectory(prefix="bench-storm-") as directory:
        async with our_daemon(where, Path(directory), RANGE, files) as pid:
            watched = _Memory(pid)
            async with watched.watching():
                outcome = await _hall(where)
    if outcome["idle"] != MACHINES:
        raise ApplianceError("bench-storm", f"{MACHINES - outcome['idle']} are not idle: {outcome['failures']}")
    return outcome, watched.peak


async def _bytes_alone(where: Arena) -> dict[str, Any]:
    with TemporaryDirectory(prefix="bench-nginx-") as made:
        directory = Path(made)
        for name, size in (("vmlinuz", KERNEL), ("initrd", INITRD)):
            (directory / name).write_bytes(b"\0" * size)
        configuration = directory / "nginx.conf"
        configuration.write_text(_NGINX.format(directory=directory, server=SERVER))
        ready = ("curl", "--silent", "--fail", "--output", "/dev/null", "--head", f"http://{SERVER}/vmlinuz")
        argv = (sys.executable, KEEP_GROUPS, "nginx", "-c", str(configuration), "-e", "stderr")
        async with where.serving(*argv, ready=ready):
            urls = [f"http://{SERVER}/{name}" for name in ("vmlinuz", "initrd")]
            return await _hall(where, *(word for url in urls for word in ("--download", url)))


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
