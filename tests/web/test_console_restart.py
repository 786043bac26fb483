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


async def test_a_page_goes_on_after_the_daemon_was_killed(visited: Visit, daemon: Daemon) -> None:
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
    assert visited.complaints == []


async def test_a_page_calls_itself_old_until_all_of_it_has_come_anew(visited: Visit, daemon: Daemon) -> None:
    """What happened while it was away it can only learn by loading itself."""
    page, held = visited.page, asyncio.Event()
    asked = asyncio.Event()

    async def hold(route: Route) -> None:
        asked.set()
        await held.wait()
        await route.continue_()

    daemon.end(signal.SIGKILL)
    await expect(page.locator(".stale")).to_have_text(LOST)
    await page.route("**/machines?*", hold)
    await page.route("**/machines", hold)
    greeted = asyncio.Event()
    page.on("websocket", lambda socket: socket.on("framereceived", lambda _: greeted.set()))
    daemon.start()
    async with asyncio.timeout(BACK / 1000):
        await greeted.wait()
        await asked.wait()
    await expect(page.locator("#tasks summary")).to_be_visible()
    await expect(page.locator("body")).to_have_class(re.compile("is-stale"))
    await expect(page.locator(".stale")).to_be_visible()
    held.set()
    await expect(page.locator(".stale")).to_be_hidden()
    assert visited.complaints == []


async def test_a_page_of_a_deleted_machine_says_so(visited: Visit) -> None:
    await visited.page.locator("tbody .c-name a").click()
    name = await visited.page.locator("h1").inner_text()
    other = await visited.context.new_page()
    await other.goto(visited.page.url)
    await other.click("summary:has-text('More') >> nth=-1")
    await other.get_by_role("link", name="Delete").click()
    await other.fill("#typed", name)
    await other.get_by_role("button", name=f"Delete {name}").click()
    await expect(other.locator("h2")).to_have_text("No machine yet")
    await expect(visited.page.locator("h1")).not_to_have_text(name)
