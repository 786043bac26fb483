"""Fifty WebSocket viewers of the real console application while a thousand machines change their state.

They all are one process, which reads fifty thousand messages; that is in the delay, and most of it where all come at
once.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

from appliance import certificates, server_tls
from appliance.errors import ApplianceError
from appliance.events import Bus, Event, Published
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.reconcile.record import record
from appliance.reconcile.settle import change_machine
from appliance.store import machines
from appliance.store.store import Store, open_store
from appliance.web.app import make_app
from appliance.web.setup import prepare_setup
from tests.benchmarks.figure import Figure
from tests.benchmarks.fleet import services_over

NAME = "live-viewers"
VIEWERS = 50
MACHINES = 1000
SPREAD_SECONDS = 10.0
"""How long the changes take where they do not come all at once."""
REPOSITORY = Path(__file__).parent.parent.parent
MOST_SPREAD, MOST_AT_ONCE = 0.1, 2.0
"""Seconds until 99 of 100 messages are there: a person sees no delay; and a whole hall that is switched on."""


@dataclass(frozen=True, slots=True)
class Site:
    """The application, served over TLS on this computer."""

    store: Store
    bus: Bus
    url: str
    token: str


async def measure() -> list[Figure]:
    """Delay, bytes and processor time; the changes come within ten seconds, then all at once."""
    return await asyncio.to_thread(uvloop.run, _measure())  # the daemon's event loop, not the benchmark's


async def _measure() -> list[Figure]:
    async with _site() as site:
        fleet = [await _machine(site.store, number) for number in range(MACHINES)]
        spread = await _watched(site, fleet, State.BROKEN, SPREAD_SECONDS / MACHINES)
        at_once = await _watched(site, fleet, State.IDLE, 0.0)
    return [*_figures("in 10 s", spread, MOST_SPREAD), *_figures("at once", at_once, MOST_AT_ONCE)]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the viewers of one round got, and what it took."""

    delays: list[float]
    """Seconds from publishing to receipt, of each message to each viewer, sorted."""
    bytes: int
    cpu_seconds: float


def _figures(how: str, seen: Seen, most: float) -> list[Figure]:
    what = f"{MACHINES} changes {how}, {VIEWERS} viewers"
    p99 = seen.delays[int(len(seen.delays) * 0.99)]
    detail = f"median {seen.delays[len(seen.delays) // 2] * 1000:.1f} ms, longest {seen.delays[-1] * 1000:.1f} ms"
    return [
        Figure(NAME, f"{what}: delay, p99", p99 * 1000, "ms", most * 1000, detail),
        Figure(NAME, f"{what}: bytes to each viewer", seen.bytes / VIEWERS / 1000, "kB"),
        Figure(NAME, f"{what}: processor time, the store's included", seen.cpu_seconds, "s"),
    ]


async def _watched(site: Site, fleet: list[Machine], state: State, pause: float) -> Seen:
    published: dict[int, float] = {}

    def note(item: Published) -> None:
        if isinstance(item, Event):
            published[item.id] = time.monotonic()

    argv = [sys.executable, "-m", "tests.benchmarks.viewers"]
    pipe = asyncio.subprocess.PIPE
    viewers = await asyncio.create_subprocess_exec(*argv, cwd=REPOSITORY, stdin=pipe, stdout=pipe, limit=1 << 26)
    assert viewers.stdin is not None
    assert viewers.stdout is not None
    asked = {"url": f"{site.url}/api/v1/live", "token": site.token, "viewers": VIEWERS, "events": len(fleet)}
    viewers.stdin.write(json.dumps(asked).encode() + b"\n")
    if await viewers.stdout.readline() != b"ready\n":
        raise ApplianceError("bench-viewers", "the viewers could not connect; what they say is above")
    began = time.process_time()
    with site.bus.listen(note):
        await _change(site, fleet, state, pause)
        said = await viewers.stdout.readline()
    taken = time.process_time() - began
    if await viewers.wait() or not said:
        raise ApplianceError("bench-viewers", "the viewers did not see everything; what they say is above")
    answer: dict[str, Any] = json.loads(said)
    return Seen(sorted(_delays(answer["seen"], published)), answer["bytes"], taken)


def _delays(seen: list[list[tuple[int, float]]], published: dict[int, float]) -> list[float]:
    """Of each message to each viewer; all must have got all in order."""
    for viewer in seen:
        assert [number for number, _ in viewer] == sorted(published), "in order, and nothing left out"
    return [at - published[number] for viewer in seen for number, at in viewer]


async def _change(site: Site, fleet: list[Machine], state: State, pause: float) -> None:
    """Through the store, as every change of a machine goes."""
    async with asyncio.TaskGroup() as tasks:
        for machine in fleet:
            tasks.create_task(_move(site, machine, state))
            if pause:
                await asyncio.sleep(pause)


async def _move(site: Site, machine: Machine, state: State) -> None:
    def job(db: Any, tell: Any) -> None:
        before = machines.get(db, machine.id)
        change_machine(db, tell, before, replace(before, state=state), time.time())

    await record(site.store, site.bus, job)


async def _machine(store: Store, number: int) -> Machine:
    mac = parse_mac(f"52:54:00:00:{number >> 8:02x}:{number & 0xFF:02x}")
    machine = Machine(MachineId(f"{number:016x}"), f"node-{number}", State.IDLE, (mac,), time.time())
    await store.write(lambda db: machines.put(db, machine))
    return machine


@asynccontextmanager
async def _site() -> AsyncIterator[Site]:
    with TemporaryDirectory() as name:
        state_dir = Path(name)
        async with open_store(state_dir / "store.db") as store:
            services = services_over(store, state_dir, time.time)
            link = await prepare_setup(store, state_dir, time.time())
            runner = web.AppRunner(make_app(services), access_log=None)
            await runner.setup()
            try:
                url = await _listen(runner, state_dir)
                yield Site(store, services.bus, url, await _administrator(url, link or ""))
            finally:
                await runner.cleanup()


async def _listen(runner: web.AppRunner, state_dir: Path) -> str:
    authority = certificates.authority(state_dir, time.time())
    tls = server_tls.ServerTls(authority, ["127.0.0.1"], time.time()).context
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    return f"https://127.0.0.1:{runner.addresses[0][1]}"


async def _administrator(url: str, link: str) -> str:
    body = {"token": link.partition("token=")[2], "name": "admin", "password": "correct horse battery"}
    async with aiohttp.ClientSession() as session, session.post(f"{url}/api/v1/setup", json=body, ssl=False) as answer:
        token: str = (await answer.json())["token"]
        return token
