"""The whole main job, on both firmwares, as ``make lab ARGS=--check`` runs it, from the command to its exit code."""

import asyncio
import json
import os
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

from appliance.errors import ApplianceError
from tests.benchmarks.bench import Bench
from tests.benchmarks.figure import Figure

MOST_AGAIN = 8 * 60
MOST_FRESH = 20 * 60


async def measure_again(bench: Bench) -> list[Figure]:
    """With everything built, as at the second time."""
    return [await _figure(bench, "lab-check", "qrm lab --check, second time", MOST_AGAIN, {})]


async def measure_fresh(bench: Bench) -> list[Figure]:
    """With an empty cache: the maintenance stack, the boot programs and the demo image are built first."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="qrm-bench-") as cache:
        what = "qrm lab --check, everything to build"
        return [await _figure(bench, "lab-check-fresh", what, MOST_FRESH, {"XDG_CACHE_HOME": cache})]


async def _figure(bench: Bench, name: str, what: str, most: int, environment: Mapping[str, str]) -> Figure:
    await bench.darken()
    report = bench.lab.directory.path / "check.json"
    argv = [sys.executable, "-m", "appliance", "lab", "--check", "--json", str(report)]
    before = time.monotonic()
    process = await asyncio.create_subprocess_exec(*argv, env={**os.environ, **environment}, stderr=PIPE)
    _, said = await process.communicate()
    seconds = time.monotonic() - before
    if process.returncode != 0:
        raise ApplianceError("bench-check", f"the check failed: {said.decode(errors='replace')[-2000:]}")
    return Figure(name, what, seconds, "s", most, await asyncio.to_thread(_phases, report))


def _phases(report: Path) -> str:
    machines = json.loads(report.read_text())["machines"]
    each = (
        f"{m['firmware']}: idle {m['phases']['idle']:.0f} s, active {m['phases']['active']:.0f} s" for m in machines
    )
    return "; ".join(each)
