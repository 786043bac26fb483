"""The flashed image, from power-on to a machine that it deployed and got back: the whole product in one story."""

from pathlib import Path

import pytest
from appliance_world import MANAGEMENT_MAC, PROVISIONING_MAC, appliance_lab, plan
from argon2 import PasswordHasher

from appliance.lab import ssh
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator
from appliance.lab.plan import plan_machine

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(2400)]

PASSWORD = "a long one, for this appliance only"
SEED = f"""
[account]
name = "anna"
password_hash = "{PasswordHasher().hash(PASSWORD)}"

[site]
host_name = "rack1"
domain = "lab.test"

[management]
nic = "{MANAGEMENT_MAC}"
address = "10.78.0.10/24"

[provisioning]
nic = "{PROVISIONING_MAC}"
address = "10.77.0.1/24"
ranges = ["10.77.0.50-10.77.0.200"]
"""


async def test_a_flashed_appliance_with_a_seed_serves_a_bare_machine(tmp_path: Path) -> None:
    async with appliance_lab(tmp_path, plan("bios"), (plan_machine(0, "bios"),), SEED, print) as appliance:
        await appliance.switch_on()
        await appliance.console_answers()
        lab = appliance.lab
        public = await ssh.make_key(lab.directory.ssh_key)
        async with appliance.user("anna", PASSWORD) as api:
            node = Operator(lab, api, lab.machine("node1"), "web-1", print)
            await node.become_idle()
            await node.change(maintenance=False)
            await node.deploy(public)
            await node.wait("active", DEPLOY_SECONDS)
            assert (await node.log_in("hostname")).stdout.strip() == "web-1", "found by its name, at the appliance"
            await node.act("release")
            await node.wait("idle", BOOT_SECONDS)
