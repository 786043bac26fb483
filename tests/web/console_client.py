"""A browser without scripts: what pages say and what their forms do."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

from access_seed import seed_access
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher
from console_seed import NOW, seed, services

from appliance.machine import MachineId
from appliance.privileged.client import Privileged
from appliance.store import accounts
from appliance.store.accounts import User
from appliance.store.store import open_store
from appliance.web.app import make_app
from appliance.web.services import Services

FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"


class Visitor:
    """Somebody who is logged in, or not; follows no redirects."""

    def __init__(self, client: "TestClient[Any, Any]", given: Services, machines: dict[str, MachineId]) -> None:
        self.client, self.services, self.machines = client, given, machines
        self.headers = {"Accept": "text/html"}

    async def log_in(self, name: str = "admin") -> None:
        body = {"name": name, "password": PASSWORD}
        async with self.client.post("/api/v1/sessions", json=body) as response:
            assert response.status == 201, await response.text()
            self.headers["Authorization"] = f"Bearer {(await response.json())['token']}"
        self.client.session.cookie_jar.clear()

    async def get(self, path: str, status: int = 200) -> str:
        """The page."""
        async with self.client.get(path, headers=self.headers, allow_redirects=False) as response:
            text = await response.text()
            assert response.status == status, f"{path}: {response.status} {said(text)[:400]}"
            return text

    async def look(self, path: str) -> tuple[int, str]:
        """The answer's status, whatever it is, and the page."""
        async with self.client.get(path, headers=self.headers, allow_redirects=False) as response:
            return response.status, await response.text()

    async def post(self, path: str, status: int = 303, data: Any = None) -> str:
        """Send a form; where it redirects to, or the page that says what is wrong."""
        async with self.client.post(path, headers=self.headers, data=data or {}, allow_redirects=False) as response:
            text = await response.text()
            assert response.status == status, f"{path}: {response.status} {said(text)[:400]}"
            return response.headers["Location"] if status == 303 else text


@asynccontextmanager
async def visitor(
    directory: Path,
    *,
    fleet: bool = True,
    user: bool = True,
    privileged: Privileged | None = None,
    again: Callable[[], None] = lambda: None,
) -> AsyncIterator[Visitor]:
    """A console over a seeded fleet at a clock that stands still, and somebody at its door.

    ``privileged`` is the helper of a flashed appliance; ``again`` is called where the daemon would begin anew.
    """
    async with open_store(directory / "store.db") as store:
        given = services(store, directory)
        given = replace(given, privileged=privileged or given.privileged, again=again)
        machines = await seed(given) if fleet else {}
        if user:
            admin = User("admin", FAST.hash(PASSWORD), "admin", NOW)
            await store.write(lambda db: accounts.add_user(db, admin))
            await seed_access(store, lambda: NOW)
        async with TestClient(TestServer(make_app(given, FAST))) as client, asyncio.TaskGroup() as group:
            working = group.create_task(given.storage().work.run(), name="pool work")
            yield Visitor(client, given, machines)
            working.cancel()


def said(page: str) -> str:
    """The words of a page, without its markup."""
    body = re.sub(r"(?s)<(script|style|svg|head)\b.*?</\1>", " ", page.replace("<wbr>", ""))
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body))).strip()
