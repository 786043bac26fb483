"""Set-up in Chromium: the whole way, with what goes wrong on it; nothing typed is lost, and nobody is locked out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from axe import AXE, COLOURS, EVERYTHING, RUN
from paper import FULL
from playwright.async_api import Page, Route, async_playwright, expect
from setup_look import walk
from setup_server import Waiting, waiting

from appliance.setup.conduct import TAKEN_BACK
from tests.chromium import CHROMIUM, QUIET

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NEW = "192.0.2.10"
PASSWORD = "correct horse battery"
REFUSED = "Failed to load resource: the server responded with a status of 4"


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[tuple[Waiting, Page, list[str]]]:
    """An appliance that waits, also under its new address, and a tab with what it complains about."""
    async with waiting(directory, hosts=(NEW,)) as serving, async_playwright() as playwright:
        rule = f"--host-resolver-rules=MAP {NEW}:8443 127.0.0.1:{serving.port}"
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, rule])
        context = await browser.new_context(ignore_https_errors=True, reduced_motion="reduce")
        page = await context.new_page()
        said: list[str] = []
        page.on("console", lambda line: said.append(line.text) if not line.text.startswith(REFUSED) else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        try:
            yield serving, page, said
        finally:
            await browser.close()


@pytest.fixture
async def tab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Waiting, Page, list[str]]]:
    monkeypatch.setattr("appliance.setup.conduct.LATE_SECONDS", 0.0)
    async with opened(tmp_path) as found:
        yield found


async def become_administrator(serving: Waiting, page: Page) -> None:
    await page.goto(serving.url + serving.link)
    await page.fill("#name", "eva")
    await page.fill("#password", PASSWORD)
    await page.fill("#again", PASSWORD)
    await page.click("button.primary")
    await page.wait_for_url("**/setup/site")


async def answer(page: Page, *, fixed: bool) -> None:
    """All steps, from the second one on to the last."""
    await page.click("button.primary")
    await page.wait_for_url("**/setup/networks")
    if fixed:
        await page.check("[name=management_by][value=fixed]")
        await page.fill("#management_address", f"{NEW}/24")
    await page.click("button.primary:has-text('Next')")
    await page.wait_for_url("**/setup/storage")
    await page.click("button.primary")
    await page.wait_for_url("**/setup/ready")


@pytest.mark.slow
async def test_every_step_keeps_the_rules_of_access(tab: tuple[Waiting, Page, list[str]]) -> None:
    """axe-core, wide and narrow, light and dark; no page is wider than its window."""
    serving, page, said = tab
    await page.add_init_script(path=AXE)
    wrong: list[str] = []

    async def take(name: str) -> None:
        for width in (1280, 390):
            await page.set_viewport_size({"width": width, "height": 844})
            for scheme, options in (("light", EVERYTHING), ("dark", COLOURS)):
                await page.emulate_media(color_scheme=scheme)
                wrong.extend(f"{name} {width} {scheme} {each}" for each in await page.evaluate(RUN, options))
            wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wider > 0:
                wrong.append(f"{name} {width} is {wider} pixels too wide")

    serving.paper.dhcp["nic1"] = ("10.77.0.254",)
    await walk(page, serving, take)
    assert wrong == []
    assert said == []


async def test_what_was_typed_and_never_sent_outlives_a_reload(tab: tuple[Waiting, Page, list[str]]) -> None:
    serving, page, said = tab
    await become_administrator(serving, page)
    await page.fill("#host_name", "boot")
    await page.reload()
    await expect(page.locator("#host_name")).to_have_value("boot")
    await page.click("button.primary")
    await page.wait_for_url("**/setup/networks")
    await page.check("[name=management_by][value=fixed]")
    await page.fill("#management_dns", "192.0.2.53")
    await page.select_option("#provisioning_nic", "nic2")
    await page.check("[name=nat]")
    await page.click("text=Back")
    await page.wait_for_url("**/setup/site")
    await expect(page.locator("#host_name")).to_have_value("boot")
    await page.click("button.primary")
    await page.wait_for_url("**/setup/networks")
    await expect(page.locator("#management_dns")).to_have_value("192.0.2.53")
    await expect(page.locator("#provisioning_nic")).to_have_value("nic2")
    await expect(page.locator("[name=nat]")).to_be_checked()
    assert said == []


@pytest.mark.slow
async def test_fields_are_there_for_what_was_chosen(tab: tuple[Waiting, Page, list[str]]) -> None:
    serving, page, said = tab
    await become_administrator(serving, page)
    await page.click("button.primary")
    await page.wait_for_url("**/setup/networks")
    await expect(page.locator("#management_address")).to_be_hidden()
    await page.check("[name=management_by][value=fixed]")
    await expect(page.locator("#management_address")).to_be_visible()
    await page.select_option("#dhcp", "proxy")
    await expect(page.locator("#ranges")).to_be_hidden()
    await page.select_option("#provisioning_nic", "nic0")
    await expect(page.locator("#provisioning_address")).to_be_hidden()
    await expect(page.locator("[name=nat]")).to_be_hidden()
    await page.select_option("#provisioning_nic", "later")
    await expect(page.locator("#dhcp")).to_be_hidden()
    assert said == []


async def test_a_moved_console_is_followed_to_its_new_address(tab: tuple[Waiting, Page, list[str]]) -> None:
    serving, page, _ = tab
    await become_administrator(serving, page)
    await answer(page, fixed=True)
    await page.click("button.primary")
    await page.wait_for_url("**/setup/wait")
    await expect(page.locator("[data-message]")).to_have_text("The new network is on.")
    await expect(page.locator("main")).to_contain_text(f"https://{NEW}:8443")
    await page.route(f"{serving.url}/**", lambda route: route.abort())  # the old address is silent from here on
    await page.wait_for_url(f"https://{NEW}:8443/", timeout=60_000)
    await expect(page.locator("h1")).to_have_text("Overview")
    assert serving.paper.done[-4:] == ["try", "keep", "write", "restart"]


@pytest.mark.slow
async def test_a_console_that_stays_confirms_by_itself(tab: tuple[Waiting, Page, list[str]]) -> None:
    serving, page, said = tab
    await become_administrator(serving, page)
    await answer(page, fixed=False)
    await page.click("button.primary")
    await expect(page.locator("h1")).to_have_text("Overview", timeout=60_000)
    assert serving.paper.done[-4:] == ["try", "keep", "write", "restart"]
    assert serving.paper.written
    assert [each for each in said if "WebSocket" not in each] == []


@pytest.mark.slow
async def test_nobody_is_sent_to_a_console_that_starts_anew(tab: tuple[Waiting, Page, list[str]]) -> None:
    """It says that all is done, is away for a while, and knows of no set-up then: only now it is gone to."""
    serving, page, _ = tab
    await become_administrator(serving, page)
    await answer(page, fixed=False)
    asked: list[str] = []
    done = {"phase": "done", "message": "The appliance is set up", "left": None}

    async def starts_anew(route: Route) -> None:
        found = await route.fetch()
        if not asked and found.status != 404:
            await route.fulfill(response=found)
            return
        asked.append(route.request.url.rpartition("/")[2])
        if len(asked) == 1:
            await route.fulfill(json=done)
        elif len(asked) < 4:
            await route.abort()
        else:
            await route.fulfill(response=found)

    await page.route("**/setup/progress", starts_anew)
    await page.route("**/setup", lambda route: route.abort() if len(asked) < 4 else route.continue_())
    await page.click("button.primary")
    await expect(page.locator("h1")).to_have_text("Overview", timeout=60_000)
    assert asked == ["progress"] * 4


@pytest.mark.slow
async def test_a_browser_that_refuses_a_new_certificate_finds_a_way_on(tab: tuple[Waiting, Page, list[str]]) -> None:
    """Its scripts meet nobody, whoever answers: only a page that is opened asks the user again."""
    serving, page, _ = tab
    await become_administrator(serving, page)
    await answer(page, fixed=False)
    refuses = True

    async def refuse(route: Route) -> None:
        await (route.abort("failed") if refuses else route.continue_())

    await page.route("**/setup/progress", refuse)
    await page.clock.install()
    await page.click("button.primary")
    await page.wait_for_url("**/setup/wait")
    said = page.locator("[data-refused]")
    await expect(said).to_be_hidden()
    await page.clock.fast_forward("00:35")
    await expect(said).to_be_visible()
    refuses = False
    await said.get_by_role("link", name="open the page anew").click()
    await expect(page.locator("h1")).to_have_text("Overview", timeout=60_000)


@pytest.mark.slow
async def test_nobody_who_arrives_has_the_old_network_again(tab: tuple[Waiting, Page, list[str]]) -> None:
    serving, page, _ = tab
    serving.paper.seconds = 1.0
    await become_administrator(serving, page)
    await answer(page, fixed=True)
    await page.click("button.primary")
    await page.wait_for_url("**/setup/wait")
    await page.wait_for_url("**/setup/ready", timeout=60_000)
    await expect(page.locator("[role=alert]")).to_contain_text(TAKEN_BACK.partition(";")[0][1:])
    assert serving.paper.written is None


@pytest.mark.slow
async def test_a_disk_with_content_goes_only_when_it_was_typed(tab: tuple[Waiting, Page, list[str]]) -> None:
    serving, page, _ = tab
    await become_administrator(serving, page)
    await answer(page, fixed=False)
    await page.goto(f"{serving.url}/setup/storage")
    await page.check(f"[value={FULL.serial}]")
    await page.click("button.primary")
    await expect(page.locator(".dies")).to_contain_text("ext4 (backup)")
    await page.fill("#confirm", "yes")
    await page.click("button.primary")
    await expect(page.locator("#confirm-error")).to_contain_text(FULL.serial)
    await page.fill("#confirm", FULL.serial)
    await page.click("button.primary")
    await page.wait_for_url("**/setup/ready")
    await expect(page.locator("button.destroy")).to_have_text("Clear the disks and set up")
