"""``PYTHONPATH=. python tests/setup/setup_look.py DIRECTORY``: every step of set-up as a picture, in both schemes."""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Browser, Page
from setup_server import Waiting, waiting

from tests.chromium import chromium

WIDTHS = {"wide": (1280, 900), "phone": (400, 860)}
Take = Callable[[str], Awaitable[None]]


async def walk(page: Page, serving: Waiting, take: Take) -> None:
    """Through all steps, with what goes wrong on the way."""
    await page.goto(serving.url + serving.link)
    await take("1-account")
    await page.fill("#name", "admin")
    await page.fill("#password", "correct horse battery")
    await page.fill("#again", "correct horse battery")
    await page.click("button.primary")
    await page.wait_for_url("**/setup/site")
    await page.fill("#time_zone", "Europe/Vienna")
    await page.fill("#host_name", "the host")
    await page.click("button.primary")
    await take("2-site-refused")
    await page.fill("#host_name", "boot")
    await page.fill("#domain", "rack.example")
    await take("2-site")
    await page.click("button.primary")
    await page.wait_for_url("**/setup/networks")
    await page.wait_for_selector("text=answers")
    await take("3-networks")
    await page.check("[name=management_by][value=fixed]")
    await page.fill("#management_address", "192.0.2.10/24")
    await page.click("text=Another router")
    await page.fill("#management_gateway", "10.1.1.1")
    await page.click("button.primary")
    await take("3-networks-refused")
    await page.fill("#management_gateway", "")
    await page.click("button.primary")
    await page.wait_for_selector("text=Use proxy mode")
    await take("3-networks-foreign")
    await page.check("[name=despite_dhcp]")
    await page.click("button.primary:has-text('Next')")
    await page.wait_for_url("**/setup/storage")
    await take("4-storage")
    await page.check("[value=WD-WX12D4000002]")
    await page.click("button.primary")
    await page.wait_for_selector("#confirm")
    await take("4-storage-lost")
    await page.fill("#confirm", "WD-WX12D4000002")
    await page.click("button.primary")
    await page.wait_for_url("**/setup/ready")
    await take("5-ready")
    await page.click("button.destroy")
    await page.wait_for_url("**/setup/wait")
    await page.wait_for_selector("text=is on")
    await take("6-wait")
    await page.goto(serving.url + "/setup/account")


async def look(browser: Browser, target: Path) -> None:
    """Take the pictures; their names say step, width and scheme."""
    for width, (x, y) in WIDTHS.items():
        for scheme in ("light", "dark"):
            with tempfile.TemporaryDirectory(prefix="setup-") as directory:
                async with waiting(Path(directory)) as serving:
                    serving.paper.dhcp["nic1"] = ("10.77.0.254",)
                    context = await browser.new_context(
                        ignore_https_errors=True, viewport={"width": x, "height": y}, color_scheme=scheme
                    )
                    page = await context.new_page()

                    async def take(name: str, page: Page = page, end: str = f"{width}.{scheme}") -> None:
                        await page.screenshot(path=target / f"{name}.{end}.png", full_page=True)

                    await walk(page, serving, take)
                    await context.close()


async def _main() -> None:
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    async with chromium() as browser:
        await look(browser, target)


if __name__ == "__main__":
    asyncio.run(_main())
