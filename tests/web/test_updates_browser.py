"""Uploading an update in a real browser: piece by piece with scripts, over a line that is lost; as a form without."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from browsing import ON_ONE_LOOP, Tab, new_tab, serving_on_one_loop
from playwright.async_api import Browser, Route, expect

from tests.privileged.paper_box import Box
from tests.privileged.paper_computer import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120), ON_ONE_LOOP]
PAGE = "/settings/updates"


@asynccontextmanager
async def updates_tab(browser: Browser, directory: Path, *, scripts: bool = True) -> AsyncIterator[tuple[Tab, Box]]:
    box = Box(directory / "box")
    box.bundle.unlink()
    async with (
        serving(directory, box.computer) as privileged,
        serving_on_one_loop(box.bundle.parent.parent, fleet=False, privileged=privileged) as console,
        new_tab(browser, console, java_script_enabled=scripts) as tab,
    ):
        await tab.page.goto(console.url + PAGE)
        yield tab, box


def a_file(directory: Path) -> Path:
    file = directory / "new.raucb"
    file.write_bytes(os.urandom(9 << 20))
    return file


async def test_a_lost_line_is_gone_on_with(browser: Browser, tmp_path: Path) -> None:
    file, pieces = a_file(tmp_path), list[str]()

    async def cut_second(route: Route) -> None:
        pieces.append(route.request.headers["content-range"])
        await (route.abort("connectionreset") if len(pieces) == 2 else route.continue_())

    async with updates_tab(browser, tmp_path) as (tab, box):
        await tab.page.route("**/appliance/update/upload/*", cut_second)
        await tab.page.set_input_files("#file", file)
        await tab.page.get_by_role("button", name="Upload", exact=True).click()
        await expect(tab.page.locator("main")).to_contain_text("Install version 0.5.0", timeout=60_000)
        assert box.bundle.read_bytes() == file.read_bytes()
    assert len(pieces) == 3
    assert pieces[1] == pieces[2], "the lost one is sent once more, and nothing else"


async def test_a_later_visit_goes_on_and_another_file_is_refused(browser: Browser, tmp_path: Path) -> None:
    file, pieces = a_file(tmp_path), list[str]()

    async def cut(route: Route) -> None:
        pieces.append(route.request.headers["content-range"])
        await (route.abort("connectionreset") if len(pieces) > 1 else route.continue_())

    async with updates_tab(browser, tmp_path) as (tab, box):
        await tab.page.route("**/appliance/update/upload/*", cut)
        await tab.page.set_input_files("#file", file)
        await tab.page.get_by_role("button", name="Upload", exact=True).click()
        await expect(tab.page.locator("[data-upload-note]")).to_contain_text("The line was lost", timeout=60_000)
        await tab.page.unroute("**/appliance/update/upload/*")
        await tab.page.goto(tab.console.url + PAGE)
        await expect(tab.page.locator("main")).to_contain_text("new.raucb is half uploaded by admin: 8.4 MB of 9.4 MB")
        other = tmp_path / "other.raucb"
        other.write_bytes(b"x" * 1000)
        await tab.page.set_input_files("#file", other)
        await tab.page.get_by_role("button", name="Upload", exact=True).click()
        await expect(tab.page.locator("[data-upload-error]")).to_contain_text("Another update is half uploaded")
        await tab.page.set_input_files("#file", file)
        await tab.page.get_by_role("button", name="Upload", exact=True).click()
        await expect(tab.page.locator("main")).to_contain_text("Install version 0.5.0", timeout=60_000)
        assert box.bundle.read_bytes() == file.read_bytes()


async def test_a_file_that_cannot_be_read_any_more_is_no_lost_line(browser: Browser, tmp_path: Path) -> None:
    file, pieces = a_file(tmp_path), list[str]()

    async def change_before_second(route: Route) -> None:
        pieces.append(route.request.headers["content-range"])
        if len(pieces) == 1:
            file.write_bytes(b"something else")
            os.utime(file, (1, 1))
        await route.continue_()

    async with updates_tab(browser, tmp_path) as (tab, _):
        await tab.page.route("**/appliance/update/upload/*", change_before_second)
        await tab.page.set_input_files("#file", file)
        await tab.page.get_by_role("button", name="Upload", exact=True).click()
        await expect(tab.page.locator("[data-upload-error]")).to_contain_text("cannot be read any more", timeout=60_000)
        await expect(tab.page.get_by_role("button", name="Upload", exact=True)).to_be_enabled()


async def test_a_silent_line_is_given_up(browser: Browser, tmp_path: Path) -> None:
    file, held = a_file(tmp_path), asyncio.Event()

    async def hold(_: Route) -> None:
        held.set()

    async with updates_tab(browser, tmp_path) as (tab, _):
        await tab.page.clock.install()
        await tab.page.route("**/appliance/update/upload/*", hold)
        await tab.page.set_input_files("#file", file)
        await tab.page.get_by_role("button", name="Upload", exact=True).click()
        await held.wait()
        await tab.page.clock.run_for(59_000)
        await expect(tab.page.locator("[data-upload-note]")).to_have_text("")
        await tab.page.clock.run_for(2_000)
        await expect(tab.page.locator("[data-upload-note]")).to_contain_text("The line was lost")


async def test_without_scripts_the_form_is_sent(browser: Browser, tmp_path: Path) -> None:
    file = a_file(tmp_path)
    async with updates_tab(browser, tmp_path, scripts=False) as (tab, box):
        await tab.page.set_input_files("#file", file)
        await tab.page.get_by_role("button", name="Upload", exact=True).click()
        await expect(tab.page.locator("main")).to_contain_text("Install version 0.5.0", timeout=60_000)
        assert box.bundle.read_bytes() == file.read_bytes()
