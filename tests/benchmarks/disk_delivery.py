"""The delivery ``disk``: MB/s of the agent's own step onto a disk, against ``curl | zstd -d | dd`` by hand.

Both fetch the same stored image from the same daemon, one after the other, and end when all of it is on the disk. The
agent checks what arrives besides, and keeps the disk from booting until it is whole. The disk is a file behind a loop
device that goes past the page cache: what has to reach a disk reaches one. Needs root, for that device.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from appliance.agent.disk import loop
from appliance.errors import ApplianceError
from appliance.privileged.computer import running_as_root
from tests.benchmarks.arena import REPOSITORY, SERVER, Arena, arena
from tests.benchmarks.bench import say
from tests.benchmarks.daemons import our_daemon
from tests.benchmarks.figure import Figure

NAME = "disk-delivery"
SIZE = 2 << 30
ROUNDS = 5
MOST = 1 / 0.95
URL = f"http://{SERVER}/boot/image.raw.zst"
PIECE, RANDOM = 64 << 10, 24 << 10
"""Bytes of the image that are alike in kind, and how many of them no program can make smaller."""
LOOP_SET_DIRECT_IO = 0x4C08
BY_HAND = {
    "dd": "conv=fsync,notrunc",
    "dd, direct": "oflag=direct conv=fsync,notrunc",
}
"""Ways of writing, by what they are called: through the page cache, and past it."""


async def measure() -> list[Figure]:
    """Interleaved, one round after the other; the first one is for the caches, and not counted."""
    if not running_as_root():
        raise ApplianceError("bench-root", f"{NAME} needs a loop device", "run it as root")
    found: dict[str, list[float]] = {name: [] for name in ("ours", *BY_HAND)}
    with arena() as where, TemporaryDirectory(prefix="bench-disk-", dir="/var/tmp") as name:
        directory = Path(name)
        (directory / "programs").mkdir()
        say(f"making an image of {SIZE >> 30} GiB")
        image = directory / "image.json"
        image.write_text(json.dumps(await asyncio.to_thread(stored, directory / "programs" / "image.raw.zst")))
        with _disk(directory / "disk.img") as device:
            async with our_daemon(where, directory, "10.77.128.0-10.77.200.0"):
                for number in range(ROUNDS + 1):
                    for way in found:
                        seconds = await _written(where, way, device, image)
                        say(f"round {number}: {way} writes {SIZE / seconds / 1e6:.0f} MB/s")
                        found[way] += [SIZE / seconds / 1e6] if number else []
    return [figure({way: median(rates) for way, rates in found.items()})]


def figure(rates: dict[str, float]) -> Figure:
    """From the MB/s of each way."""
    better = max(rates[way] for way in BY_HAND)
    detail = ", ".join(f"{way} {rate:.0f} MB/s" for way, rate in rates.items())
    what = "disk delivery: the rate of curl | zstd -d | dd per ours"
    return Figure(NAME, what, better / rates["ours"], "", MOST, f"{detail}, medians of {ROUNDS}")


def stored(path: Path) -> dict[str, Any]:
    """Make the stored image; what the agent is told of it.

    A part of it is as random as programs are once they are packed, the rest are words: it shrinks to less than half.
    """
    noise = random.Random(NAME)
    words = [noise.randbytes(noise.randrange(4, 24)) for _ in range(4096)]
    with path.open("wb") as into:
        argv = ["zstd", "-q", "-3", "-T0", "--stdout"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=into) as packing:
            assert packing.stdin is not None
            for _ in range(SIZE // PIECE):
                text = b"".join(noise.choices(words, k=PIECE // 8))
                packing.stdin.write(noise.randbytes(RANDOM) + text[: PIECE - RANDOM])
            packing.stdin.close()
    if packing.returncode:
        raise ApplianceError("bench-image", f"zstd ended with {packing.returncode}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    told = {"url": URL, "token": "any", "size": SIZE, "format": "raw.zst"}
    return {**told, "stored_size": path.stat().st_size, "stored_sha256": digest}


@contextmanager
def _disk(file: Path) -> Iterator[Path]:
    """A block device of the image's size, all of whose blocks are there."""
    with file.open("wb") as made:
        os.posix_fallocate(made.fileno(), 0, SIZE)
    device, descriptor = loop.attach(file)
    try:
        fcntl.ioctl(descriptor, LOOP_SET_DIRECT_IO, 1)
        yield device
    finally:
        os.close(descriptor)


async def _written(where: Arena, way: str, device: Path, image: Path) -> float:
    """Seconds."""
    if way == "ours":
        argv = [sys.executable, "-m", "tests.benchmarks.simulated.disk_writer", str(device), str(image)]
        return float(await _ran(where, *argv))
    line = f"curl --silent --fail {URL} | zstd -d | dd of={device} bs=4M iflag=fullblock {BY_HAND[way]} status=none"
    begun = time.monotonic()
    await _ran(where, "bash", "-o", "pipefail", "-c", line)
    return time.monotonic() - begun


async def _ran(where: Arena, *argv: str) -> str:
    """What a program in the clients' network says, with all cores and privileges; raises ApplianceError."""
    inside = ["nsenter", "--target", str(where.client_pid), "--net", *argv]
    process = await asyncio.create_subprocess_exec(
        *inside, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=REPOSITORY
    )
    said, wrong = await process.communicate()
    if process.returncode:
        raise ApplianceError("bench-client", f"{argv[0]} ended with {process.returncode}: {wrong.decode()[-2000:]}")
    return said.decode()
