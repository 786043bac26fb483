"""What a VM uses and shows, in a real browser: drawn, kept current, and never wiped by what comes anew."""

from pathlib import Path

import pytest
from axe import AXE, told, violations
from browsing import ON_ONE_LOOP, new_tab, serving_on_one_loop
from console_seed_vms import DATABASE, HERE, WEB, VmsOnPaper
from playwright.async_api import Browser, expect

from appliance.events import Event, Measured

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240), ON_ONE_LOOP]
DRAWN = "#use figure .uplot canvas"


async def test_charts_of_an_hour_a_day_and_a_week(browser: Browser, tmp_path: Path) -> None:
    async with serving_on_one_loop(tmp_path) as serving, new_tab(browser, serving) as tab:
        page = tab.page
        await page.add_init_script(path=AXE)
        await tab.go(f"/vms/{WEB}")
        await expect(page.locator(DRAWN)).to_have_count(5)
        memory = page.locator("#use figure", has_text="Memory")
        await expect(memory.locator("[data-latest]").first).to_have_text("4.3 GB")
        await page.evaluate("document.querySelector('#use canvas').dataset.mine = 'drawn before'")
        serving.services.bus.publish(Event("vm.state", serving.services.clock(), "was seen", detail={"vm": WEB}))
        async with page.expect_response(lambda answer: "span=week" in answer.url) as asked:
            await page.locator("[data-chart-range]").select_option("week")
        assert (await asked.value).status == 200
        async with page.expect_response(lambda answer: "span=week" in answer.url):
            serving.services.bus.publish(Measured(HERE))
        await expect(page.locator("canvas[data-mine]")).to_have_count(1)
        await expect(page.locator("[data-chart-range]")).to_have_value("week")
        assert tab.complaints == []
        assert told("a VM", await violations(tab)) == []


async def test_a_screen_follows_what_is_on_it(browser: Browser, tmp_path: Path) -> None:
    async with serving_on_one_loop(tmp_path) as serving, new_tab(browser, serving) as tab:
        page, paper = tab.page, serving.services.vms
        assert isinstance(paper, VmsOnPaper)
        await tab.go(f"/vms/{WEB}")
        screen = page.get_by_role("img", name="What is on the screen of")
        await expect(screen).to_be_visible()
        assert await screen.evaluate("image => image.decode().then(() => image.naturalWidth)") == 2
        async with page.expect_response(lambda answer: "/screenshot?at=" in answer.url) as asked:
            serving.services.bus.publish(Measured(HERE))
        assert (await asked.value).status == 200
        await tab.go(f"/vms/{DATABASE}")
        await expect(page.locator("#use")).to_be_visible()
        await expect(page.locator("#screen")).to_have_count(0)
        assert tab.complaints == []


async def test_no_picture_is_said_in_words(browser: Browser, tmp_path: Path) -> None:
    async with serving_on_one_loop(tmp_path) as serving, new_tab(browser, serving) as tab:
        paper = serving.services.vms
        assert isinstance(paper, VmsOnPaper)
        paper.memories["here"].screen = b"nothing"
        await tab.go(f"/vms/{WEB}")
        await expect(tab.page.get_by_text("There is no picture of its screen now.")).to_be_visible()
