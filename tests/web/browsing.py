"""A browser over a console that serves: one tab, logged in, that notes what its console complains about."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console_server import PASSWORD, Console, console
from playwright.async_api import Browser, Page, async_playwright, expect
from test_console_pages import PAGES

WHOLE = tuple(page for page in PAGES if not page.startswith(("/tasks/strip", "/deployments/new/choices")))
"""Those that are no part of another, and no plain text."""
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--no-first-run",
)
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
async def browsing(directory: Path, **given: Any) -> AsyncIterator[tuple[Console, Browser]]:
    """A console over a seeded fleet, and a browser."""
    async with console(directory, **given) as serving, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield serving, browser
        finally:
            await browser.close()
