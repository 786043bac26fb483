"""Access in a real browser: its cookie, a token that is copied, a log-in that ends while a page is open."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from browsing import ON_ONE_LOOP, serving_on_one_loop
from console_server import PASSWORD, Console
from playwright.async_api import Browser, BrowserContext, Page, expect

from appliance.web.auth import COOKIE, REPLACE_AFTER
from tests.chains import Signed
from tests.clock import Clock

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), ON_ONE_LOOP]


@dataclass
class Desk:
    """A console, and browsers to sit at."""

    console: Console
    browser: Browser
    clock: Clock

    async def sit(self) -> Page:
        """A browser of one's own, logged in."""
        context = await self.browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=self.console.url)
        page = await context.new_page()
        await page.goto(f"{self.console.url}/login")
        await page.fill("#name", "admin")
        await page.fill("#password", PASSWORD)
        await page.click("text=Log in >> nth=-1")
        await expect(page.locator("h1")).to_have_text("Overview")
        return page


@pytest_asyncio.fixture(loop_scope="module")
async def desk(browser: Browser, tmp_path: Path) -> AsyncIterator[Desk]:
    clock = Clock()
    async with serving_on_one_loop(tmp_path, clock=clock) as serving:
        yield Desk(serving, browser, clock)
        for context in browser.contexts:
            await context.close()


async def cookie_of(context: BrowserContext) -> str:
    (cookie,) = [each for each in await context.cookies() if each.get("name") == COOKIE]
    assert (cookie.get("httpOnly"), cookie.get("secure"), cookie.get("sameSite")) == (True, True, "Lax")
    return cookie.get("value", "")


async def test_the_cookie_is_replaced_while_one_works(desk: Desk) -> None:
    page = await desk.sit()
    first = await cookie_of(page.context)
    desk.clock.now += REPLACE_AFTER
    await page.goto(f"{desk.console.url}/machines")
    await expect(page.locator("h1")).to_have_text("Machines")
    await page.wait_for_load_state("networkidle")
    assert await cookie_of(page.context) != first
    desk.clock.now += 120
    await page.goto(f"{desk.console.url}/deployments")
    await expect(page.locator("h1")).to_have_text("Deployments")


async def test_a_token_is_copied(desk: Desk) -> None:
    page = await desk.sit()
    await page.goto(f"{desk.console.url}/account/tokens/new")
    await page.fill("#name", "ci")
    async with page.expect_navigation():  # until the page's own program runs, which copies
        await page.click("button:has-text('Make token')")
    await page.click("[data-copy-of]")
    await expect(page.locator("[data-copy-of]")).to_contain_text("Copied")
    token = await page.evaluate("navigator.clipboard.readText()")
    assert token.startswith("qrm_")
    assert token not in page.url


async def test_a_log_in_that_ends_takes_the_open_page_with_it(desk: Desk) -> None:
    mine, other = await desk.sit(), await desk.sit()
    await other.goto(f"{desk.console.url}/machines")
    await mine.goto(f"{desk.console.url}/account")
    await mine.locator("table.access form button").first.click()
    await expect(other).to_have_url(f"{desk.console.url}/login?next=%2Fmachines", timeout=20_000)


async def test_an_open_page_says_that_nobody_need_be_there(desk: Desk) -> None:
    page = await desk.sit()
    async with page.expect_request(lambda asked: "unattended" in asked.headers) as by_itself:
        await (await desk.sit()).goto(f"{desk.console.url}/account")  # a log-in is news, which pages show
    assert (await by_itself.value).headers["hx-request"] == "true"
    async with page.expect_request("**/machines") as clicked:
        await page.goto(f"{desk.console.url}/machines")
    assert "unattended" not in (await clicked.value).headers


async def test_a_certificate_is_pasted_and_shown_to_the_next_connection(desk: Desk) -> None:
    page, signed = await desk.sit(), Signed(names=("127.0.0.1",))
    await page.goto(f"{desk.console.url}/settings/certificate")
    await page.fill("#certificate_pem", signed.pem.decode())
    await page.fill("#key_pem", "nothing")
    await page.click("text=Check and use")
    await expect(page.locator("#key_pem-error")).to_be_visible()
    await page.fill("#key_pem", signed.key_pem.decode())
    await page.click("text=Check and use")
    await expect(page.locator(".card").first).to_contain_text("uploaded")
    fresh = await desk.sit()
    await fresh.goto(f"{desk.console.url}/settings/certificate")
    await fresh.click("text=Use the appliance's own")
    await fresh.click("text=Use the appliance's own certificate >> nth=-1")
    await expect(fresh.locator(".card").first).to_contain_text("renewed by itself")
