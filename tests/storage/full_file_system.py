"""A pool on a file system that is full but for a few pages: what does not fit leaves nothing behind.

    unshare --user --map-root-user --mount python -m tests.storage.full_file_system DIRECTORY DEED...

Mounts a small file system over the directory, which nobody else sees, and does the deeds of that name in it.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.storage.directory import VOLUMES
from tests.contract.directory_bench import DirectoryBench
from tests.contract.storage_deeds import DEEDS, arranged, state, to_fill

PAGE = 4096
FREE = (0, 1, 2, 3, 5, 8, 1000)
"""Pages that are left; the last is enough for everything."""
NAMES = (0, 1, 2, 10)
"""Files that can be made still."""
NEEDS_NONE = {"delete", "delete-clone"}
SIZE, FILES = "24m", 64


@contextlib.contextmanager
def filled(place, pages):
    filler = place / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 20)):
            """Until there is no room."""
    os.truncate(filler, max(0, filler.stat().st_size // PAGE - pages) * PAGE)
    yield
    filler.unlink()


@contextlib.contextmanager
def no_more_files(place, pages):
    """Room enough, and no name for it."""
    made = []
    with contextlib.suppress(OSError):
        while True:
            (place / f"name{len(made)}").touch(exist_ok=False)
            made.append(place / f"name{len(made)}")
    for each in made[len(made) - pages :]:
        each.unlink()
    yield
    for each in made[: len(made) - pages]:
        each.unlink()


async def refused(bench, deed):
    """Whether it did not fit; nothing else is an excuse."""
    try:
        await deed.do(bench.pool(), to_fill(bench))
    except ApplianceError as error:
        words = error
    else:
        return False
    assert words.code == "pool-too-small", f"{words.code}: {words.message}"
    assert "is full" in words.message
    return True


async def at_each_filling(bench, place, deed, full, free):
    """As before or as after, and a full disk can always be made emptier."""
    await arranged(bench)
    before, restore, names = await state(bench), bench.saved(), set(os.listdir(bench.place / VOLUMES))
    said = []
    for pages in free:
        restore()
        with full(place, pages):
            said.append(await refused(bench, deed))
            now = await state(bench)
            if said[-1]:
                assert set(os.listdir(bench.place / VOLUMES)) == names, (deed.name, pages)
                assert now == before
            else:
                assert now != before
            assert await bench.pool().mend() == ()
    assert not said[-1], "there was room"
    assert said[0] is (deed.name not in NEEDS_NONE), deed.name
    subprocess.run(["rm", "-r", bench.aside / VOLUMES], check=True)


async def main(place, names):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},nr_inodes={FILES}", "none", place], check=True)
    with tempfile.TemporaryDirectory() as aside:
        bench = DirectoryBench(place, Path(aside))
        for deed in [each for each in DEEDS if each.name in names]:
            await at_each_filling(bench, place, deed, filled, FREE)
            await at_each_filling(bench, place, deed, no_more_files, NAMES)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
    print("whole")
