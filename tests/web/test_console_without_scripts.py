"""The console in a browser that runs no scripts: every main flow is links and forms."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from browsing import ON_ONE_LOOP, Tab, new_tab, serving_on_one_loop
from playwright.async_api import Browser, expect

from appliance.store import deployments, machines, tasks

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), ON_ONE_LOOP]


@pytest_asyncio.fixture(loop_scope="module")
async def tab(browser: Browser, tmp_path: Path) -> AsyncIterator[Tab]:
    """Logged in through the form, without scripts."""
    async with serving_on_one_loop(tmp_path) as serving, new_tab(browser, serving, java_script_enabled=False) as opened:
        yield opened


async def test_a_machine_is_taken_out_of_maintenance(tab: Tab) -> None:
    await tab.page.goto(f"{tab.console.url}/machines?state=maintenance")
    await tab.page.click("text=node-18")
    await tab.page.click("text=Take out of maintenance")
    await expect(tab.page.locator(".actions")).to_contain_text("Put into maintenance")
    assert not (await tab.console.services.store.read(lambda db: machines.get(db, "m0007"))).maintenance


async def test_a_list_is_filtered_by_its_button(tab: Tab) -> None:
    await tab.page.goto(f"{tab.console.url}/machines")
    await tab.page.fill("form.filters input[type=search]", "node-1")
    await tab.page.click("form.filters button")
    await expect(tab.page.locator("p.summary")).to_have_text("9 of 15 machines")


async def test_a_deployment_is_made_and_started(tab: Tab) -> None:
    page = tab.page
    await page.goto(f"{tab.console.url}/deployments")
    await page.click("text=New deployment")
    await page.fill("#name", "by-hand")
    await page.select_option("#image", "debian-13")
    await page.click("button[name=show]")
    await expect(page.locator("#fits")).to_contain_text("machines would do")
    assert await page.input_value("#name") == "by-hand"
    await page.click("text=Create deployment")
    await expect(page.locator("h1")).to_have_text("Start by-hand")
    await page.click("button.primary")
    await expect(page.locator("h1")).to_have_text("by-hand")
    made = await tab.console.services.store.read(lambda db: deployments.get(db, "by-hand"))
    assert made.machine is not None


async def test_many_are_tagged(tab: Tab) -> None:
    page = tab.page
    await page.goto(f"{tab.console.url}/machines")
    for key in ("m0005", "m0006"):
        await page.check(f"input[value={key}]")
    await page.locator(".bulk-acts button", has_text="Tag").click()
    await expect(page.locator("h1")).to_have_text("Tag: 2 machines")
    await page.fill("#tags", "No Tag!")
    await page.click("button.primary")
    await expect(page.locator("#tags-error")).to_contain_text("cannot be a tag")
    await page.fill("#tags", "spare")
    await page.click("button.primary")
    await expect(page.locator("h1")).to_have_text("Tag 2 machines")
    task = await tab.console.services.store.read(lambda db: tasks.get(db, page.url.rpartition("/")[2]))
    assert task.arguments["action"] == "tag"


async def test_what_destroys_wants_its_name_and_says_when_it_is_wrong(tab: Tab) -> None:
    page = tab.page
    await page.goto(f"{tab.console.url}/images/rocky-10/delete")
    await page.fill("#typed", "rocky")
    await page.click("button.destroy")
    await expect(page.locator("#typed-error")).to_contain_text("Type exactly: rocky-10")
    await page.fill("#typed", "rocky-10")
    await page.click("button.destroy")
    await expect(page.locator("h1")).to_have_text("Images")
    await expect(page.locator("tbody")).not_to_contain_text("rocky-10")


async def test_anything_is_found_and_one_logs_out(tab: Tab) -> None:
    page = tab.page
    await page.goto(f"{tab.console.url}/")
    await page.click("text=Find anything")
    await page.fill("main input[type=search]", "node-13")
    await page.click("main .filters button")
    await page.click("#found a")
    await expect(page.locator("h1")).to_have_text("node-13")
    await page.click(".who button")
    await expect(page.locator("h1")).to_have_text("Log in")
