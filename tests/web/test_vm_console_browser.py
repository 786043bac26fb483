"""Consoles of a VM in a real browser: the firmware of a real QEMU, its screen by noVNC, its serial line by xterm.js."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from browsing import ON_ONE_LOOP, WIDER, Tab, new_tab, serving_on_one_loop
from console_seed_vms import DATABASE, WEB
from firmware_screen import FirmwareConsoles, firmware_consoles
from playwright.async_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180), ON_ONE_LOOP]
SCREENSHOTS = Path(os.environ.get("QRM_SCREENSHOTS", "build/screenshots"))
SCREEN, SERIAL = f"/vms/{WEB}/console", f"/vms/{WEB}/console/serial"
LIT = """() => {
  const canvas = document.querySelector('[data-shown] canvas');
  if (!canvas) return 0;
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let lit = 0;
  for (let at = 0; at < data.length; at += 4) lit += data[at] > 64;
  return lit;
}"""
"""How many points of the screen are not dark."""


@asynccontextmanager
async def real_consoles(
    browser: Browser, directory: Path, **options: object
) -> AsyncIterator[tuple[Tab, FirmwareConsoles]]:
    async with (
        firmware_consoles() as firmware,
        serving_on_one_loop(directory) as console,
        new_tab(browser, console, **options) as tab,
    ):
        rooms = console.services.vms.parts.rooms  # type: ignore[attr-defined]
        for host in await rooms.known():
            rooms.driver(host).consoles = firmware
        yield tab, firmware


async def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png")


async def until_said(page: Page, words: str) -> None:
    await expect(page.locator(".xterm-rows")).to_contain_text(words, timeout=60_000)


async def test_the_screen_of_real_firmware(browser: Browser, tmp_path: Path) -> None:
    async with real_consoles(browser, tmp_path) as (tab, firmware):
        page = tab.page
        await page.goto(tab.console.url + SCREEN)
        await expect(page.locator("[data-told]")).to_have_text("Connected", timeout=30_000)
        await page.wait_for_function(f"({LIT})() > 500", timeout=60_000)
        await picture(page, "vm-screen")
        await page.get_by_text("Keys", exact=True).click()
        await picture(page, "vm-screen-keys")
        await page.get_by_role("button", name="Ctrl Alt Del", exact=True).click()
        await page.get_by_text("Clipboard", exact=True).click()
        await page.fill("#paste", "Root\n")
        await picture(page, "vm-screen-clipboard")
        await page.get_by_role("button", name="Type it").click()
        await tab.console.drop_sockets()
        await expect(page.locator("[data-notice] h2")).to_have_text("Connection lost")
        await picture(page, "vm-screen-lost")
        await expect(page.locator("[data-told]")).to_have_text("Connected", timeout=30_000)
        assert len(firmware.opened) == 2, "with a fresh ticket"
        await page.emulate_media(color_scheme="dark")
        await picture(page, "vm-screen-dark")
        await page.set_viewport_size({"width": 390, "height": 780})
        await picture(page, "vm-screen-phone")
        assert await page.evaluate(WIDER) <= 0
        assert tab.complaints == []


async def test_the_serial_line_of_real_firmware(browser: Browser, tmp_path: Path) -> None:
    async with real_consoles(browser, tmp_path) as (tab, firmware):
        page = tab.page
        await page.goto(tab.console.url + SERIAL)
        await expect(page.locator("[data-told]")).to_have_text("Connected", timeout=30_000)
        await until_said(page, "SeaBIOS")
        await until_said(page, "No bootable device")
        await picture(page, "vm-serial")
        other = await page.context.new_page()
        await other.goto(tab.console.url + SERIAL)
        await until_said(other, "No bootable device")
        await expect(other.locator("[data-told]")).to_have_text("Connected, 2 viewers")
        assert len(firmware.opened) == 1, "one reader for both"
        await other.close()
        await expect(page.locator("[data-told]")).to_have_text("Connected")
        await page.emulate_media(color_scheme="dark")
        await page.set_viewport_size({"width": 390, "height": 780})
        await page.get_by_text("Keys", exact=True).click()
        await picture(page, "vm-serial-phone")
        assert await page.evaluate(WIDER) <= 0
        firmware.process.kill()
        await firmware.process.wait()
        await expect(page.locator("[data-notice] h2")).to_contain_text("is off")
        assert tab.complaints == []


async def test_what_is_off_is_said_and_tried_again(browser: Browser, tmp_path: Path) -> None:
    async with real_consoles(browser, tmp_path) as (tab, _):
        await tab.page.goto(f"{tab.console.url}/vms/{DATABASE}/console")
        await expect(tab.page.locator("[data-notice] h2")).to_contain_text("is off")
        await expect(tab.page.locator("[data-told]")).to_contain_text("trying again")
        await picture(tab.page, "vm-off")
