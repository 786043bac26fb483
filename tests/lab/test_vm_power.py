"""Power on a real machine, by the API alone: a deploy switches it on that was off, and off is seen to be off."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from appliance.lab.administrator import first_administrator
from appliance.lab.api import Api
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator, until
from appliance.lab.plan import LabPlan, plan_machine
from appliance.lab.run import listen

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(1800)]
SWITCH_SECONDS = 120


async def switched(api: Api, machine: str, action: str, confirm: str | None) -> dict[str, Any]:
    """Ask for it, and wait for the task."""
    task = await api.post(f"/machines/{machine}/power/{action}", confirm=confirm)

    async def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = await api.get(f"/tasks/{task['id']}")
        return found if found["ended"] else None

    async with asyncio.timeout(SWITCH_SECONDS):
        return await until(ended)


async def test_a_deploy_switches_a_machine_on_that_is_off(tmp_path: Path) -> None:
    daemon = (await build()).plan()
    with listen(None) as web:
        lab = Lab(LabPlan((plan_machine(0, "bios"),), daemon=daemon), web=web, base=tmp_path)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user:
            (machine,) = lab.machines
            operator = Operator(lab, user.api, machine, "web-1", lambda text: print(text, flush=True))
            await operator.become_idle()
            await operator.change(maintenance=False)
            await operator.give_switch()

            done = await switched(user.api, operator.id, "off", None)
            assert (done["status"], done["result"]) == ("done", {"power": "off"})
            assert not (await machine.status())["running"]

            await operator.deploy(user.public_key)
            seen = await operator.wait("active", BOOT_SECONDS + DEPLOY_SECONDS)
            assert (await machine.status())["running"]
            told = [each["text"] for each in await operator.timeline() if each["kind"] == "machine.power"]
            assert told.count(f"{seen['name']} was switched on") == 1
            assert (await operator.log_in("id -u")).stdout.strip() == "0"

            foreseen = await user.api.get(f"/machines/{operator.id}/consequences", action="power-off")
            assert foreseen["confirm"] == seen["name"]
            done = await switched(user.api, operator.id, "off", seen["name"])
            assert (done["status"], done["result"]) == ("done", {"power": "off"})
            assert not (await machine.status())["running"]
            seen = await operator.look()
            assert (seen["state"], seen["power"]["state"], seen["power"]["wanted"]) == ("active", "off", "off")
