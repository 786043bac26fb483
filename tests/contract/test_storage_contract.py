"""What every driver of storage promises, asked of each through the same seam."""

import tempfile
from pathlib import Path

import pytest

from tests.contract.directory_bench import DirectoryBench
from tests.contract.storage_bench import MemoryBench
from tests.contract.storage_deeds import DEEDS, a_walk, cut_off
from tests.contract.storage_promises import PROMISES

MEMORY = Path("/dev/shm")


KINDS = pytest.mark.parametrize("kind", [lambda _: MemoryBench(), DirectoryBench], ids=["memory", "directory"])


@pytest.fixture
def in_memory(tmp_path):
    """On no disk, where there is such a thing: hundreds of changes that are to survive a power cut take their time."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="qrm-storage-", dir=MEMORY) as made:
        yield Path(made)


@KINDS
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_it_promises(kind, promise, tmp_path):
    await promise(kind(tmp_path))


@KINDS
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
async def test_it_is_whole_wherever_it_was_cut_off(kind, deed, in_memory):
    assert await cut_off(kind(in_memory), deed) > 0


@KINDS
@pytest.mark.parametrize("seed", range(3))
async def test_it_does_what_memory_does(kind, seed, in_memory):
    await a_walk(kind(in_memory), seed, 60)
