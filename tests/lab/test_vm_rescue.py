"""Rescue on a real machine: SSH with the key and nothing else, disks left alone, and a fresh stack afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from vm_rescue import REFUSED, Rescuer

from appliance.lab.administrator import Administrator, first_administrator
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator
from appliance.lab.plan import LabPlan, plan_machine
from appliance.lab.run import listen

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(1500)]

MOUNTED_DISKS = "grep -c '^/dev/[a-z]*[vs]d' /proc/mounts; cat /proc/mdstat 2>/dev/null; dmsetup ls"


@asynccontextmanager
async def one_machine(base: Path) -> AsyncIterator[tuple[Lab, Administrator, Operator, Rescuer]]:
    """A BIOS machine with somebody's ext4 on its first disk, on, idle."""
    daemon = (await build()).plan()
    with listen(None) as web:
        lab = Lab(LabPlan((plan_machine(0, "bios", disks=2),), daemon=daemon), web=web, base=base)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user:
            (machine,) = lab.machines
            operator = Operator(lab, user.api, machine, "web-1", lambda text: print(text, flush=True))
            foreign = lab.directory.path / machine.plan.disks[0].file
            make = await asyncio.create_subprocess_exec("mke2fs", "-q", "-t", "ext4", "-F", str(foreign), "64M")
            assert await make.wait() == 0
            await operator.become_idle()
            yield lab, user, operator, Rescuer(lab, user, operator)


async def test_an_idle_machine_is_rescued_restarts_by_itself_and_comes_back(tmp_path: Path) -> None:
    async with one_machine(tmp_path) as (lab, user, operator, rescuer):
        foreign = lab.directory.path / operator.machine.plan.disks[0].file
        before = await asyncio.to_thread(foreign.read_bytes)
        await rescuer.rescue()
        assert (await rescuer.log_in("id -u")).strip() == "0"
        assert (await rescuer.log_in("echo /dev/[vs]d?")).split() == ["/dev/vda", "/dev/vdb"]
        assert (await rescuer.log_in(MOUNTED_DISKS)).splitlines()[0] == "0"
        assert "ssh_host" not in await rescuer.log_in("ls /etc/ssh"), "no host key comes with the stack"
        for refused in (await rescuer.with_another_key(), await rescuer.with_a_password()):
            assert refused.status == 255
            assert REFUSED in refused.stderr

        first = rescuer.shown
        assert [each.split(":")[0] for each in first["fingerprints"]] == ["SHA256"] * len(first["host_keys"])
        await rescuer.restart()
        await rescuer.opened(since=first["since"])
        assert set(rescuer.shown["host_keys"]).isdisjoint(first["host_keys"])
        assert (await rescuer.log_in("id -u")).strip() == "0"

        await rescuer.end()
        idle = await operator.wait("idle", BOOT_SECONDS)
        assert (idle["rescue"], idle["maintenance"]) == (None, True)
        assert await rescuer.is_shut()
        assert await asyncio.to_thread(foreign.read_bytes) == before
        said = (await user.api.get(f"/machines/{operator.id}/boot-messages"))["stack"]["text"]
        assert "Linux version" in said.splitlines()[0]


async def test_a_running_system_is_mended_in_rescue_and_started_again(tmp_path: Path) -> None:
    async with one_machine(tmp_path) as (_, user, operator, rescuer):
        await operator.change(maintenance=False)
        await operator.deploy(user.public_key, operator.machine.plan.disks[1].serial)
        await operator.wait("active", DEPLOY_SECONDS + BOOT_SECONDS)
        await rescuer.rescue()
        assert (await rescuer.log_in(MOUNTED_DISKS)).splitlines()[0] == "0"
        await rescuer.log_in("mount /dev/vdb3 /mnt && echo mended >/mnt/root/marker")  # and is left mounted
        await rescuer.end()
        await operator.wait("stopped", BOOT_SECONDS)
        await operator.act("start")
        await operator.wait("active", BOOT_SECONDS)
        assert (await operator.log_in("cat /root/marker")).stdout.strip() == "mended"
        said = await user.api.get(f"/machines/{operator.id}/boot-messages")
        assert "Linux version" in said["system"]["text"].splitlines()[0]
