"""``python -m tests.benchmarks.simulated``: power a hall on; one JSON object on standard output when all is over.

It runs in a network of its own on eth0, and makes each address its own once it is leased.
"""

import asyncio
import json
import resource
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass

import click
import uvloop

from tests.benchmarks.simulated import http
from tests.benchmarks.simulated.computer import Computer
from tests.benchmarks.simulated.dhcp import Cable

FAILURES_TOLD = 5
LIMIT = 600.0
"""Seconds that a computer may take to become idle: it would ask for ever."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the hall; times in seconds."""

    machines: int
    idle: int
    seconds: float
    """From the first power button to the last machine that is idle."""
    octets: int
    """Of the maintenance stack, fetched by all together."""
    busy: float
    """Processor time of this process meanwhile, so that one can tell whether it was in the way."""
    dhcp_p50: float
    dhcp_p99: float
    again: dict[str, int]
    """How often something was asked again, by whom it was asked."""
    failures: list[str]


class Addresses:
    """Makes leased addresses ours, in the order in which they come."""

    async def __aenter__(self) -> "Addresses":
        self._shell = await asyncio.create_subprocess_exec(
            "ip", "-force", "-batch", "-", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._shell.stdin is not None
        # What is switched off answers no ARP: the next daemon would take its addresses for somebody else's.
        self._shell.stdin.write(b"address flush dev lo scope global\n")
        self._shell.stdin.close()
        await self._shell.wait()

    async def claim(self, address: str) -> None:
        """Returns once the kernel has it."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"address replace {address}/32 dev lo\n".encode())
        await self._shell.stdin.drain()
        while not _is_ours(address):
            await asyncio.sleep(0.005)  # until ip has read its line


def _is_ours(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


async def power_on(machines: int, within: float) -> Outcome:
    """All of them, evenly within so many seconds. Those that are idle wait for work until the last one is."""
    cable = Cable()
    cable.open("eth0")
    failures: list[str] = []
    begun = time.monotonic()
    last = begun

    async with Addresses() as addresses, asyncio.TaskGroup() as waiting:
        hall = [Computer(number, cable, addresses.claim) for number in range(machines)]
        staying: list[asyncio.Task[None]] = []

        async def one(computer: Computer) -> None:
            nonlocal last
            await asyncio.sleep(computer.number * within / machines)
            try:
                async with asyncio.timeout(LIMIT):
                    agent = await computer.boot()
            except (http.Failed, http.Unanswered, OSError, TimeoutError) as error:
                failures.append(f"{computer.mac}: {error or type(error).__name__}")
            else:
                last = time.monotonic()
                staying.append(waiting.create_task(agent.stay()))

        async with asyncio.TaskGroup() as booting:
            for computer in hall:
                booting.create_task(one(computer))
        for task in staying:
            task.cancel()
    cable.close()
    spent = sorted(cable.seconds) or [0.0]
    again = sum((computer.again for computer in hall), Counter(dhcp=cable.repeated))
    return Outcome(
        machines=machines,
        idle=len(staying),
        seconds=last - begun,
        octets=sum(computer.octets for computer in hall),
        busy=_busy(),
        dhcp_p50=spent[len(spent) // 2],
        dhcp_p99=spent[int(len(spent) * 0.99)],
        again=dict(again),
        failures=failures[:FAILURES_TOLD],
    )


async def download(urls: tuple[str, ...], machines: int, within: float) -> Outcome:
    """The bytes alone: the same files by as many, who begin as they do."""
    begun = time.monotonic()

    async def one(number: int) -> int:
        await asyncio.sleep(number * within / machines)
        return sum([await http.swallow("0.0.0.0", url) for url in urls])

    async with asyncio.TaskGroup() as group:
        downloads = [group.create_task(one(number)) for number in range(machines)]
    octets = sum(each.result() for each in downloads)
    return Outcome(machines, machines, time.monotonic() - begun, octets, _busy(), 0.0, 0.0, {}, [])


def _busy() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@click.command()
@click.option("--machines", type=click.IntRange(1), default=1000)
@click.option("--within", type=float, default=10.0, help="Seconds in which they are powered on.")
@click.option("--download", "urls", multiple=True, help="Only fetch these, each machine all of them.")
def main(machines: int, within: float, urls: tuple[str, ...]) -> None:
    """Power a hall on."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    outcome = uvloop.run(download(urls, machines, within) if urls else power_on(machines, within))
    json.dump(asdict(outcome), sys.stdout)


if __name__ == "__main__":
    main()
