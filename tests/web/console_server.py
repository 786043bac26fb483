"""``PYTHONPATH=. python tests/web/console_server.py [PORT]``: the console over a seeded fleet; log in as admin."""

import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from access_seed import seed_access
from aiohttp import web
from argon2 import PasswordHasher
from console_seed import seed, services
from console_seed_storage import storage_jobs
from console_seed_vms import VmsOnPaper

from appliance.machine import MachineId
from appliance.privileged.client import Privileged
from appliance.reconcile.intake_jobs import IntakeJobs
from appliance.reconcile.iso_jobs import IsoJobs
from appliance.reconcile.jobs import Jobs
from appliance.store import accounts
from appliance.store.accounts import User
from appliance.store.store import open_store
from appliance.web.api.uploads import INTAKE
from appliance.web.app import make_app
from appliance.web.services import Services

PASSWORD = "correct horse battery"
COLLEAGUES = ("eva", "noc")
"""Who can log in besides the administrator: an operator and a viewer."""


@dataclass(frozen=True, slots=True)
class Console:
    """A console that serves."""

    url: str
    services: Services
    machines: dict[str, MachineId]
    app: web.Application

    async def drop_sockets(self) -> None:
        """Close every WebSocket, as a daemon that ends does."""
        for handler in self.app.on_shutdown:
            await handler(self.app)


@asynccontextmanager
async def console(
    directory: Path,
    *,
    port: int = 0,
    fleet: bool = True,
    clock: Callable[[], float] = time.time,
    privileged: Privileged | None = None,
) -> AsyncIterator[Console]:
    """Serve over TLS on loopback for the length of the with-block; ``fleet`` seeds machines.

    ``privileged`` is the helper of a flashed appliance.
    """
    async with open_store(directory / "store.db") as store:
        given = services(store, directory, clock)
        given = replace(given, privileged=privileged or given.privileged)
        ids = await seed(given, clock) if fleet else {}
        hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        app = make_app(given, hasher)
        user = User("admin", hasher.hash(PASSWORD), "admin", clock())
        await store.write(lambda db: accounts.add_user(db, user))
        await seed_access(store, clock)
        for name in COLLEAGUES:
            await store.write(partial(accounts.set_password, name=name, password=hasher.hash(PASSWORD)))
        assert given.tls is not None
        tls = given.tls.context
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
            await site.start()
            bound = runner.addresses[0][1]
            assert isinstance(given.vms, VmsOnPaper)
            kinds = {**given.vms.jobs(clock), **IntakeJobs(app[INTAKE], clock).kinds(), **storage_jobs(given.storage())}
            kinds |= IsoJobs(app[INTAKE], clock).kinds()
            jobs = Jobs(store, given.bus, clock, kinds)
            async with asyncio.TaskGroup() as group:
                loops = [
                    group.create_task(run(), name="loop")
                    for run in (jobs.run, given.storage().work.run, given.vms.parts.watch.run)
                ]
                yield Console(f"https://127.0.0.1:{bound}", given, ids, app)
                for each in loops:
                    each.cancel()
        finally:
            await runner.cleanup()


async def _main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with tempfile.TemporaryDirectory(prefix="console-") as directory:
        async with console(Path(directory), port=port, fleet="--empty" not in sys.argv) as serving:
            print(f"{serving.url}  admin / {PASSWORD}  ({secrets.token_hex(2)})", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
