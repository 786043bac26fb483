"""Netboot of the maintenance stack on BIOS, against the same kernel and initrd loaded by QEMU itself.

From the first DHCP packet to idle, divided by the time from the start of QEMU to idle when QEMU loads the very files
that were served, with the command line of a boot script that was just fetched. Both boots are those of a machine
that the appliance does not know yet. The firmware's own self-test comes before its first packet and is in the second
time only; the network transfers are in the first time only.
"""

import asyncio
import re
import statistics
import time
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.lab.operator import Operator
from appliance.lab.plan import DirectKernel, Start
from tests.benchmarks.bench import SERVER, Bench, became, moment
from tests.benchmarks.figure import Figure

MOST = 1.5
KERNEL = re.compile(r"kernel (?P<kernel>\S+) initrd=\S+ (?P<arguments>.*?) && initrd --name \S+ (?P<initrd>\S+) &&")


async def measure(bench: Bench) -> list[Figure]:
    """Alternate between the two and take the median of each."""
    operator = bench.operators[0]
    await bench.darken()
    netboots, directs = [], []
    for _ in range(bench.rounds):
        netboots.append(await _netboot(operator))
        address = str((await operator.look())["address"])
        await bench.forget(operator)
        directs.append(await _direct(bench, operator, address))
        await bench.forget(operator)
    netboot, direct = statistics.median(netboots), statistics.median(directs)
    detail = f"{netboot:.1f} s / {direct:.1f} s, medians of {bench.rounds}"
    return [Figure("boot", "first DHCP packet to idle / direct kernel load", netboot / direct, "", MOST, detail)]


async def _netboot(operator: Operator) -> float:
    before = time.time()
    await operator.become_idle()
    first = await moment(operator, before, lambda item: item["kind"] == "dhcp.seen")
    return await moment(operator, before, became("idle")) - first


async def _direct(bench: Bench, operator: Operator, address: str) -> float:
    await operator.machine.power_on(Start(await _as_served(bench, operator, address)))
    started = float((await operator.machine.status())["powered_on_at"])
    await operator.become_idle()
    return await moment(operator, started, became("idle")) - started


async def _as_served(bench: Bench, operator: Operator, address: str) -> DirectKernel:
    """The files and the command line that the machine, which is off, would get if it asked now."""
    plan = operator.machine.plan
    query = f"mac={plan.nics[0].mac}&uuid={plan.uuid}&serial={plan.serial}&platform=pcbios&buildarch=x86_64"
    script = await bench.fetch_as(address, f"{SERVER}/boot/script?{query}")
    found = KERNEL.search(script)
    if found is None:
        raise ApplianceError("bench-script", f"the boot script starts no kernel: {script[:300]}")
    kernel = await _file(bench, found["kernel"], "bench-kernel")
    return DirectKernel(kernel, await _file(bench, found["initrd"], "bench-initrd"), found["arguments"])


async def _file(bench: Bench, url: str, name: str) -> str:
    path: Path = bench.lab.directory.path / name
    if not await asyncio.to_thread(path.exists):
        await bench.fetch("--output", str(path), url)
    return str(path)
