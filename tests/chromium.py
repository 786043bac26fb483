"""Chromium as tests start it: the system's, and it asks nobody for anything."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--no-first-run",
)
AWAY = re.compile(
    r"WebSocket connection to|Failed to load resource: net::|net::ERR_|htmx:(sendError|timeout|afterRequest)"
)
"""What a browser itself says of a server that is not there."""


@asynccontextmanager
async def chromium(program: str | Path = CHROMIUM) -> AsyncIterator[Browser]:
    """A browser; ``program`` starts it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=QUIET)
        try:
            yield browser
        finally:
            await browser.close()


def complaints_of(page: Page) -> list[str]:
    """Filled with what the page's console says from here on, but for a server that is away."""
    found: list[str] = []

    def note(text: str) -> None:
        if not AWAY.search(text):
            found.append(text)

    page.on("console", lambda line: note(f"{line.type}: {line.text} ({page.url}, {line.location})"))
    page.on("pageerror", lambda error: note(str(error)))
    return found
