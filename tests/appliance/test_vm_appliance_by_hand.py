"""The flashed image under Secure Boot, set up by a person, with two bare machines beside it."""

import asyncio
from pathlib import Path

import pytest
from appliance_world import PASSWORD, USER, appliance_lab, plan
from by_hand import give_address, set_up, setup_link, tab
from serial_line import SerialLine

from appliance.lab import ssh
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator
from appliance.lab.plan import plan_machines

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(3600)]


async def test_an_appliance_set_up_by_hand_under_secure_boot_serves_both_firmwares(tmp_path: Path) -> None:
    appliance_plan = plan("uefi", secure_boot=True)
    async with appliance_lab(tmp_path, appliance_plan, plan_machines(2, "mixed"), "", print) as appliance:
        line = SerialLine(appliance.machine)
        await appliance.switch_on()
        await line.sees("not reachable: no address", BOOT_SECONDS)
        await give_address(line, "10.78.0.10/24")
        await appliance.console_answers()
        async with tab(appliance) as page:
            try:
                await set_up(page, await setup_link(line))
            finally:
                await page.screenshot(path=tmp_path / "set-up.png", full_page=True)
        await appliance.machine.screenshot(tmp_path / "tty1.png")
        async with line.shell(USER, PASSWORD) as shell:
            assert "locked down" in await shell.do("dmesg | grep -i 'locked down from EFI Secure Boot'")
            assert await shell.do("systemctl list-units --failed --plain --no-legend | cat") == ""
            assert "ro" in (await shell.do("findmnt --noheadings --output OPTIONS /")).split(",")
            assert "Read-only" in await shell.do("touch /usr/changed 2>&1 || true")
            await shell.do("journalctl --rotate && ls /var/log/journal/*/system@*.journal")
            await shell.do("journalctl --unit=systemd-journald | grep --quiet 'max 512'")
        async with appliance.user() as api:
            lab = appliance.lab
            nodes = [Operator(lab, api, each, f"web-{each.name}", print) for each in lab.machines[1:]]
            async with asyncio.TaskGroup() as both:
                for node in nodes:
                    both.create_task(node.become_idle())
            public = await ssh.make_key(lab.directory.ssh_key)
            node = nodes[1]
            await node.change(maintenance=False)
            await node.deploy(public)
            await node.wait("active", DEPLOY_SECONDS)
            assert (await node.log_in("hostname")).stdout.strip() == node.deployment
            await node.act("release")
            await node.wait("idle", BOOT_SECONDS)
