"""Settings, General in a real browser: what changes is shown, done, and waited for, and the pages break no rule."""

from pathlib import Path

import pytest
from axe import AXE, told, violations
from browsing import ON_ONE_LOOP, Tab, new_tab, serving_on_one_loop
from playwright.async_api import Browser, expect
from settings_world import Paper

from tests.privileged.paper_computer import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180), ON_ONE_LOOP]
PAGE = "/settings/general"


async def test_settings_change_and_the_page_waits(browser: Browser, tmp_path: Path) -> None:
    paper, wrong = Paper(tmp_path / "paper"), list[str]()
    (tmp_path / "state").mkdir()
    async with (
        serving(tmp_path, paper.on) as privileged,
        serving_on_one_loop(tmp_path / "state", fleet=False, privileged=privileged) as console,
        new_tab(browser, console, reduced_motion="reduce") as tab,
    ):
        await tab.page.add_init_script(path=AXE)
        await tab.go(PAGE)
        wrong += told("general", await violations(tab))
        await tab.page.get_by_label("Host name").fill("not one word")
        await tab.page.get_by_role("button", name="Go on").click()
        await expect(tab.page.locator("#host_name-error")).to_contain_text("is no host name")
        wrong += told("refused", await violations(tab))
        await tab.page.get_by_label("Host name").fill("boot")
        await tab.page.get_by_role("button", name="Go on").click()
        await expect(tab.page.get_by_text("Host name: boot instead of appliance.")).to_be_visible()
        await tab.page.get_by_text("What changes in the file").click()
        wrong += told("plan", await violations(tab))
        await tab.page.get_by_role("button", name="Change the settings").click()
        await expect(tab.page.get_by_role("heading", name="The settings are changed")).to_be_visible()
        wrong += told("changed", await violations(tab))
        await expect(tab.page).to_have_url(f"{console.url}{PAGE}", timeout=60_000)
        await expect(tab.page.get_by_label("Host name")).to_have_value("boot", timeout=60_000)
        wrong += await _subnets(tab, paper)
        wrong += await _disks(tab, paper)
    assert wrong == [], "\n".join(wrong)


async def _subnets(tab: Tab, paper: Paper) -> list[str]:
    await tab.page.get_by_role("link", name="Serve nic2").click()
    wrong = told("new subnet", await violations(tab))
    await tab.page.get_by_role("button", name="Go on").click()
    await tab.page.get_by_role("button", name="Serve nic2").click()
    await expect(tab.page.get_by_role("heading", name="The settings are changed")).to_be_visible()
    await tab.go(f"{PAGE}/subnets/nic2/edit")
    wrong += told("subnet", await violations(tab))
    await tab.page.get_by_text("Seldom needed").click()
    await tab.page.get_by_label("DHCP options").fill("mtu = 9000\ntime-offset = 60")
    await tab.page.get_by_role("button", name="Go on").click()
    await tab.page.get_by_role("button", name="Change the settings of nic2").click()
    await expect(tab.page.get_by_role("heading", name="The settings are changed")).to_be_visible()
    assert 'mtu = "9000"\ntime-offset = "60"\n' in paper.text
    await tab.go(f"{PAGE}/subnets/nic2/delete")
    wrong += told("removal", await violations(tab))
    await tab.page.get_by_label("Type nic2 to go on").fill("nic2")
    await tab.page.get_by_role("button", name="Serve nic2 no more").click()
    await expect(tab.page.get_by_role("heading", name="The settings are changed")).to_be_visible()
    assert "nic2" not in paper.text
    return wrong


async def _disks(tab: Tab, paper: Paper) -> list[str]:
    await tab.go(f"{PAGE}/disks")
    wrong = told("disks", await violations(tab))
    await tab.page.get_by_label("WD-2").check()
    await tab.page.get_by_role("button", name="Go on").click()
    wrong += told("what is lost", await violations(tab))
    await tab.page.get_by_label("Type WD-2 to go on").fill("WD-2")
    await tab.page.get_by_role("button", name="Clear and use WD-2").click()
    await expect(tab.page.get_by_text("In the data group")).to_be_visible()
    assert paper.storage == ["WD-2"]
    return wrong
