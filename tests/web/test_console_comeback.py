"""A page that is shown while the appliance begins anew: it goes on by itself, and never meets nobody."""

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from browsing import ON_ONE_LOOP, new_tab, serving_on_one_loop
from playwright.async_api import Browser, Page, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), ON_ONE_LOOP]

TEMPLATES = Path(__file__).parents[2] / "appliance/web/templates"
PAGES = ["restored.html", "restarting.html"]


@asynccontextmanager
async def shown(browser: Browser, directory: Path, template: str):
    """A page of the console with the line of the template that waits, and the address of the console."""
    (line,) = [each for each in (TEMPLATES / template).read_text().splitlines() if "data-comes-back" in each]

    async def with_line(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=(await answer.text()).replace("</main>", f"{line}</main>"))

    async with serving_on_one_loop(directory) as serving, new_tab(browser, serving) as tab:
        await tab.page.route("**/settings/updates?waits", with_line)
        yield tab.page, serving.url


async def begin(page: Page, url: str) -> None:
    await page.goto(f"{url}/settings/updates?waits")
    await expect(page.locator("[data-comes-back]")).to_have_count(1)


@pytest.mark.parametrize("template", PAGES)
async def test_the_page_goes_on_when_the_appliance_is_back(browser: Browser, tmp_path, template: str) -> None:
    asked: list[bool] = []

    async def away_for_a_while(route: Route) -> None:
        asked.append(len(asked) in (1, 2, 3))
        await (route.abort() if asked[-1] else route.continue_())

    async with shown(browser, tmp_path, template) as (page, url):
        await page.route("**/healthz", away_for_a_while)
        await begin(page, url)
        line = page.locator("[data-comes-back]")
        await expect(line).to_have_text("It is away now. This page goes on by itself when it is back.")
        await page.wait_for_url(lambda at: not at.endswith("waits"))
    assert asked == [False, True, True, True, False]


async def test_a_browser_that_is_refused_has_a_way_to_go_on_by_hand(browser: Browser, tmp_path) -> None:
    async with shown(browser, tmp_path, "restored.html") as (page, url):
        await page.clock.install()
        await page.route("**/healthz", lambda route: route.abort())
        await begin(page, url)
        link = page.locator("[data-comes-back] a")
        for _ in range(200):
            if await link.count():
                break
            await page.clock.run_for(1000)
        await expect(page.locator("[data-comes-back]")).to_contain_text("may have to ask again: open the console anew")
        await link.click()
        await page.wait_for_url(lambda at: not at.endswith("waits"))
