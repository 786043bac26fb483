"""A person who sets an appliance up: an address on its screen, all else in Chromium, at the link that it shows."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from appliance_world import MANAGEMENT, PASSWORD, USER, Appliance
from playwright.async_api import Page, async_playwright, expect
from serial_line import SerialLine

from tests.chromium import CHROMIUM, QUIET

RIGHT = "\x1b[C"
LINK = re.compile(r"https://[\d.]+:8443/setup\?token=[0-9A-Z-]+")
PATIENCE_MS = 180_000
"""For a page; its server is emulated."""


async def give_address(line: SerialLine, address: str) -> None:
    """Network settings on the screen: a fixed address on the first card, tried and kept."""
    await line.chooses("Network settings")
    await line.sees("How the console is reached")
    await line.types("1")
    await line.sees("See what it means")
    await line.types(f"\r{RIGHT}\r{address}\r\r\r\r")
    await line.sees("Type try to go on")
    await line.types("try\r")
    await line.sees("Does the network work?")
    await line.types("keep\r")
    await line.sees("The new settings are kept.")
    await line.types("\r")


async def setup_link(line: SerialLine) -> str:
    """The link on the first page."""
    await line.front()
    text = await line.until(lambda text: LINK.search(text) is not None, "set-up link")
    found = LINK.search(text)
    assert found
    return found[0]


@asynccontextmanager
async def tab(appliance: Appliance) -> AsyncIterator[Page]:
    """A tab of a browser in the management network, which takes the certificate whose fingerprint was compared."""
    async with async_playwright() as playwright:
        rule = f"--host-resolver-rules=MAP {MANAGEMENT}:8443 127.0.0.1:{appliance.port}"
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, rule])
        context = await browser.new_context(ignore_https_errors=True, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        try:
            yield await context.new_page()
        finally:
            await browser.close()


async def set_up(page: Page, link: str) -> None:
    """All five steps, and what follows, until the overview is there."""
    await page.goto(link)
    await page.fill("#name", USER)
    await page.fill("#password", PASSWORD)
    await page.fill("#again", PASSWORD)
    await page.click("button.primary")
    await page.wait_for_url("**/setup/site")
    await page.fill("#host_name", "rack1")
    await page.fill("#domain", "lab.test")
    await page.click("button.primary")
    await page.wait_for_url("**/setup/networks")
    await expect(page.locator("#management_nic")).to_have_value("nic0")
    await expect(page.locator("#management_address")).to_have_value(f"{MANAGEMENT}/24")
    await page.select_option("#provisioning_nic", "nic1")
    await page.fill("#provisioning_address", "10.77.0.1/24")
    await page.fill("#ranges", "10.77.0.50-10.77.0.200")
    await page.click("button.primary:has-text('Next')")
    await page.wait_for_url("**/setup/storage")
    await page.click("button.primary")
    await page.wait_for_url("**/setup/ready")
    await page.click("button.primary")
    await page.wait_for_url(re.compile(r":8443/$"))
    await expect(page.locator("h1")).to_be_visible()
