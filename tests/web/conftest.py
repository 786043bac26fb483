"""Fixtures for everything that is served over HTTPS."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import pytest_asyncio
from kept_templates import keep_templates
from playwright.async_api import Browser
from web_world import World, open_world

from tests.chromium import chromium

keep_templates()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An appliance that nobody has set up yet."""
    async with open_world(tmp_path) as world:
        yield world


@pytest.fixture
async def admin(world: World) -> World:
    """An appliance whose ``api`` calls are its administrator's."""
    await world.set_up()
    return world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests of a file, since it takes longer to start than most of them; see ON_ONE_LOOP."""
    await _start_threads(4)
    async with chromium() as started:
        yield started


async def _start_threads(number: int) -> None:
    """Threads of the running loop for ``asyncio.to_thread``: they live as long as it, so no test may start them."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(number, "of the file's loop"))
    together = threading.Barrier(number)
    await asyncio.gather(*(asyncio.to_thread(together.wait) for _ in range(number)))
