"""What the process takes, and how late its loop is."""

import asyncio
import time

import pytest

from appliance.metrics import process, pulse
from appliance.metrics.pulse import Pulse


def test_the_process_as_the_kernel_sees_it() -> None:
    assert 10e6 < process.memory_bytes() < 10e9
    before = process.cpu_seconds()
    while process.cpu_seconds() == before:
        sum(range(100_000))
    with open("/dev/null") as opened:
        several = process.open_descriptors()
    assert process.open_descriptors() == several - 1
    assert opened.closed


async def test_a_loop_that_is_held_up_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "EVERY", 0.02)
    beat = Pulse()
    running = asyncio.ensure_future(beat.run())  # noqa: TID251 - cancelled below
    await asyncio.sleep(0)
    time.sleep(0.2)
    async with asyncio.timeout(10):
        while not beat.lag.total:
            await asyncio.sleep(0.01)
    running.cancel()
    assert beat.worst() >= 0.15
    assert beat.worst() == 0.0, "each delay is told once"
