"""``PYTHONPATH=.:tests/web python tests/setup/setup_server.py [PORT]``: an appliance of paper waits to be set up."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aiohttp import web
from argon2 import PasswordHasher
from console_seed import services
from kept_templates import keep_templates
from paper import PaperAppliance

from appliance.setup.conduct import Conduct
from appliance.setup.first_start import FirstStart
from appliance.setup.steps import SetUpSteps
from appliance.store.store import open_store
from appliance.web.app import make_app
from appliance.web.services import Services
from appliance.web.setup import prepare_setup

keep_templates()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A console that waits to be set up."""

    url: str
    link: str
    services: Services
    paper: PaperAppliance
    port: int


@asynccontextmanager
async def waiting(
    directory: Path, *, port: int = 0, first: bool = True, hosts: tuple[str, ...] = ()
) -> AsyncIterator[Waiting]:
    """Serve over TLS on loopback; ``first``: as the configuration of a flashed appliance has it."""
    async with open_store(directory / "store.db") as store:
        given, paper = services(store, directory, time.time), PaperAppliance(time.time)
        steps = SetUpSteps(store, given.bus, time.time, paper)
        start = FirstStart(steps, Conduct(store, given.bus, time.time, paper))
        given = replace(given, first_start=start if first else None, hosts=hosts)
        paper.restarted = lambda: object.__setattr__(given, "first_start", None)  # its configuration is another now
        link = await prepare_setup(store, directory, time.time()) or ""
        app = make_app(given, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        assert given.tls is not None
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "0.0.0.0", port, ssl_context=given.tls.context)
            await site.start()
            bound = runner.addresses[0][1]
            async with asyncio.TaskGroup() as tasks:
                conducting = tasks.create_task(start.conduct.run())
                yield Waiting(f"https://127.0.0.1:{bound}", link, given, paper, bound)
                conducting.cancel()
        finally:
            await runner.cleanup()


async def _main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with tempfile.TemporaryDirectory(prefix="setup-") as directory:
        async with waiting(Path(directory), port=port) as serving:
            print(serving.url + serving.link, flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
