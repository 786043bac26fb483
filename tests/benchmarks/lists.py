"""How fast lists are while a large fleet is stored: every list of the API and of the console, over HTTPS."""

import asyncio
import secrets
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles

import aiohttp
from aiohttp import web

from appliance.certificates import authority
from appliance.server_tls import ServerTls
from appliance.store.store import open_store
from appliance.web.app import make_app
from appliance.web.setup import prepare_setup
from tests.benchmarks.bench import Bench, say
from tests.benchmarks.figure import Figure
from tests.benchmarks.fleet import fill, services_over
from tests.benchmarks.fleet_history import fill_history

API_MOST, CONSOLE_MOST = 100, 300
"""Milliseconds, of the 99th of 100 requests."""
REQUESTS = 100

API = {
    "machines": "/machines",
    "machines, 1000": "/machines?limit=1000",
    "machines by state, sorted by memory": "/machines?state=idle&state=active&sort=-memory",
    "machines by tag": "/machines?tag=rack-7&tag=prod",
    "machines by words": "/machines?q=poweredge%20node-77",
    "machines by words, none": "/machines?q=nothing-is-called-so",
    "machines offline": "/machines?offline=true&sort=-seen",
    "machines by deployment": "/machines?sort=-deployment",
    "machines summary": "/machines/summary",
    "deployments": "/deployments",
    "deployments by state and tag": "/deployments?state=active&tag=prod&sort=-created",
    "deployments by words": "/deployments?q=web-19",
    "images": "/images",
    "kernels": "/kernels",
    "events": "/events",
    "events of a kind": "/events?kind=machine.state",
    "events of a machine": "/events?machine=node-5000",
    "events by words": "/events?q=leased%20because",
    "events by words, few": "/events?q=10.65.77.7",
    "events by words, none": "/events?q=nothing-was-called-so",
    "timeline": "/machines/node-5000/timeline",
    "tasks": "/tasks",
    "tasks that ended, 1000": "/tasks?open=false&limit=1000",
    "tasks that failed, by title": "/tasks?status=failed&sort=title",
    "tasks of somebody and a machine": "/tasks?owner=ada&machine=node-77&sort=owner",
    "audit": "/audit",
    "audit, 1000": "/audit?limit=1000&sort=at",
    "audit of a user and a noun": "/audit?who=ada&action=machine",
    "audit of a thing": "/audit?subject=node-77",
    "seen, not here": "/network/sightings",
    "seen, not here, by words": "/network/sightings?q=printer-49&sort=first",
    "seen, not here, by words, none": "/network/sightings?q=nothing-is-called-so",
    "users": "/users",
    "tokens": "/tokens?everybody=true",
    "sessions": "/sessions?everybody=true",
    "leases": "/network/leases",
    "leases by words": "/network/leases?q=host-77",
    "leases by words, none": "/network/leases?q=nothing-is-called-so",
    "leases by words, by name": "/network/leases?q=host%2010.70&sort=-hostname",
    "leases by the name of a machine": "/network/leases?q=node-77",
    "names": "/network/names",
}
CONSOLE = {
    "overview": "/",
    "machines": "/machines",
    "machines, page 90": "/machines?page=90&sort=memory",
    "machines by words": "/machines?q=poweredge&state=idle",
    "deployments": "/deployments",
    "deployments, page 15": "/deployments?page=15&sort=image",
    "images": "/images",
    "kernels": "/kernels",
    "events": "/events",
    "events of a kind": "/events?kind=machine.state",
    "tasks": "/tasks",
    "tasks, page 90": "/tasks?page=90",
    "audit": "/settings/audit",
    "audit of a thing": "/settings/audit?subject=node-77",
    "seen, not here": "/network/seen",
    "seen, not here, page 40": "/network/seen?page=40&sort=mac",
    "leases by words": "/network/leases?q=host-77&page=2",
    "form of a deployment": "/deployments/new?image=image-1&cpus=16",
    "what fits a deployment": "/deployments/new/choices?image=image-1&disk_rule=named&disk=D5002-1",
}
START_MOST = 50
"""Milliseconds that finding the machine of a start, or refusing it, takes."""


