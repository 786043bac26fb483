"""Bytes that an idle machine fetches: kernel and initrd of the maintenance stack, as served with the agent in it."""

import re

from tests.benchmarks.bench import SERVER, Bench
from tests.benchmarks.figure import Figure

MOST_MEGABYTES = 96
_LENGTH = re.compile(r"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)


async def measure(bench: Bench) -> list[Figure]:
    """Ask the server how long the files are."""
    # Only a machine with a lease is told its path; it is named as its directory is.
    (stack,) = (bench.lab.directory.daemon_state / "stack").iterdir()
    sizes = [await _size(bench, f"{SERVER}/stack/{stack.name}/{name}") for name in ("vmlinuz", "initrd")]
    detail = " + ".join(f"{size:.1f}" for size in sizes) + " MB, kernel and initrd"
    return [Figure("stack-size", "maintenance stack over the wire", sum(sizes), "MB", MOST_MEGABYTES, detail)]


async def _size(bench: Bench, url: str) -> float:
    found = _LENGTH.search(await bench.fetch("--head", url))
    assert found, "every answer with a file says how long it is"
    return int(found[1]) / 1e6
