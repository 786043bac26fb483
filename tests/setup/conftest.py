"""A flashed appliance of paper, and its seed partition, for what asks for one."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from flashed_computer import Flashed, flashed


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Flashed]:
    async with flashed(tmp_path) as made:
        yield made


@pytest.fixture
def partition(tmp_path: Path) -> Path:
    """An empty seed partition."""
    path = tmp_path / "seed.img"
    path.write_bytes(b"\0" * (16 << 20))
    subprocess.run(["mformat", "-i", path, "-v", "SEED", "::"], check=True)
    return path
