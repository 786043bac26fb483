"""A person's browser: tabs of one log-in, with a witness in each, and pictures of what is on them."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from console_witness import SCRIPT, Witness
from playwright.async_api import BrowserContext, Page

from tests.chromium import chromium, complaints_of

PICTURES = Path(os.environ.get("QRM_SCREENSHOTS", Path(__file__).parents[2] / "build" / "screenshots"))
"""Where pictures are kept when the test has ended."""


@dataclass
class Tab:
    """One tab."""

    page: Page
    witness: Witness
    complaints: list[str]
    """What its console said, but for a server that was away."""
    visits: int = 0
    """How many pages it loaded."""

    async def picture(self, name: str, *, dark: bool = True) -> None:
        """Keep what is on it, in the light scheme and, if asked, in the dark one too."""
        for scheme in ("dark", "light") if dark else ("light",):
            await self.page.emulate_media(color_scheme=scheme)
            # Hiding the caret would put styles into the page, which its policy forbids.
            await self.page.screenshot(path=PICTURES / f"{name}.{scheme}.png", animations="disabled", caret="initial")


@dataclass
class Desk:
    """All tabs of one browser."""

    context: BrowserContext
    tabs: list[Tab] = field(default_factory=list)

    async def tab(self, name: str) -> Tab:
        """A new tab."""
        page, witness = await self.context.new_page(), Witness(name)
        tab = Tab(page, witness, complaints_of(page))
        await page.expose_function("witness", witness.note)
        await page.add_init_script(SCRIPT)
        page.on("load", _counter(tab))
        self.tabs.append(tab)
        return tab


def _counter(tab: Tab) -> Callable[[Page], None]:
    def count(_: Page) -> None:
        tab.visits += 1

    return count


@asynccontextmanager
async def sit_down(url: str) -> AsyncIterator[Desk]:
    """A browser whose pages are below ``url``; pictures go to ``PICTURES``."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with chromium() as browser:
        context = await browser.new_context(
            base_url=url, ignore_https_errors=True, viewport={"width": 1280, "height": 800}
        )
        yield Desk(context)
