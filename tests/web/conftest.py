"""Fixtures for everything that is served over HTTPS."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from web_world import World, open_world


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
