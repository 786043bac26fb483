"""The flashed image, from power-on to a machine that it deployed and got back: the whole product in one story."""

from pathlib import Path

import pytest
from appliance_world import appliance_lab, plan, seed

from appliance.lab import ssh
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator
from appliance.lab.plan import plan_machine

pytestmark = [pytest.mark.vm, pytest.mark.timeout(2400)]


async def test_a_flashed_appliance_with_a_seed_serves_a_bare_machine(tmp_path: Path) -> None:
    async with appliance_lab(tmp_path, plan("bios"), (plan_machine(0, "bios"),), seed(), print) as appliance:
        await appliance.switch_on()
        await appliance.console_answers()
        lab = appliance.lab
        public = await ssh.make_key(lab.directory.ssh_key)
        async with appliance.user() as api:
            node = Operator(lab, api, lab.machine("node1"), "web-1", print)
            await node.become_idle()
            await node.change(maintenance=False)
            await node.deploy(public)
            await node.wait("active", DEPLOY_SECONDS)
            assert (await node.log_in("hostname")).stdout.strip() == "web-1", "found by its name, at the appliance"
            await node.act("release")
            await node.wait("idle", BOOT_SECONDS)
