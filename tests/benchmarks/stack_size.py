"""Bytes that an idle machine fetches: kernel and initrd of the maintenance stack, as served with the agent in it."""

import re

from tests.benchmarks.bench import SERVER, Bench
from tests.benchmarks.figure import Figure

MOST_MEGABYTES = 96
_LENGTH = re.compile(r"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_STACK = re.compile(r"(/stack/[0-9a-f]+)/vmlinuz")


async def measure(bench: Bench) -> list[Figure]:
    """Ask the server how long the files are."""
    plan = bench.lab.machines[-1].plan
    script = await bench.fetch(f"{SERVER}/boot/script?mac={plan.nics[0].mac}&uuid={plan.uuid}&platform=pcbios")
    found = _STACK.search(script)
    assert found, "an unknown machine is sent the maintenance stack"
    sizes = [await _size(bench, f"{SERVER}{found[1]}/{name}") for name in ("vmlinuz", "initrd")]
    detail = " + ".join(f"{size:.1f}" for size in sizes) + " MB, kernel and initrd"
    return [Figure("stack-size", "maintenance stack over the wire", sum(sizes), "MB", MOST_MEGABYTES, detail)]


async def _size(bench: Bench, url: str) -> float:
    found = _LENGTH.search(await bench.fetch("--head", url))
    assert found, "every answer with a file says how long it is"
    return int(found[1]) / 1e6
