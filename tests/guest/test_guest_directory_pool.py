"""Pools in a directory, on file systems that share blocks between files; and power cuts, on one that cannot as well."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.directory_bench import DirectoryBench
from tests.contract.storage_bench import Bench
from tests.contract.storage_deeds import DEEDS, Deed, a_walk, cut_off
from tests.contract.storage_promises import PROMISES
from tests.guest.inside.disks import Disks
from tests.guest.inside.programs import run
from tests.guest.outside.guest import Guest

DISK = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_scratch0"
MAKE = {"xfs": ["mkfs.xfs", "-q", "-f"], "btrfs": ["mkfs.btrfs", "-q", "-f"], "ext4": ["mkfs.ext4", "-q", "-F"]}
SHARING = ("xfs", "btrfs")
Promise = Callable[[Bench], Awaitable[None]]
CHURN = "python3 -m tests.storage.volume_churn"
ROUNDS = (1, 3, 7)
"""After which the plug is pulled."""


@pytest.fixture
def bench(disks: Disks, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DirectoryBench]:
    """A pool on a disk of its own."""
    kind = request.getfixturevalue("kind")
    place = tmp_path / "place"
    place.mkdir()
    run(*MAKE[kind], str(disks.scsi[0]))
    run("mount", str(disks.scsi[0]), str(place))
    made = DirectoryBench(place, tmp_path)
    assert made.at_once is (kind in SHARING)
    yield made
    run("umount", str(place))


@pytest.mark.guest
@pytest.mark.parametrize("kind", SHARING)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_it_promises(bench: DirectoryBench, kind: str, promise: Promise) -> None:
    await promise(bench)


@pytest.mark.guest
@pytest.mark.parametrize("kind", SHARING)
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
async def test_it_is_whole_wherever_it_was_cut_off(bench: DirectoryBench, kind: str, deed: Deed) -> None:
    assert await cut_off(bench, deed) > 0


@pytest.mark.guest
@pytest.mark.parametrize("kind", SHARING)
async def test_it_does_what_memory_does(bench: DirectoryBench, kind: str) -> None:
    await a_walk(bench, 0, 60)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", MAKE)
def test_a_power_cut_leaves_what_can_be_mended(guest: Guest, kind: str) -> None:
    mount = f"mkdir -p /pool && mount {DISK} /pool"
    guest.run(f"{' '.join(MAKE[kind])} {DISK} && {mount} && {CHURN} begin /pool")
    for rounds in ROUNDS:
        busy = guest.start(f"exec {CHURN} go-on /pool")
        for _ in range(rounds):
            assert busy.line(120) is not None
        guest.power_cut()
        assert guest.run(f"{mount} && {CHURN} check /pool").stdout == "whole\n"
