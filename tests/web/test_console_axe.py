"""What opens over pages, refused forms and the log-in hold the rules as well that test_console_walk.py checks."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from axe import AXE, told, violations
from browsing import ON_ONE_LOOP, Tab, new_tab, serving_on_one_loop
from playwright.async_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), ON_ONE_LOOP]


async def open_drawer(page: Page) -> None:
    await page.click("#tasks summary")
    await expect(page.locator(".drawer")).to_be_visible()


async def open_palette(page: Page) -> None:
    await page.keyboard.press("Control+k")
    await page.locator("#palette input").fill("node-1")
    await expect(page.locator("#palette [aria-selected=true]")).to_contain_text("node-1")


async def open_palette_in_vain(page: Page) -> None:
    await page.keyboard.press("Control+k")
    await page.locator("#palette input").fill("nothing-of-that-name")
    await expect(page.locator("#palette .nothing")).to_be_visible()


async def open_menu(page: Page) -> None:
    await page.click(".actions details.menu summary")
    await page.locator(".actions .menu-items [aria-disabled]").first.focus()


async def choose_rows(page: Page) -> None:
    for row in (0, 2):
        await page.locator("input[name=chosen]").nth(row).check()
    await expect(page.locator(".bulk-acts")).to_be_visible()


async def open_details(page: Page) -> None:
    for part in await page.locator("details.raw summary").all():
        await part.click()


async def send_nonsense(page: Page) -> None:
    """Fill every field with what none takes, past the browser's own checks, and send the form."""
    await page.evaluate(
        """() => {
          const form = document.querySelector("main form[method=post]:has(.form-end)");
          form.noValidate = true;
          for (const input of form.querySelectorAll("input:not([type]), input[type=password], textarea"))
            input.value = "-Wröng <b> " + input.name;
          form.querySelectorAll(".form-end button").forEach((button) => (button.disabled = false));
        }"""
    )
    await page.click("main form[method=post] .form-end button >> nth=0")
    await expect(page.locator(".error, .banner.bad[role=alert]:not([hidden])").first).to_be_visible()


FORMS = (
    "/machines/m0006/edit",
    "/machines/m0006/rescue",
    "/machines/m0007/delete",
    "/machines/bulk?chosen=m0005&action=tag",
    "/deployments/new",
    "/deployments/web-1/edit",
    "/deployments/db-1/release",
    "/images/new",
    "/images/fetch/new",
    "/images/make/new",
    "/recipes/new",
    "/isos/new",
    "/isos/fetch/new",
    "/isos/debian-13-netinst/edit",
    "/images/debian-13/edit",
    "/kernels/new",
    "/kernels/maintenance/edit",
    "/storage/2/volumes/new",
    "/storage/2/volumes/00000000000000a2/grow",
    "/storage/2/volumes/00000000000000a4/delete",
    "/network/names/new",
    "/network/reservations/new",
    "/settings/users/new",
    "/settings/users/eva/delete",
    "/settings/certificate",
    "/account",
    "/account/tokens/new",
)
STATES: tuple[tuple[str, Callable[[Page], Awaitable[None]]], ...] = (
    ("/machines", open_drawer),
    ("/machines/m0003", open_drawer),
    ("/machines", open_palette),
    ("/settings", open_palette_in_vain),
    ("/machines/m0000", open_menu),
    ("/deployments/web-1", open_menu),
    ("/storage/1", open_menu),
    ("/machines", choose_rows),
    ("/deployments", choose_rows),
    ("/machines/m0007/timeline", open_details),
    *((path, send_nonsense) for path in FORMS),
)


async def test_every_state_of_a_page(browser: Browser, tmp_path: Path) -> None:
    """What opens over a page, and forms that were refused."""
    wrong: list[str] = []
    async with serving_on_one_loop(tmp_path) as serving, new_tab(browser, serving, reduced_motion="reduce") as tab:
        await tab.page.add_init_script(path=AXE)
        for path, change in STATES:
            await tab.page.set_viewport_size({"width": 1280, "height": 800})
            await tab.go(path)
            await change(tab.page)
            wrong += told(f"{path} {change.__name__}", await violations(tab))
    assert wrong == []


async def test_the_door(browser: Browser, tmp_path: Path) -> None:
    """Those who are not logged in yet, or whom the log-in refused."""
    async with serving_on_one_loop(tmp_path) as serving:
        context = await browser.new_context(ignore_https_errors=True, reduced_motion="reduce")
        tab = Tab(await context.new_page(), serving)
        await tab.page.add_init_script(path=AXE)
        await tab.page.goto(f"{serving.url}/login")
        wrong = told("/login", await violations(tab))
        await tab.page.fill("#name", "nobody")
        await tab.page.fill("#password", "wrong")
        await tab.page.click("button.primary")
        await expect(tab.page.locator(".banner.bad")).to_be_visible()
        wrong += told("/login refused", await violations(tab))
        await tab.page.goto(f"{serving.url}/setup?token=x")
        wrong += told("/setup", await violations(tab))
        await context.close()
    assert wrong == []
