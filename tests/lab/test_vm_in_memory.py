"""A deployment that runs from memory on real firmware: by kexec, by reboot, restarted by itself, stopped, released."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vm_live_image import NAME, made

from appliance.lab.administrator import Administrator, first_administrator
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator, until
from appliance.lab.plan import LabPlan, plan_machine
from appliance.lab.run import listen

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(3000)]

MEMORY_MIB = 1536
WHERE = "findmnt -no FSTYPE,SOURCE /; grep -c '^/dev/[vs]d' /proc/mounts; cat /proc/sys/kernel/hostname"
TOLD = "ls /run/qrm /qrm 2>&1; true"
"""Where the hand-over initrd had what it was told."""


@asynccontextmanager
async def machine(base: Path, firmware: Any, **more: Any) -> AsyncIterator[tuple[Lab, Administrator, Operator]]:
    """A machine with an empty disk, idle, out of maintenance."""
    artefacts = await build()
    live = await asyncio.to_thread(made, artefacts.demo)
    daemon = replace(artefacts.plan(), preload=(str(live),))
    with listen(None) as web:
        plan = plan_machine(0, firmware, memory_mib=MEMORY_MIB, **more)
        lab = Lab(LabPlan((plan,), daemon=daemon), web=web, base=base)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user:
            operator = Operator(lab, user.api, lab.machines[0], "web-1", lambda text: print(text, flush=True))
            await operator.become_idle()
            await operator.change(maintenance=False)
            yield lab, user, operator


async def deploys(user: Administrator, operator: Operator) -> None:
    wanted = {"name": "web-1", "image": NAME, "delivery": "ram", "machine": operator.id}
    await user.api.post("/deployments", **wanted, ssh_keys=[user.public_key])
    await operator.act("start")
    await operator.wait("active", DEPLOY_SECONDS + BOOT_SECONDS)


async def runs_in_memory(operator: Operator) -> None:
    """Its root is an overlay in memory, under the deployment's name, with the host key that the console shows."""
    root, disks, name = (await operator.log_in(WHERE)).stdout.splitlines()
    assert root.split()[0] == "overlay"
    assert (disks, name) == ("0", "web-1")
    assert (await operator.log_in(TOLD)).stdout.count("No such file") == 2


async def latest(user: Administrator) -> int:
    return max(int(each["id"]) for each in await user.api.items("/events"))


async def event(user: Administrator, kind: str, after: int) -> dict[str, Any]:
    async def told() -> dict[str, Any] | None:
        found = await user.api.items("/events", kind=kind)
        return next((each for each in found if each["id"] > after), None)

    async with asyncio.timeout(BOOT_SECONDS):
        return dict(await until(told))


async def test_a_system_runs_from_memory_and_touches_no_disk(tmp_path: Path) -> None:
    async with machine(tmp_path, "bios") as (lab, user, operator):
        disk = lab.directory.path / operator.machine.plan.disks[0].file
        assert disk.stat().st_blocks == 0
        await deploys(user, operator)
        await runs_in_memory(operator)
        keys = (await user.api.get("/deployments/web-1"))["host_keys"]

        since = await latest(user)
        await operator.log_in("touch /root/lost; (sleep 1; systemctl reboot) >/dev/null 2>&1 &")
        await event(user, "root.asked", since)
        await user.api.post(f"/machines/{operator.id}/admit")
        await event(user, "resident.active", since)
        assert (await operator.log_in("ls /root/lost 2>&1; true")).stdout.startswith("ls: cannot access")
        await runs_in_memory(operator)
        assert (await user.api.get("/deployments/web-1"))["host_keys"] == keys, "it is the same computer"

        await operator.act("stop")
        await operator.wait("stopped", BOOT_SECONDS)
        await operator.change(hand_over="reboot")
        await operator.act("start")
        await operator.wait("active", BOOT_SECONDS)
        await runs_in_memory(operator)
        await operator.act("release")
        await operator.wait("idle", BOOT_SECONDS)
        assert disk.stat().st_blocks == 0, "nothing was ever written to it"


@pytest.mark.parametrize("more", [{}, {"secure_boot": True}], ids=["uefi", "secure-boot"])
async def test_uefi_machines_run_from_memory_by_kexec_and_by_reboot(tmp_path: Path, more: dict[str, Any]) -> None:
    async with machine(tmp_path, "uefi", **more) as (_, user, operator):
        await deploys(user, operator)
        await runs_in_memory(operator)
        await operator.act("stop")
        await operator.wait("stopped", BOOT_SECONDS)
        await operator.change(hand_over="reboot")
        await operator.act("start")
        await operator.wait("active", BOOT_SECONDS)
        await runs_in_memory(operator)
