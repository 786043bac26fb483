"""VMs in a real browser: the list stays current by itself, and one is made, switched off and deleted."""

from pathlib import Path

import pytest
from browsing import ON_ONE_LOOP, new_tab, serving_on_one_loop
from console_seed_vms import DATABASE, VmsOnPaper
from playwright.async_api import Browser, expect

from appliance.vm import VmState

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240), ON_ONE_LOOP]
LONG = 30_000
"""Milliseconds for a task to end."""


async def test_the_list_follows_what_happens_on_a_host(browser: Browser, tmp_path: Path) -> None:
    async with serving_on_one_loop(tmp_path) as serving, new_tab(browser, serving, reduced_motion="reduce") as tab:
        page, paper = tab.page, serving.services.vms
        assert isinstance(paper, VmsOnPaper)
        await tab.go("/vms")
        row = page.locator(f"#vm-{DATABASE}")
        await expect(row).to_contain_text("off")
        paper.memories["here"].put(DATABASE, VmState.CRASHED, "its system crashed")
        await expect(row).to_contain_text("crashed", timeout=LONG)
        await expect(row).to_contain_text("Its system crashed")
        paper.memories["here"].leave()
        await expect(row).to_contain_text("as it was", timeout=LONG)


async def test_one_is_made_by_the_form_then_shut_down_and_deleted(browser: Browser, tmp_path: Path) -> None:
    async with serving_on_one_loop(tmp_path) as serving, new_tab(browser, serving, reduced_motion="reduce") as tab:
        page = tab.page
        await tab.go("/vms")
        await page.get_by_role("link", name="New VM").click()
        await page.get_by_label("Name", exact=True).fill("shop")
        await page.locator("#disk0_from").select_option("pool:lab")
        await page.locator("#nic0_bridge").fill("br0")
        await page.get_by_role("button", name="Make the VM").click()
        await expect(page.locator("h1")).to_have_text("shop")
        await expect(page.locator(".state")).to_contain_text("running", timeout=LONG)
        await page.get_by_role("link", name="Shut down").click()
        await page.get_by_label("Wait for").fill("0")
        await page.get_by_role("button", name="Shut down shop").click()
        await expect(page.locator(".state")).to_contain_text("off", timeout=LONG)
        await page.locator(".head details.menu summary").last.click()
        await page.get_by_role("link", name="Delete").click()
        await page.get_by_role("link", name="Delete its disks as well").click()
        await expect(page.locator(".dies")).to_contain_text("shop-sda")
        await page.locator("#typed").fill("shop")
        await page.get_by_role("button", name="Delete shop and its disks").click()
        await expect(page.locator(".state").first).to_contain_text("done", timeout=LONG)
        await tab.go("/vms?q=shop")
        await expect(page.locator(".empty")).to_contain_text("No VM matches")
        assert tab.complaints == []
