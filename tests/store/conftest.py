"""A store in a fresh file."""

import pytest_asyncio

from appliance.store.store import open_store


@pytest_asyncio.fixture
async def store(tmp_path):
    async with open_store(tmp_path / "store.db") as opened:
        yield opened
