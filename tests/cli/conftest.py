"""Fixtures for ``qrm``."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cli_world import Cli, open_cli


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[Cli]:
    """An appliance, and a user who has never been there."""
    async with open_cli(tmp_path) as cli:
        yield cli


@pytest.fixture
async def qrm(stranger: Cli) -> Cli:
    """An appliance, and a user who is logged in."""
    await stranger.log_in()
    return stranger
