"""``qrm`` as a process of its own, against an appliance over TLS on loopback."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web
from storage_bench import storage_jobs
from web_world import FAST, NAME, PASSWORD, World, services_over

from appliance.certificates import Authority, authority
from appliance.privileged.client import Privileged
from appliance.reconcile.intake_jobs import IntakeJobs
from appliance.reconcile.jobs import JobKind, Jobs
from appliance.server_tls import ServerTls
from appliance.store import accounts
from appliance.store.accounts import User
from appliance.store.store import open_store
from appliance.web.api.uploads import INTAKE
from appliance.web.app import make_app
from tests.clock import Clock


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Cli:
    """An appliance, and a home directory for ``qrm``."""

    url: str
    authority: Authority
    world: World
    config: Path
    kinds: dict[str, JobKind]
    """Kinds of jobs that are done there; more of them as tests need them."""
    more: dict[str, str] = field(default_factory=dict)
    """What else stands in the environment of its user."""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "XDG_CONFIG_HOME": str(self.config), "TERM": "dumb", **self.more}

    async def start(self, *arguments: str, **options: Any) -> asyncio.subprocess.Process:
        return await self.start_program("-m", "appliance", *arguments, **options)

    async def start_program(self, *arguments: str, **options: Any) -> asyncio.subprocess.Process:
        """Python, in the environment of this user."""
        pipe = asyncio.subprocess.PIPE
        options = {"stdin": pipe, "stdout": pipe, "stderr": pipe, **options}
        return await asyncio.create_subprocess_exec(sys.executable, *arguments, env=self.environment, **options)

    async def run(self, *arguments: str, stdin: str = "", code: int = 0) -> Ended:
        process = await self.start(*arguments)
        out, err = await process.communicate(stdin.encode())
        ended = Ended(process.returncode or 0, out.decode(), err.decode())
        assert ended.code == code, f"qrm {' '.join(arguments)}: {ended}"
        assert "Traceback" not in ended.err
        return ended

    async def log_in(self) -> None:
        fingerprint = self.authority.fingerprint
        await self.run("login", self.url, "--fingerprint", fingerprint, stdin=f"{PASSWORD}\n")


@asynccontextmanager
async def open_cli(directory: Path, privileged: Privileged | None = None) -> AsyncIterator[Cli]:
    """``privileged`` is the helper of a flashed appliance."""
    clock, made = Clock(), authority(directory, time.time())
    async with open_store(directory / "store.db") as store:
        services = services_over(store, directory, clock)
        services = replace(services, privileged=privileged or services.privileged)
        await store.write(lambda db: accounts.add_user(db, User(NAME, FAST.hash(PASSWORD), "admin", clock())))
        tls = ServerTls(made, ["127.0.0.1"], time.time()).context
        app = make_app(services, FAST)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        kinds = {**IntakeJobs(app[INTAKE], clock).kinds(), **storage_jobs(services)}
        jobs = Jobs(store, services.bus, clock, kinds)
        loop = asyncio.get_running_loop()
        loops = [loop.create_task(run(), name="loop") for run in (jobs.run, services.storage().work.run)]
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
            url = f"https://127.0.0.1:{runner.addresses[0][1]}"
            world = World(services, clock, None, "")
            yield Cli(url, made, world, directory / "config", kinds)
        finally:
            await runner.cleanup()
            for each in loops:
                each.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
