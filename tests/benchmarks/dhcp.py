"""Four-way exchanges per second that each DHCP server completes, asked by perfdhcp, which plays a relay.

Ours is the whole daemon, whose acknowledgements wait for the disk; Kea (memfile) and dnsmasq write their files too,
without waiting until they are on it.
"""

import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.benchmarks.arena import SERVER, Arena, arena
from tests.benchmarks.bench import say
from tests.benchmarks.daemons import our_daemon
from tests.benchmarks.figure import Figure
from tests.benchmarks.perfdhcp import late, read_report

NAME = "dhcp"
SECONDS = 5
"""Of each look at one rate."""
LOST = 0.01
"""Share of exchanges that may be lost at a rate that a server is said to bear."""
FIRST_RATE, FINEST = 500, 0.05
"""Exchanges per second to begin with, and how near to the limit is near enough."""
ROUNDS = 3
MOST_OF_KEA, MOST_OF_DNSMASQ, MOST_P99 = 1 / 1.2, 1 / 10, 0.020
RANGE = "10.77.1.0-10.77.255.250"
CLIENTS = 60_000
Serving = Callable[[Arena, Path], AbstractAsyncContextManager[int]]


async def measure() -> list[Figure]:
    """Interleaved, one round after the other; each server with an empty state every time."""
    found: dict[str, list[float]] = {name: [] for name in SERVERS}
    waited: dict[str, list[float]] = {name: [] for name in SERVERS}
    with arena() as where:
        for number in range(ROUNDS):
            for name, serving in SERVERS.items():
                most = await _limit(where, serving)
                found[name].append(most)
                waited[name].append(await _delay(where, serving, most / 2))
                say(f"round {number + 1}: {name} bears {most:.0f} exchanges a second")
                say(f"round {number + 1}: {name}, p99 at half of it: {waited[name][-1] * 1000:.1f} ms")
    return _figures(_medians(found), _medians(waited))


def _medians(found: dict[str, list[float]]) -> dict[str, float]:
    return {name: median(values) for name, values in found.items()}


def _figures(rates: dict[str, float], p99: dict[str, float]) -> list[Figure]:
    detail = ", ".join(f"{name} {rate:.0f}/s" for name, rate in rates.items())
    delays = ", ".join(f"{name} {seconds * 1000:.1f} ms at half of its own" for name, seconds in p99.items())
    return [
        Figure(NAME, "DHCP: Kea's exchanges per ours", rates["kea"] / rates["ours"], "", MOST_OF_KEA, detail),
        Figure(NAME, "DHCP: dnsmasq's per ours", rates["dnsmasq"] / rates["ours"], "", MOST_OF_DNSMASQ, detail),
        Figure(NAME, "DHCP: p99 of an answer at half of our rate", p99["ours"] * 1000, "ms", MOST_P99 * 1000, delays),
    ]


async def _limit(where: Arena, serving: Serving) -> float:
    """The highest rate that a server bears: doubled until it does not, then halved in between."""
    with TemporaryDirectory(prefix="bench-dhcp-") as directory:
        async with serving(where, Path(directory)):
            low, high = 0.0, float(FIRST_RATE)
            while await _bears(where, high):
                low, high = high, high * 2
            while high - low > FINEST * high:
                middle = (low + high) / 2
                low, high = (middle, high) if await _bears(where, middle) else (low, middle)
            return low


async def _bears(where: Arena, rate: float) -> bool:
    """Whether nearly all exchanges are completed at a rate."""
    report = read_report(await _perfdhcp(where, rate))
    return report.sent > 0 and report.completed >= report.sent * (1 - LOST)


async def _delay(where: Arena, serving: Serving, rate: float) -> float:
    """Seconds that 99 of 100 answers of a server with an empty state take at most, offers and others alike."""
    with TemporaryDirectory(prefix="bench-dhcp-") as directory:
        async with serving(where, Path(directory)):
            return late(await _perfdhcp(where, rate, "-x", "t"))


async def _perfdhcp(where: Arena, rate: float, *more: str) -> str:
    """One run, with clients that no server has seen before."""
    base = f"mac=02:{secrets.token_bytes(3).hex(':')}:00:00"
    argv = ["perfdhcp", "-4", "-r", str(round(rate)), "-R", str(CLIENTS), "-p", str(SECONDS), "-b", base]
    return await where.ask(*argv, "-W", "1000000", *more, SERVER, codes=(0, 3))


@asynccontextmanager
async def _ours(where: Arena, directory: Path) -> AsyncIterator[int]:
    async with our_daemon(where, directory, RANGE) as pid:
        yield pid


@asynccontextmanager
async def _kea(where: Arena, directory: Path) -> AsyncIterator[int]:
    first, _, last = RANGE.partition("-")
    settings = {
        "Dhcp4": {
            "interfaces-config": {"interfaces": ["br0"], "dhcp-socket-type": "udp"},
            "lease-database": {"type": "memfile", "persist": True, "name": str(directory / "leases.csv")},
            "valid-lifetime": 3600,
            "loggers": [{"name": "kea-dhcp4", "severity": "ERROR", "output_options": [{"output": "stderr"}]}],
            "subnet4": [{"subnet": "10.77.0.0/16", "pools": [{"pool": f"{first} - {last}"}]}],
        }
    }
    configuration = directory / "kea.json"
    configuration.write_text(json.dumps(settings))
    places = [f"KEA_PIDFILE_DIR={directory}", f"KEA_LOCKFILE_DIR={directory}"]
    async with where.serving("env", *places, "kea-dhcp4", "-c", str(configuration), ready=READY) as pid:
        yield pid


@asynccontextmanager
async def _dnsmasq(where: Arena, directory: Path) -> AsyncIterator[int]:
    argv = [
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=br0", "--bind-interfaces",
        "--user=", "--group=", f"--dhcp-range={RANGE.replace('-', ',')},3600", "--dhcp-lease-max=100000",
        f"--dhcp-leasefile={directory}/leases", "--pid-file=", "--quiet-dhcp", "--dhcp-authoritative", "--no-ping",
    ]  # fmt: skip
    async with where.serving(*argv, ready=READY) as pid:
        yield pid


READY = ("perfdhcp", "-4", "-r", "10", "-p", "1", SERVER)
"""Ends with 0 where no exchange is lost."""
SERVERS: dict[str, Serving] = {"kea": _kea, "ours": _ours, "dnsmasq": _dnsmasq}
