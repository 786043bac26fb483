"""What a VM uses and shows, by ``qrm``."""

import asyncio
from pathlib import Path

import pytest
from cli_world import Cli
from vm_bench import HostsOfMemory

from appliance.hypervisor.memory import Kept
from appliance.reconcile.vm_statistics import screens
from appliance.vm import Vm, VmId, VmState
from appliance.vm_usage import DiskUse, Usage

WEB = Vm(VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e"), "web1", memory=64 << 20)


async def running(qrm: Cli) -> HostsOfMemory:
    vms = qrm.world.services.vms
    assert isinstance(vms, HostsOfMemory)
    memory = await vms.host()
    memory.kept[WEB.id] = Kept("0123456789abcdef", WEB)
    memory.put(WEB.id, VmState.RUNNING)
    return vms


async def test_figures_of_a_vm(qrm: Cli) -> None:
    vms = await running(qrm)
    assert "Nothing was measured" in (await qrm.run("vms", "statistics", "web1")).out
    now, wall = asyncio.get_running_loop().time(), qrm.world.clock()
    for number, read in enumerate((0, 20_000_000, 80_000_000)):
        used = Usage(WEB.id, 1, number * 5 * 10**9, 1 << 30, None, (DiskUse("sda", read, 0, 0, 0),), ())
        vms.figures.sampling.known.take("one", [used], now - 20 + number * 10, wall - 20 + number * 10)
    said = " ".join((await qrm.run("vms", "statistics", "web1", "--last", "hour")).out.split())
    assert "processor cores 0.50 0.50 0.50" in said
    assert "read from disks, MB per second 6.00 4.00 6.00" in said
    assert "used in it" not in said, "no driver in it tells"
    found = (await qrm.run("vms", "statistics", "web1", "--json")).json
    assert (found["live"]["memory"], len(found["time"])) == (1 << 30, 3)
    assert "vm-unknown" in (await qrm.run("vms", "statistics", "nobody", code=4)).err


async def test_the_screen_of_a_vm(qrm: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vms, file = await running(qrm), tmp_path / "screen.png"
    assert str(file) in (await qrm.run("vms", "screenshot", "web1", str(file))).out
    assert file.read_bytes().startswith(b"\x89PNG")
    vms.memories["one"].put(WEB.id, VmState.OFF)
    monkeypatch.setattr(screens, "FRESH", 0.0)
    other = tmp_path / "off.png"
    assert "vm-state" in (await qrm.run("vms", "screenshot", "web1", str(other), code=4)).err
    assert not other.exists()
