"""MB/s of boot HTTP to 16 connections of wrk, for one file of 32 MiB, against nginx with sendfile and one worker."""

import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from appliance.errors import ApplianceError
from tests.benchmarks.arena import SERVER, Arena, arena
from tests.benchmarks.bench import say
from tests.benchmarks.daemons import our_daemon
from tests.benchmarks.figure import Figure
from tests.benchmarks.tftp import KEEP_GROUPS

NAME = "http-boot"
SIZE = 32 << 20
CONNECTIONS, SECONDS, ROUNDS = 16, 8, 5
MOST = 1 / 0.95
URL = f"http://{SERVER}/boot/big"
UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9}
NGINX = """
daemon off; worker_processes 1; user root; pid {directory}/nginx.pid; error_log {directory}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{ listen {server}:80; location /boot/ {{ alias {directory}/programs/; }} }}
}}
"""
Serving = Callable[[Arena, Path], AbstractAsyncContextManager[int]]


async def measure() -> list[Figure]:
    """Interleaved, one round after the other."""
    found: dict[str, list[float]] = {name: [] for name in SERVERS}
    with arena() as where, TemporaryDirectory(prefix="bench-http-") as name:
        directory = Path(name)
        (directory / "programs").mkdir()
        (directory / "programs" / "big").write_bytes(os.urandom(SIZE))
        for number in range(ROUNDS):
            for server, serving in SERVERS.items():
                async with serving(where, directory):
                    rate = transferred(await where.ask("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", URL))
                found[server].append(rate)
                say(f"round {number + 1}: {server} gives {rate / 1e6:.0f} MB/s")
    rates = {server: median(values) / 1e6 for server, values in found.items()}
    detail = ", ".join(f"{server} {rate:.0f} MB/s" for server, rate in rates.items())
    return [Figure(NAME, "boot HTTP: nginx's rate per ours", rates["nginx"] / rates["ours"], "", MOST, detail)]


def transferred(said: str) -> float:
    """Bytes per second, out of what wrk prints."""
    found = re.search(r"Transfer/sec:\s+([\d.]+)(KB|MB|GB)", said)
    if found is None:
        raise ApplianceError("bench-wrk", f"wrk tells no rate: {said[-500:]}")
    return float(found[1]) * UNITS[found[2]]


@asynccontextmanager
async def _ours(where: Arena, directory: Path) -> AsyncIterator[int]:
    async with our_daemon(where, directory, "10.77.128.0-10.77.200.0") as pid:
        yield pid


@asynccontextmanager
async def _nginx(where: Arena, directory: Path) -> AsyncIterator[int]:
    configuration = directory / "nginx.conf"
    configuration.write_text(NGINX.format(directory=directory, server=SERVER))
    ready = ("curl", "--silent", "--fail", "--head", "--output", "/dev/null", URL)
    argv = [sys.executable, KEEP_GROUPS, "nginx", "-c", str(configuration), "-e", "stderr"]
    async with where.serving(*argv, ready=ready) as pid:
        yield pid


SERVERS: dict[str, Serving] = {"ours": _ours, "nginx": _nginx}
