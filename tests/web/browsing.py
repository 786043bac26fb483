"""A browser over a console that serves: one tab, logged in, that notes what its console complains about."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from console_server import PASSWORD, Console, console
from playwright.async_api import Browser, Page, expect
from test_console_pages import PAGES

from tests.open_sockets import open_sockets

ON_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")
"""For files whose tests share ``browser``: it belongs to the loop that it was started on."""

PARTS = ("/tasks/strip", "/deployments/new/choices")
WHOLE = tuple(page for page in PAGES if not page.startswith(PARTS) and "/console" not in page)
"""Those that are no part of another, and no plain text; a VM's console has no frame around it."""
END_SECONDS = 40.0
"""Until a connection has ended that the browser does not end: asyncio's own patience with TLS, and some more."""
WIDER = "Math.max(...[...document.querySelectorAll('html, main')].map(e => e.scrollWidth - e.clientWidth))"
"""How many pixels a page is wider than what shows it."""


@dataclass
class Tab:
    """One browser tab, logged in, and what its console complained about."""

    page: Page
    console: Console
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """Open a page and wait for its strip of tasks, which scripts fetch."""
        await self.page.goto(self.console.url + path)
        await self.page.wait_for_selector("#tasks > *", state="attached")


async def log_in(page: Page, url: str, name: str = "admin") -> None:
    """By the form, as a person does."""
    await page.goto(f"{url}/login")
    await page.fill("#name", name)
    await page.fill("#password", PASSWORD)
    await page.click("button.primary")
    await expect(page.locator("h1")).to_have_text("Overview")


@asynccontextmanager
async def new_tab(browser: Browser, serving: Console, name: str = "admin", **options: Any) -> AsyncIterator[Tab]:
    """A tab of its own, of a user who is logged in; ``options`` are those of a browser's context."""
    context = await browser.new_context(ignore_https_errors=True, **options)
    tab = Tab(await context.new_page(), serving)
    tab.page.on("console", lambda line: tab.complaints.append(f"{line.type}: {line.text}"))
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    await log_in(tab.page, serving.url, name)
    tab.complaints.clear()
    try:
        yield tab
    finally:
        await context.close()


@asynccontextmanager
async def serving_on_one_loop(directory: Path, **given: Any) -> AsyncIterator[Console]:
    """A console whose connections have ended when it has: the loop goes on, and would end them in another test."""
    before = open_sockets()
    async with console(directory, **given) as serving:
        yield serving
    async with asyncio.timeout(END_SECONDS):
        while open_sockets() - before:
            await asyncio.sleep(0.01)
