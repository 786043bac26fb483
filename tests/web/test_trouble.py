"""What hinders the whole appliance is on every page and in the settings; what cannot be stored is refused in words."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor

from appliance.assembly.patience import impatient
from appliance.store.store import PATIENCE

TROUBLE = "the disk that holds the state has not answered for 9 s: <nobody> gets a new address"


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path, fleet=False) as someone:
        await someone.log_in()
        yield someone


async def settings(ada: Visitor) -> dict[str, object]:
    async with ada.client.get("/api/v1/settings", headers={**ada.headers, "Accept": "application/json"}) as response:
        found: dict[str, object] = await response.json()
        return found


async def test_every_page_and_the_settings_say_it_while_it_lasts(ada: Visitor) -> None:
    assert "has not answered" not in await ada.get("/tasks/strip")
    assert (await settings(ada))["trouble"] == ""
    object.__setattr__(ada.services, "trouble", lambda: TROUBLE)
    page = await ada.get("/tasks/strip")
    assert "The disk that holds the state has not answered for 9 s" in said(page)
    assert "<nobody>" not in page, "escaped like everything else"
    assert (await settings(ada))["trouble"] == TROUBLE


async def test_while_the_disk_hangs_pages_are_shown_and_changes_are_refused_in_words(
    ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang, store = threading.Event(), ada.services.store
    asyncio.get_running_loop().call_later(30, hang.set)  # whatever fails here, the writer's thread ends
    monkeypatch.setattr("appliance.web.auth.TOUCH_EVERY", -1.0)  # each request wants to note that it came
    async with asyncio.timeout(25), asyncio.TaskGroup() as tasks:
        tasks.create_task(store.write(lambda _: hang.wait()))
        while not store.stuck_for():
            await asyncio.sleep(0)
        monkeypatch.setattr("appliance.store.store.PATIENCE", ContextVar("short", default=0.1))
        assert "Overview" in said(await ada.get("/"))
        body = {"name": "backup", "scope": "viewer", "days": 1}
        async with ada.client.post("/api/v1/tokens", json=body, headers=ada.headers) as response:
            refused = await response.json()
        hang.set()
    assert (refused["status"], refused["code"]) == (503, "store-stuck")
    assert "see to the disk" in refused["hint"]


async def test_whoever_asks_by_http_has_little_patience() -> None:
    async def handler(_: object) -> float | None:
        return PATIENCE.get()

    assert PATIENCE.get() is None

    async def asked() -> object:
        return await impatient(None, handler)

    async with asyncio.TaskGroup() as tasks:
        seconds = tasks.create_task(asked())
    assert seconds.result() == 8.0
    assert PATIENCE.get() is None, "the daemon's own loops wait as long as it takes"
