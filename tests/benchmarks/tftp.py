"""MB/s that TFTP servers give to 1, 8 and 32 clients at once, all for the same file; and what DHCP feels of it.

The clients are curl, one block at a time; with windows of 16 blocks one of ours (`windows.py`), since curl knows
no windows. Each has an address of its own, as machines have.
"""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks.arena import PREFIX, SERVER, Arena, arena
from tests.benchmarks.bench import say
from tests.benchmarks.daemons import our_daemon
from tests.benchmarks.figure import Figure
from tests.benchmarks.perfdhcp import late

NAME = "tftp"
SIZE = 32 << 20
COUNTS = (1, 8, 32)
BLOCK, WINDOW = 1428, 16
ROUNDS = 3
MOST, MOST_WINDOWED = 1.0, 1 / 3
"""The better peer's rate per ours; the same with windows on our side only."""
DHCP_RATE, DHCP_SECONDS = 200, 5
RANGE = "10.77.128.0-10.77.200.0"
KEEP_GROUPS = str(Path(__file__).with_name("keep_groups.py"))
WINDOWS = str(Path(__file__).with_name("windows.py"))
Serving = Callable[[Arena, Path], AbstractAsyncContextManager[int]]
Fetch = Callable[[Arena, Sequence[str]], Awaitable[float]]
"""Fetches the file once for each address, all at once; the seconds that it took."""


@dataclass(frozen=True, slots=True)
class Way:
    """One server, asked in one way."""

    name: str
    serving: Serving
    fetch: Fetch


async def measure() -> list[Figure]:
    """Interleaved, one round after the other."""
    found: dict[tuple[str, int], list[float]] = {}
    with arena() as where, TemporaryDirectory(prefix="bench-tftp-") as directory:
        _give_addresses(where, max(COUNTS))
        for number in range(ROUNDS):
            for way in WAYS:
                async with way.serving(where, _filled(Path(directory))):
                    for count in COUNTS:
                        addresses = [_address(number) for number in range(count)]
                        rate = count * SIZE / await way.fetch(where, addresses) / 1e6
                        found.setdefault((way.name, count), []).append(rate)
                        say(f"round {number + 1}: {way.name} gives {count} clients {rate:.0f} MB/s")
        alone = await _dhcp_beside(where, _filled(Path(directory)), [])
        beside = await _dhcp_beside(where, _filled(Path(directory)), [_address(each) for each in range(max(COUNTS))])
    rates = {key: median(values) for key, values in found.items()}
    detail = f"{DHCP_RATE} exchanges a second; {alone * 1000:.0f} ms without these clients"
    says = f"p99 of DHCP beside {max(COUNTS)} TFTP clients"
    return [*figures(rates), Figure(NAME, says, beside * 1000, "ms", None, detail)]


def figures(rates: dict[tuple[str, int], float]) -> list[Figure]:
    """From the MB/s of each way with so many clients."""
    made = []
    for count in COUNTS:
        better = max(rates["dnsmasq", count], rates["tftpd-hpa", count])
        detail = ", ".join(f"{way.name} {rates[way.name, count]:.0f} MB/s" for way in WAYS)
        for name, what, most in (("ours", "", MOST), ("ours in windows", f" in windows of {WINDOW}", MOST_WINDOWED)):
            says = f"TFTP, {count} clients: the better peer's rate per ours{what}"
            made.append(Figure(NAME, says, better / rates[name, count], "", most, detail))
    return made


async def _by_curl(where: Arena, addresses: Sequence[str]) -> float:
    """From the start of the first to the end of the last."""
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for address in addresses:
            group.create_task(where.ask(*_curl(address)))
    return time.perf_counter() - begun


async def _in_windows(where: Arena, addresses: Sequence[str]) -> float:
    argv = [sys.executable, WINDOWS, SERVER, "big", str(BLOCK), str(WINDOW)]
    return float(await where.ask(*argv, *addresses))


async def _dhcp_beside(where: Arena, directory: Path, addresses: Sequence[str]) -> float:
    """Seconds that 99 of 100 answers take at most while these fetch without end."""
    async with _ours(where, directory), asyncio.TaskGroup() as group:
        transfers = [group.create_task(_again(where, address)) for address in addresses]
        base = f"mac=02:{secrets.token_bytes(3).hex(':')}:00:00"
        argv = ["perfdhcp", "-4", "-r", str(DHCP_RATE), "-R", "60000", "-p", str(DHCP_SECONDS), "-b", base]
        said = await where.ask(*argv, "-W", "1000000", "-x", "t", SERVER, codes=(0, 3))
        for each in transfers:
            each.cancel()
    return late(said)


async def _again(where: Arena, address: str) -> None:
    """Fetch until cancelled; a transfer that is going on then ends by itself. It gives way to who asks by DHCP."""
    while True:
        await where.ask("nice", "-n", "19", *_curl(address))


def _filled(directory: Path) -> Path:
    file = directory / "programs" / "big"
    if not file.exists():
        file.parent.mkdir()
        file.write_bytes(os.urandom(SIZE))
    return directory


def _give_addresses(where: Arena, count: int) -> None:
    for number in range(count):
        argv = ["ip", "address", "add", f"{_address(number)}/{PREFIX}", "dev", "eth0"]
        subprocess.run(where.as_client(*argv), check=True, timeout=20)


def _address(number: int) -> str:
    return f"10.77.1.{number + 1}"


def _curl(address: str) -> list[str]:
    argv = ["curl", "--silent", "--show-error", "--interface", address, "--tftp-blksize", str(BLOCK)]
    return [*argv, "--output", "/dev/null", f"tftp://{SERVER}/big"]


@asynccontextmanager
async def _ours(where: Arena, directory: Path) -> AsyncIterator[int]:
    async with our_daemon(where, directory, RANGE) as pid:
        yield pid


@asynccontextmanager
async def _dnsmasq(where: Arena, directory: Path) -> AsyncIterator[int]:
    as_root = ["--user=root", "--group=root", "--pid-file=", "--log-facility=/dev/null"]
    root = f"--tftp-root={directory / 'programs'}"
    argv = [
        sys.executable,
        KEEP_GROUPS,
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--port=0",
        "--enable-tftp",
        root,
    ]
    async with where.serving(*argv, f"--tftp-max={2 * max(COUNTS)}", *as_root, ready=_ready()) as pid:
        yield pid


@asynccontextmanager
async def _tftpd_hpa(where: Arena, directory: Path) -> AsyncIterator[int]:
    argv = ["in.tftpd", "--foreground", "--listen", "--address", f"{SERVER}:69", "--secure", "--user", "root"]
    groups = [sys.executable, KEEP_GROUPS]
    async with where.serving(*groups, *argv, str(directory / "programs"), ready=_ready()) as pid:
        yield pid


def _ready() -> Sequence[str]:
    """Succeeds where a server says that there is no such file."""
    asks = f"curl --silent --max-time 2 --output /dev/null tftp://{SERVER}/none; test $? = 68"
    return ("sh", "-c", asks)


WAYS = (
    Way("ours", _ours, _by_curl),
    Way("dnsmasq", _dnsmasq, _by_curl),
    Way("tftpd-hpa", _tftpd_hpa, _by_curl),
    Way("ours in windows", _ours, _in_windows),
)
