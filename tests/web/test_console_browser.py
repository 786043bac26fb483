"""What pages do in a real browser, over TLS and under their own policy."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import pytest_asyncio
from browsing import ON_ONE_LOOP, serving_on_one_loop
from console_seed import HOSTILE, a_progress
from console_server import PASSWORD, Console
from playwright.async_api import Browser, Page, Response, expect

from appliance.events import Event
from appliance.machine import MachineId, State
from appliance.reconcile.record import record
from appliance.reconcile.wishes import MachineChange
from appliance.store import machines
from tests.people import ADMIN

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), ON_ONE_LOOP]


@dataclass
class Tab:
    """One browser tab, logged in, and what its console complained about."""

    page: Page
    console: Console
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        """Go there and wait until the page has refreshed itself, which it does once when its socket opens.

        Three parts are fetched: the tasks when the page loads, then the tasks and the page's own part.
        """
        fetched: list[str] = []

        def note(response: Response) -> None:
            if "hx-request" in response.request.headers:
                fetched.append(response.url)

        self.page.on("response", note)
        await self.page.goto(self.console.url + path)
        while len(fetched) < 3:
            await self.page.wait_for_event("response")
        self.page.remove_listener("response", note)
        await self.page.wait_for_function("() => !document.querySelector('.htmx-request')")


@pytest_asyncio.fixture(loop_scope="module")
async def tab(browser: Browser, tmp_path: Path) -> AsyncIterator[Tab]:
    async with serving_on_one_loop(tmp_path) as serving:
        context = await browser.new_context(ignore_https_errors=True, viewport={"width": 1440, "height": 900})
        opened = Tab(await context.new_page(), serving)
        opened.page.on("console", lambda line: opened.complaints.append(f"{line.type}: {line.text}"))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        await opened.page.goto(f"{serving.url}/login")
        await opened.page.fill("#name", "admin")
        await opened.page.fill("#password", PASSWORD)
        await opened.page.click("text=Log in >> nth=-1")
        await expect(opened.page.locator("h1")).to_have_text("Overview")
        yield opened
        for each in browser.contexts:
            await each.close()


async def change(tab: Tab, key: str, made: Callable[[State], State], reason: str = "") -> None:
    """Let a machine change its state, and say so as the daemon does."""
    services = tab.console.services

    def job(db, tell):
        machine = machines.get(db, key)
        after = replace(machine, state=made(machine.state), failed_reason=reason)
        machines.put(db, after)
        tell(Event("machine.state", services.clock(), f"{machine.name} is {after.state}", machine=machine.id))

    await record(services.store, services.bus, job)


async def test_a_changed_row_is_tinted_and_nothing_jumps(tab: Tab) -> None:
    await tab.open("/machines")
    row = tab.page.locator("#machine-m0005")
    above = tab.page.locator("#machine-m0004")
    await row.locator("a").first.focus()
    before = await row.bounding_box()
    await tab.page.evaluate(
        "window.tinted = []; addEventListener('animationstart', e => window.tinted.push(e.target.id), true)"
    )
    await change(tab, "m0005", lambda _: State.FAILED, "the disk vanished")
    await expect(row).to_contain_text("the disk vanished")
    await tab.page.wait_for_function("() => window.tinted.includes('machine-m0005')")
    assert await row.bounding_box() == before
    assert await tab.page.evaluate("window.tinted") == ["machine-m0005"]
    assert await tab.page.evaluate("document.activeElement.closest('tr')?.id") == "machine-m0005"
    await expect(row).not_to_have_class("changed")
    await expect(above).to_contain_text("starting")


async def test_progress_moves_the_bar_at_once(tab: Tab) -> None:
    await tab.open("/machines")
    await expect(tab.page.locator("#tasks summary")).to_contain_text("3 tasks running")
    row = tab.page.locator("#machine-m0003")
    await expect(row.locator(".share")).to_have_text("28%")
    tab.console.services.bus.publish(a_progress(MachineId("m0003"), 0.9))
    await expect(row.locator(".share")).to_have_text("50%")
    await expect(tab.page.locator("#tasks [data-progress=m0003] .share").first).to_have_text("50%")


async def test_a_lost_connection_is_said_and_ends_by_itself(tab: Tab) -> None:
    await tab.open("/machines/m0005")
    banner = tab.page.locator(".stale")
    await expect(banner).to_be_hidden()
    await tab.page.context.set_offline(True)
    await tab.console.drop_sockets()
    await expect(banner).to_contain_text("Connection lost. What you see is from")
    await expect(tab.page.locator("body")).to_have_class("is-stale")
    await tab.console.services.wishes.change_machine("m0005", MachineChange(name="renamed"), ADMIN)
    await expect(tab.page.locator("h1")).to_have_text("node-16")
    await tab.page.context.set_offline(False)
    await expect(tab.page.locator("h1")).to_have_text("renamed", timeout=30_000)
    await expect(banner).to_be_hidden()


async def test_what_could_not_be_loaded_as_the_connection_broke_is_loaded_after_it(tab: Tab) -> None:
    await tab.open("/machines/m0005")
    await expect(tab.page.locator(".stale")).to_be_hidden()
    await tab.page.route("**/machines/m0005", lambda route: route.abort())
    await tab.console.services.wishes.change_machine("m0005", MachineChange(name="renamed"), ADMIN)
    await expect(tab.page.locator(".stale")).to_contain_text("Connection lost. What you see is from")
    await expect(tab.page.locator("h1")).to_have_text("node-16")
    await tab.page.unroute("**/machines/m0005")
    await expect(tab.page.locator("h1")).to_have_text("renamed", timeout=20_000)  # before the clock's refresh
    await expect(tab.page.locator(".stale")).to_be_hidden()


async def test_the_filter_is_in_the_address_and_stays(tab: Tab) -> None:
    await tab.open("/machines")
    await tab.page.locator("form.filters input[type=search]").press_sequentially("node-1")
    await expect(tab.page.locator("[role=status].summary")).to_have_text("9 of 15 machines")
    assert tab.page.url.endswith("/machines?q=node-1")
    await tab.page.select_option("form.filters select", "active")
    await expect(tab.page.locator("[role=status].summary")).to_have_text("3 of 15 machines")
    await change(tab, "m0000", lambda _: State.STOPPING)
    await expect(tab.page.locator("[role=status].summary")).to_have_text("2 of 15 machines")
    assert "q=node-1" in tab.page.url
    assert "state=active" in tab.page.url


async def test_anything_is_found_by_keys_alone(tab: Tab) -> None:
    await tab.open("/")
    await tab.page.keyboard.press("Control+k")
    box = tab.page.get_by_role("combobox", name="Find anything")
    await expect(box).to_be_focused()
    await box.press_sequentially("web-")
    chosen = tab.page.locator("#palette [aria-selected=true]")
    await expect(chosen).to_contain_text("web-1")
    await box.press("ArrowDown")
    await expect(chosen).to_contain_text("web-2")
    assert await box.get_attribute("aria-activedescendant") == await chosen.get_attribute("id")
    await box.press("Escape")
    await expect(box).to_be_hidden()
    await tab.page.keyboard.press("/")
    await box.press_sequentially("52:54:00")
    await expect(chosen).to_contain_text("machine")
    await box.fill("new dep")
    await expect(chosen).to_contain_text("New deployment")
    await box.press("Enter")
    await tab.page.wait_for_url("**/deployments/new")
    assert tab.complaints == []


async def test_who_types_on_at_once_after_closing_what_was_found_is_heard(tab: Tab) -> None:
    await tab.open("/")
    await tab.page.keyboard.press("Control+k")
    box = tab.page.get_by_role("combobox", name="Find anything")
    await expect(box).to_be_focused()
    # In one task, for the browser takes the focus out of a closed dialog only when it draws next.
    await box.evaluate("""box => {
        document.getElementById("palette").close();
        box.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true, cancelable: true}));
    }""")
    await expect(box).to_be_visible()
    assert tab.complaints == []


async def test_the_slash_goes_to_the_filter_of_a_list(tab: Tab) -> None:
    await tab.open("/machines")
    await tab.page.keyboard.press("/")
    await expect(tab.page.locator("form.filters input[type=search]")).to_be_focused()


async def test_times_are_told_in_the_zone_of_the_browser(tab: Tab) -> None:
    """The first page is loaded again once the browser has said where it is."""
    context = await tab.page.context.browser.new_context(ignore_https_errors=True, timezone_id="Asia/Kathmandu")
    page = await context.new_page()
    await page.goto(f"{tab.console.url}/login")
    await page.fill("#name", "admin")
    await page.fill("#password", PASSWORD)
    await page.click("text=Log in >> nth=-1")
    told = page.locator("ol.timeline time").first
    await expect(told).to_have_attribute("datetime", re.compile(r"\+05:45$"))
    await expect(told).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"))
    moment = (await told.get_attribute("datetime") or "").replace("T", " ").removesuffix("+05:45")
    assert await told.inner_text() == moment


async def test_what_was_opened_stays_open(tab: Tab) -> None:
    await tab.open("/machines/m0007/timeline")
    details = tab.page.locator("details.raw", has_text="host_name")
    await details.locator("summary").click()
    await tab.console.services.wishes.change_machine("m0007", MachineChange(notes="new"), ADMIN)
    await expect(tab.page.locator("ol.timeline li").first).to_contain_text("admin changed notes")
    assert await tab.page.locator("details.raw[open]").count() == 1
    await expect(tab.page.locator("details.raw[open]")).to_contain_text(HOSTILE)


async def test_the_form_shows_what_fits_while_one_chooses(tab: Tab) -> None:
    await tab.page.goto(f"{tab.console.url}/deployments/new")
    fits = tab.page.locator("#fits")
    await tab.page.fill("#name", "kept")
    await tab.page.select_option("#image", "debian-13")
    await expect(fits).to_contain_text("1 of 15 machines would do")
    await tab.page.select_option("#machine", "m0006")
    await expect(fits.locator("h2")).to_have_text("It could not start there now")
    await tab.page.select_option("#disk", "S4EVNX0R00006")
    await expect(fits).to_contain_text("It would run there")
    assert await tab.page.is_checked("input[value=named]")
    assert await tab.page.input_value("#name") == "kept"
    assert await tab.page.input_value("#machine") == "m0006"


async def test_a_dangerous_button_waits_for_the_word(tab: Tab) -> None:
    await tab.page.goto(f"{tab.console.url}/deployments/db-1/release")
    button = tab.page.get_by_role("button", name="Wipe S4EVNX0R00002 and release db-1")
    await expect(button).to_be_disabled()
    await tab.page.fill("#typed", "db-1")
    await button.click()
    await expect(tab.page.locator("h1")).to_have_text("db-1")


async def test_an_image_is_uploaded_and_a_refusal_keeps_the_form(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "disk.raw"
    file.write_bytes(bytes(1 << 20))
    await tab.page.goto(f"{tab.console.url}/images/new")
    await tab.page.fill("#name", "debian-13")
    await tab.page.set_input_files("#file", file)
    await tab.page.click("text=Upload >> nth=-1")
    await expect(tab.page.locator("[data-upload-error]")).to_contain_text("Another image is called debian-13")
    await tab.page.fill("#name", "mine")
    await tab.page.click("button.primary")
    await expect(tab.page.locator("h1")).to_have_text("mine")


async def test_a_kernel_is_uploaded_and_a_refusal_keeps_the_form(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "vmlinuz"
    file.write_bytes(b"#!/bin/sh")
    await tab.page.goto(f"{tab.console.url}/kernels/new")
    await tab.page.fill("#name", "trixie")
    await tab.page.set_input_files("#vmlinuz", file)
    await tab.page.click("button.primary")
    await expect(tab.page.locator("[data-upload-error]")).to_contain_text("no Linux kernel")
    file.write_bytes(b"\0" * 0x202 + b"HdrS")
    await tab.page.set_input_files("#vmlinuz", file)
    await tab.page.click("button.primary")
    await expect(tab.page.locator("tbody tr", has_text="trixie")).to_contain_text("just now")


async def test_who_types_fast_gets_what_was_typed(tab: Tab) -> None:
    """Enter comes before the list has answered: it is waited for."""
    await tab.page.goto(f"{tab.console.url}/settings")
    await tab.page.keyboard.press("/")
    await tab.page.keyboard.type("node-13")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("h1")).to_have_text("node-13")
