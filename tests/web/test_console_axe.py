"""Every page, in both schemes and both widths, holds the rules of WCAG 2.2 A and AA that axe-core can check."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import WHOLE, Tab, browsing, new_tab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"runOnly": TAGS, "resultTypes": ["violations"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
"""What differs between two schemes."""
WIDTHS = ((1280, 800), (400, 860))
RUN = """async (options) => (await axe.run(document, options)).violations.flatMap(
  (rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")}: ${node.any.concat(node.all, node.none)
    .map((check) => check.message).join("; ")}`))"""


async def violations(tab: Tab) -> list[str]:
    """What breaks a rule on the page as it is now, wide and narrow, light and dark."""
    found: list[str] = []
    page = tab.page
    for width, height in WIDTHS:
        await page.set_viewport_size({"width": width, "height": height})
        for scheme, options in (("light", EVERYTHING), ("dark", COLOURS)):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for each in await page.evaluate(RUN, options):
                found.append(f"{width} {scheme} {each}")
    return found


def told(path: str, found: list[str]) -> list[str]:
    return [f"{path} {each}" for each in found]


async def test_every_page(tmp_path: Path) -> None:
    wrong: list[str] = []
    async with browsing(tmp_path) as (serving, browser), new_tab(browser, serving, reduced_motion="reduce") as tab:
        await tab.page.add_init_script(path=AXE)
        for path in WHOLE:
            await tab.go(path)
            wrong += told(path, await violations(tab))
    assert wrong == []


