"""A fleet in a fresh store, and one machine of it."""

import pytest_asyncio
from fleet_world import Played, a_world


@pytest_asyncio.fixture
async def world(tmp_path):
    async with a_world(tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def node(world):
    return Played(world)
