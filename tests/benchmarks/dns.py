"""Questions per second for 1,000 local names that each DNS server answers, asked by dnsperf.

Ours is the whole daemon, with the names as records that a user added; unbound has one thread. Servers take turns on
one core, round after round. Beside the rate stands what an answer costs of the core: it stays the same while others
keep the computer busy, which the rate does not.
"""

import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil

from appliance.errors import ApplianceError
from appliance.names import DnsRecord
from appliance.store import network
from appliance.store.store import open_store
from tests.benchmarks.arena import SERVER, Arena, arena
from tests.benchmarks.bench import say
from tests.benchmarks.daemons import our_daemon
from tests.benchmarks.figure import Figure

NAME = "dns"
NAMES = 1000
SECONDS = 4
"""Of each look."""
ROUNDS = 5
MOST_OF_BETTER = 1.0
FIRST = IPv4Address("10.77.2.0")
Serving = Callable[[Arena, Path], AbstractAsyncContextManager[int]]


@dataclass(frozen=True, slots=True)
class Look:
    """What dnsperf saw of a server."""

    rate: float
    """Answers per second."""
    cost: float
    """Microseconds of the processor for each answer."""


async def measure() -> list[Figure]:
    """Interleaved; each server is asked each name before it is measured."""
    found: dict[str, list[Look]] = {name: [] for name in SERVERS}
    with arena() as where:
        for number in range(ROUNDS):
            for name, serving in SERVERS.items():
                look = await _look(where, serving)
                found[name].append(look)
                say(f"round {number + 1}: {name} answers {look.rate:.0f} questions a second, {look.cost:.1f} us each")
    return _figures({name: _middle(looks) for name, looks in found.items()})


def _middle(looks: list[Look]) -> Look:
    return Look(median(each.rate for each in looks), median(each.cost for each in looks))


def _figures(found: dict[str, Look]) -> list[Figure]:
    rates = ", ".join(f"{name} {each.rate:.0f}/s" for name, each in found.items())
    costs = ", ".join(f"{name} {each.cost:.1f} us" for name, each in found.items())
    ours, others = found["ours"], [each for name, each in found.items() if name != "ours"]
    rate = max(each.rate for each in others) / ours.rate
    cost = ours.cost / min(each.cost for each in others)
    return [
        Figure(NAME, "DNS: the better one's questions per ours", rate, "", MOST_OF_BETTER, rates),
        Figure(NAME, "DNS: processor time of an answer of ours, per the better one's", cost, "", None, costs),
    ]


async def _look(where: Arena, serving: Serving) -> Look:
    with TemporaryDirectory(prefix="bench-dns-") as directory:
        questions = Path(directory) / "questions"
        questions.write_text("".join(f"{name}.lab.test A\n" for name in names()))
        async with serving(where, Path(directory)) as pid:
            await where.ask("dnsperf", "-s", SERVER, "-d", str(questions), "-n", "2")
            before = _processor_seconds(pid)
            rate = answered(await where.ask("dnsperf", "-s", SERVER, "-d", str(questions), "-l", str(SECONDS)))
            return Look(rate, (_processor_seconds(pid) - before) / (rate * SECONDS) * 1e6)


def _processor_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def answered(said: str) -> float:
    """Questions per second of dnsperf's report; raises ApplianceError where an answer was not NOERROR."""
    codes = re.findall(r"(NOERROR|NXDOMAIN|SERVFAIL|REFUSED|FORMERR) \d+", said.partition("Response codes:")[2])
    if codes != ["NOERROR"]:
        raise ApplianceError("bench-client", f"dnsperf heard {', '.join(codes) or 'nothing'}: {said[-2000:]}")
    return float(re.findall(r"Queries per second:\s+([\d.]+)", said)[0])


def names() -> dict[str, IPv4Address]:
    """What is asked for, relative to the domain, with its address."""
    return {f"name-{number:04}": FIRST + number for number in range(NAMES)}


@asynccontextmanager
async def _ours(where: Arena, directory: Path) -> AsyncIterator[int]:
    (directory / "state").mkdir(mode=0o700)
    async with open_store(directory / "state" / "store.db") as store:
        await store.write(_add_names)
    async with our_daemon(where, directory, "10.77.1.0-10.77.1.250") as pid:
        yield pid


def _add_names(db: sqlite3.Connection) -> None:
    for name, address in names().items():
        network.add_record(db, DnsRecord(name, "A", str(address), "", 0.0))


@asynccontextmanager
async def _dnsmasq(where: Arena, directory: Path) -> AsyncIterator[int]:
    hosts = directory / "hosts"
    hosts.write_text("".join(f"{address} {name}.lab.test\n" for name, address in names().items()))
    argv = [
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=", "--group=",
        "--pid-file=", "--interface=br0", "--bind-interfaces", "--local=/lab.test/", f"--addn-hosts={hosts}",
    ]  # fmt: skip
    async with where.serving(*argv, ready=READY) as pid:
        yield pid


@asynccontextmanager
async def _unbound(where: Arena, directory: Path) -> AsyncIterator[int]:
    data = "".join(f'  local-data: "{name}.lab.test. 60 IN A {address}"\n' for name, address in names().items())
    configuration = directory / "unbound.conf"
    configuration.write_text(
        f"server:\n  interface: {SERVER}\n  access-control: 10.0.0.0/8 allow\n  num-threads: 1\n  do-daemonize: no\n"
        f'  username: ""\n  chroot: ""\n  directory: "{directory}"\n  pidfile: ""\n  use-syslog: no\n'
        f'  local-zone: "lab.test." static\n{data}remote-control:\n  control-enable: no\n'
    )
    async with where.serving("unbound", "-d", "-c", str(configuration), ready=READY) as pid:
        yield pid


READY = ("dig", f"@{SERVER}", "+tries=1", "+timeout=1", "+short", "name-0000.lab.test")
"""Ends with 0 once it is answered."""
SERVERS: dict[str, Serving] = {"unbound": _unbound, "ours": _ours, "dnsmasq": _dnsmasq}
