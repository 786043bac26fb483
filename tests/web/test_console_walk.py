"""Every page in a real browser, walked through once and looked at by many tests."""

import time
from dataclasses import dataclass

import pytest
import pytest_asyncio
from axe import AXE, WIDTHS, told, violations
from browsing import WHOLE, WIDER, new_tab, serving_on_one_loop
from playwright.async_api import Browser

from tests.clock import Clock

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one page was like."""

    title: str
    complaints: list[str]
    """Of the browser, about what the page did."""
    violations: list[str]
    """Rules that it breaks, in both schemes and both widths."""
    wider: int
    """How many pixels it is wider than a phone."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """What each page was like, by its path; the clock stands still, and who asks to be let in goes on asking."""
    seen: dict[str, Seen] = {}
    directory = tmp_path_factory.mktemp("console")
    async with (
        serving_on_one_loop(directory, clock=Clock(time.time())) as serving,
        new_tab(browser, serving, reduced_motion="reduce") as tab,
    ):
        await tab.page.add_init_script(path=AXE)
        for path in WHOLE:
            width, height = WIDTHS[0]
            await tab.page.set_viewport_size({"width": width, "height": height})
            await tab.go(path)
            title = await tab.page.title()  # before the page may have said it anew
            broken = await violations(tab)
            seen[path] = Seen(title, [*tab.complaints], broken, await tab.page.evaluate(WIDER))
            tab.complaints.clear()
    return seen


def test_every_page_holds_the_rules_of_wcag(walk: dict[str, Seen]) -> None:
    """2.2, A and AA, as far as axe-core can check them."""
    assert [line for path, page in walk.items() for line in told(path, page.violations)] == []


def test_no_page_is_wider_than_a_phone(walk: dict[str, Seen]) -> None:
    assert {path: page.wider for path, page in walk.items() if page.wider > 0} == {}


def test_nothing_that_machines_say_runs_and_no_page_complains(walk: dict[str, Seen]) -> None:
    assert len(walk) == len(WHOLE)
    assert {path: page.title for path, page in walk.items() if "owned" in page.title} == {}
    assert {path: page.complaints for path, page in walk.items() if page.complaints} == {}
