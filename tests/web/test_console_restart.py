"""Open pages outlive the daemon: killed and started again, it is the real one, in a network of its own."""

import asyncio
import re
import shlex
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from daemon_namespace import Daemon, Namespace
from playwright.async_api import BrowserContext, Page, Route, expect

from tests.chromium import CHROMIUM, chromium, complaints_of

pytestmark = [pytest.mark.browser, pytest.mark.root, pytest.mark.timeout(240)]

PASSWORD = "analytical engines at night"
LOST = re.compile(r"^Connection lost\. What you see is from \d\d:\d\d:\d\d\. Trying to reconnect\.$")
LIST = re.compile(r"/machines(\?.*)?$")
BACK = 30_000
"""Milliseconds until a page has found the daemon again: it tries less often the longer it was away."""


@dataclass
class Visit:
    """A page that lists machines, in a browser that is beside the daemon; one machine is in the list."""

    context: BrowserContext
    page: Page
    complaints: list[str]

    async def rename(self, name: str) -> None:
        """As somebody else would, in another tab."""
        other = await self.context.new_page()
        await other.goto("/machines")
        await other.locator("tbody .c-name a").click()
        await other.get_by_role("link", name="Edit").click()
        await other.fill("#name", name)
        await other.click("text=Save")
        await expect(other.locator("h1")).to_have_text(name)
        await other.close()


def _program(namespace: Namespace, directory: Path) -> Path:
    """Starts Chromium in the namespace."""
    program = directory / "chromium"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(namespace.inside(CHROMIUM))} "$@"\n')
    program.chmod(0o755)
    return program


@asynccontextmanager
async def visit(namespace: Namespace, daemon: Daemon, directory: Path) -> AsyncIterator[Visit]:
    """Set up the daemon, let a machine boot, look at the list."""
    daemon.start()
    link = (daemon.path / "state/setup-url").read_text().splitlines()[0].strip()
    async with chromium(_program(namespace, directory)) as browser:
        context = await browser.new_context(base_url="https://127.0.0.1:8443", ignore_https_errors=True)
        page = await context.new_page()
        complaints = complaints_of(page)
        await page.goto(link)
        await page.fill("#name", "ada")
        for field in ("#password", "#again"):
            await page.fill(field, PASSWORD)
        await page.click("text=Create administrator")
        await page.locator("nav.side").get_by_role("link", name="Machines").click()
        await expect(page.locator("h2")).to_have_text("No machine yet")
        daemon.boot()
        await expect(page.locator("tbody tr")).to_contain_text("discovered")
        yield Visit(context, page, complaints)


@pytest.fixture
async def visited(namespace: Namespace, daemon: Daemon, tmp_path: Path) -> AsyncIterator[Visit]:
    async with visit(namespace, daemon, tmp_path) as found:
        yield found


async def test_an_open_page_outlives_the_daemon(visited: Visit, daemon: Daemon) -> None:
    await _it_goes_on_after_a_kill(visited, daemon)
    await _it_calls_itself_old_until_all_of_it_has_come_anew(visited, daemon)
    await _it_notices_that_nothing_is_answered(visited, daemon)
    assert visited.complaints == []


async def _it_goes_on_after_a_kill(visited: Visit, daemon: Daemon) -> None:
    banner, row = visited.page.locator(".stale"), visited.page.locator("tbody tr")
    loads: list[object] = []
    visited.page.on("load", lambda page: loads.append(page))
    assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    await expect(banner).to_have_text(LOST)
    await expect(row).to_contain_text("discovered")
    daemon.start()
    await expect(banner).to_be_hidden(timeout=BACK)
    await visited.rename("rack-1-top")
    await expect(row).to_contain_text("rack-1-top")
    assert loads == []
    await visited.page.locator("nav.side").get_by_role("link", name="Overview").click()
    await expect(visited.page.locator("h1")).to_have_text("Overview")


async def _it_calls_itself_old_until_all_of_it_has_come_anew(visited: Visit, daemon: Daemon) -> None:
    """What happened while it was away it can only learn by loading itself."""
    page, held, asked, greeted = visited.page, asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asked.set()
        await held.wait()
        await route.continue_()

    await page.locator("nav.side").get_by_role("link", name="Machines").click()
    await expect(page.locator("tbody tr")).to_be_visible()
    daemon.end(signal.SIGKILL)
    await expect(page.locator(".stale")).to_have_text(LOST)
    await page.route(LIST, hold)
    page.on("websocket", lambda socket: socket.on("framereceived", lambda _: greeted.set()))
    daemon.start()
    async with asyncio.timeout(BACK / 1000):
        await greeted.wait()
        await asked.wait()
    await expect(page.locator("body")).to_have_class(re.compile("is-stale"))
    await expect(page.locator(".stale")).to_be_visible()
    held.set()
    await expect(page.locator(".stale")).to_be_hidden()


async def _it_notices_that_nothing_is_answered(visited: Visit, daemon: Daemon) -> None:
    """As when the appliance loses its power: the connection does not end by itself. No waiting for the clock here."""
    await visited.page.unroute_all()
    await visited.page.evaluate("window.htmx.config.timeout = 500")
    daemon.process.send_signal(signal.SIGSTOP)
    await visited.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(visited.page.locator(".stale")).to_have_text(LOST)
    daemon.process.send_signal(signal.SIGCONT)
    await visited.page.evaluate("window.htmx.config.timeout = 20000")
    await expect(visited.page.locator(".stale")).to_be_hidden(timeout=BACK)


async def test_what_cannot_be_known_is_not_shown_as_true(visited: Visit) -> None:
    await _the_filter_came_with_the_first_machine(visited)
    await _it_calls_itself_old_while_it_gets_no_good_answer(visited)
    await _it_does_not_show_what_has_been_deleted(visited)


async def _the_filter_came_with_the_first_machine(visited: Visit) -> None:
    box = visited.page.locator("form[data-filter] input[type=search]")
    await expect(box).to_be_visible()
    await visited.page.keyboard.press("/")
    await expect(box).to_be_focused()
    await box.press_sequentially("nothing is called so")
    await expect(visited.page.locator("h2")).to_have_text("No machine matches")
    await box.press("Control+a")
    await box.press("Delete")
    await box.press("Enter")
    await expect(visited.page.locator("tbody tr")).to_contain_text("discovered")


async def _it_calls_itself_old_while_it_gets_no_good_answer(visited: Visit) -> None:
    page, banner = visited.page, visited.page.locator(".stale")
    await page.route(LIST, lambda route: route.fulfill(status=500))
    await visited.rename("rack-1-top")
    await expect(banner).to_have_text(re.compile("cannot tell what is true now. What you see is from"))
    await expect(page.locator("tbody tr")).not_to_contain_text("rack-1-top")
    await page.unroute(LIST)
    await visited.rename("rack-1-low")
    await expect(page.locator("tbody tr")).to_contain_text("rack-1-low")
    await expect(banner).to_be_hidden()


async def _it_does_not_show_what_has_been_deleted(visited: Visit) -> None:
    await visited.page.locator("tbody .c-name a").click()
    await expect(visited.page.locator("h1")).to_have_text("rack-1-low")
    other = await visited.context.new_page()
    await other.goto(f"{visited.page.url}/delete")
    await other.fill("#typed", "rack-1-low")
    await other.get_by_role("button", name="Delete rack-1-low").click()
    await expect(other.locator("h2")).to_have_text("No machine yet")
    await expect(visited.page.locator("h1")).not_to_have_text("rack-1-low")
