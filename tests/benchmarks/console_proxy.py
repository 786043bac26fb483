"""What a console of a VM costs on its way through the daemon, beside websockify: how much of it a second, and how late.

The same source (a socket that speaks RFB's greeting and then as much as it is let, or says back what it hears) behind
both, over TLS, in processes of their own; the same viewer before both.
"""

import asyncio
import json
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from appliance.errors import ApplianceError
from tests.benchmarks.figure import Figure

NAME = "console-proxy"
REPOSITORY = Path(__file__).parent.parent.parent
ROUNDS = 3
LEAST_RATIO = 1.5
"""Times websockify's rate."""
MOST_ADDED = 2.0
"""Milliseconds on top of the way without anything between."""


async def measure() -> list[Figure]:
    """Rates in turn, since the computer is not equally busy all the time; the better round of each counts."""
    rates: dict[str, list[float]] = {"ours": [], "websockify": []}
    delays: dict[str, list[float]] = {"ours": [], "websockify": [], "none": []}
    with TemporaryDirectory(prefix="qrm-bench-") as name:
        for _ in range(ROUNDS):
            for how in ("ours", "websockify"):
                async with _served(how, Path(name)) as at:
                    rates[how].append((await _asked(at, "rate"))["rate"])
                    delays[how] += (await _asked(at, "delay"))["delays"]
            async with _served("none", Path(name)) as at:
                delays["none"] += (await _asked(at, "delay"))["delays"]
    ours, theirs = max(rates["ours"]), max(rates["websockify"])
    late = {how: statistics.median(each) * 1000 for how, each in delays.items()}
    megabytes = f"ours {ours / 1e6:.0f} MB/s, websockify {theirs / 1e6:.0f} MB/s"
    there_and_back = ", ".join(f"{how} {value:.2f} ms" for how, value in late.items())
    return [
        Figure(NAME, "console over TLS: websockify's rate per ours", theirs / ours, "", 1 / LEAST_RATIO, megabytes),
        Figure(NAME, "console: added there and back", late["ours"] - late["none"], "ms", MOST_ADDED, there_and_back),
    ]


@asynccontextmanager
async def _served(how: str, directory: Path) -> AsyncIterator[dict[str, Any]]:
    """A proxy with its source, in a process; it says where it is as a line of JSON."""
    argv = [sys.executable, "-m", "tests.benchmarks.console_served", how, str(directory)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, cwd=REPOSITORY, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        async with asyncio.timeout(60):
            said = await process.stdout.readline()
        if not said:
            raise ApplianceError("bench-console", f"{how} did not start; what it says is above")
        yield json.loads(said)
    finally:
        process.stdin.close()
        await process.wait()


async def _asked(at: dict[str, Any], what: str) -> dict[str, Any]:
    """Each with a ticket of its own."""
    place = ("delay", "rate").index(what)
    asked = {**at, "what": what, "headers": at.get("headers", [])[place : place + 1]}
    argv = [sys.executable, "-m", "tests.benchmarks.console_viewer", json.dumps(asked)]
    viewer = await asyncio.create_subprocess_exec(*argv, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE)
    said, _ = await viewer.communicate()
    if viewer.returncode:
        raise ApplianceError("bench-console", "the viewer failed; what it says is above")
    answer: dict[str, Any] = json.loads(said)
    return answer