async def measure(_: Bench) -> list[Figure]:
    """The 99th percentile of each list, and of the deepest pages."""
    async with _served() as session:
        figures = [await _start(session, "found", {"disk": "D5002-1"}), await _start(session, "refused", {})]
        figures += [await _figure(session, f"API {name}", f"/api/v1{path}", API_MOST) for name, path in API.items()]
        for name, path in (("machines", "/machines?sort=-memory&limit=100"), ("events", "/events?limit=1000")):
            deep = await _deep(session, f"/api/v1{path}", 60)
            figures.append(await _figure(session, f"API {name}, 60 pages deep", deep, API_MOST))
        figures += [await _figure(session, f"console {name}", path, CONSOLE_MOST) for name, path in CONSOLE.items()]
    return figures


async def _figure(session: aiohttp.ClientSession, name: str, path: str, most: int) -> Figure:
    taken = [await _timed(session, path) for _ in range(REQUESTS)]
    cuts = quantiles(taken, n=100)
    say(f"{name}: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms")
    detail = f"p50 {cuts[49]:.1f} ms, longest {max(taken):.1f} ms, {REQUESTS} requests"
    return Figure("lists", f"{name}, p99", cuts[98], "ms", most, detail)


async def _start(session: aiohttp.ClientSession, name: str, more: dict[str, str]) -> Figure:
    """What a start would do: the machine is looked for as in the start itself, and nothing is changed."""
    body = {"name": f"start-{name}", "image": "image-1", "requirements": {"cpus": 16}, **more}
    async with session.post("/api/v1/deployments", json=body) as response:
        assert response.status == 201, await response.text()
    path = f"/api/v1/deployments/start-{name}/consequences?action=start"
    taken = [await _timed(session, path, 200 if more else 409) for _ in range(REQUESTS)]
    cuts = quantiles(taken, n=100)
    say(f"start, {name}: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms")
    detail = f"p50 {cuts[49]:.1f} ms, {REQUESTS} requests"
    return Figure("lists", f"API start whose machine is {name}, p99", cuts[98], "ms", START_MOST, detail)


async def _timed(session: aiohttp.ClientSession, path: str, status: int = 200) -> float:
    began = time.perf_counter()
    async with session.get(path) as response:
        content = await response.read()
        assert response.status == status, f"{path}: {response.status} {content[:300]!r}"
    return (time.perf_counter() - began) * 1000


async def _deep(session: aiohttp.ClientSession, path: str, pages: int) -> str:
    """The address of a page so many pages behind the first."""
    where = path
    for _ in range(pages):
        async with session.get(where) as response:
            cursor = (await response.json())["next"]
        if cursor is None:
            break
        where = f"{path}&cursor={cursor}"
    return where


@asynccontextmanager
async def _served() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that is logged in to an appliance with a large fleet."""
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory)
        async with open_store(state / "store.db") as store:
            say("storing the fleet")
            await fill(store, machines=10_000, deployments=2000, events=200_000, leases=20_000, now=time.time())
            past = {"many_tasks": 10_000, "entries": 100_000, "strangers": 5000}
            await fill_history(store, fleet=10_000, now=time.time(), **past)
            app = make_app(services_over(store, state, time.time))
            link = await prepare_setup(store, state, time.time())
            async with _site(app, state) as session:
                password = secrets.token_hex(12)
                body = {"token": str(link).partition("token=")[2], "name": "bench", "password": password}
                async with session.post("/api/v1/setup", json=body) as response:
                    assert response.status == 201, await response.text()
                    session.headers["Authorization"] = f"Bearer {(await response.json())['token']}"
                session.headers["Accept"] = "text/html,application/json"
                yield session


@asynccontextmanager
async def _site(app: web.Application, state: Path) -> AsyncIterator[aiohttp.ClientSession]:
    own = await asyncio.to_thread(authority, state, time.time())
    context = ServerTls(own, ["127.0.0.1"], time.time()).context
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    trust = ssl.create_default_context(cadata=own.pem.decode())
    connector = aiohttp.TCPConnector(ssl=trust, limit=1)
    try:
        async with aiohttp.ClientSession(f"https://127.0.0.1:{port}", connector=connector) as session:
            yield session
    finally:
        await runner.cleanup()
