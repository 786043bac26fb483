"""A million made-up machines, abandoned transfers, floods of questions and slow readers: what a real machine feels."""

import asyncio
import tempfile
from pathlib import Path

from appliance.errors import ApplianceError
from tests.benchmarks.bench import say
from tests.benchmarks.figure import Figure
from tests.exhaustion.siege import BOOT_SECONDS, besiege

NAME = "exhaustion"
MACHINES, RATE = 1_000_000, 20_000
MOST_MEGABYTES = 200


async def measure() -> list[Figure]:
    """Memory of the daemon at the worst moment, and the slowest boot of a real machine meanwhile."""
    say(f"{MACHINES:,} made-up machines, {RATE:,} a second")
    with tempfile.TemporaryDirectory() as directory:
        try:
            siege = await asyncio.to_thread(besiege, Path(directory), MACHINES, RATE)
        except AssertionError as error:
            raise ApplianceError("bench-exhaustion", str(error)) from error
    words = siege.words()
    return [
        Figure(NAME, "memory of the daemon under a flood (RSS)", siege.most / 1e6, "MB", MOST_MEGABYTES, words),
        Figure(NAME, "slowest boot of a real machine meanwhile", max(siege.boots), "s", BOOT_SECONDS, words),
    ]
