"""Storage in a real browser: the golden image and its clones, by keys, live, in a directory and in memory."""

from pathlib import Path

import pytest
from axe import AXE, told, violations
from browsing import ON_ONE_LOOP, new_tab, serving_on_one_loop
from console_seed_storage import CUSTOMER, LAB
from playwright.async_api import Browser, Page, expect

from appliance.accounts import Asker, Role
from appliance.reconcile.volume_wishes import VolumeWish

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240), ON_ONE_LOOP]
EVA = Asker("eva", Role.OPERATOR, "192.0.2.31")
LONG = 30_000
"""Milliseconds for a task to end."""


async def press(page: Page, word: str) -> None:
    await page.get_by_role("button", name=word, exact=True).click()


async def follow(page: Page, word: str) -> None:
    await page.get_by_role("main").get_by_role("link", name=word, exact=True).first.click()


async def from_menu(page: Page, word: str) -> None:
    """What is of less use every day."""
    await page.locator(".head details.menu summary").click()
    await page.locator(".head .menu-items").get_by_text(word, exact=True).click()


async def task_ends(page: Page, name: str) -> None:
    """What takes long leads to its task, and from there to what it has made."""
    await expect(page.locator(".state").first).to_contain_text("done", timeout=LONG)
    await follow(page, name)
    await expect(page.locator("h1")).to_have_text(name)


async def test_the_golden_image_story_in_a_directory(browser: Browser, tmp_path: Path) -> None:
    """From no pool at all to a clone that is rolled back, grown and deleted."""
    (tmp_path / "state").mkdir()
    (tmp_path / "volumes").mkdir()
    async with (
        serving_on_one_loop(tmp_path / "state", fleet=False) as serving,
        new_tab(browser, serving, reduced_motion="reduce") as tab,
    ):
        page = tab.page
        await tab.go("/storage")
        await expect(page.locator(".empty")).to_contain_text("No pool yet")
        await page.locator(".empty").get_by_role("link", name="New pool").click()
        await expect(page.get_by_label("LVM, thin")).to_be_disabled()
        await page.locator("#name").fill("files")
        await page.locator("#place").fill(str(tmp_path / "nowhere"))
        await press(page, "Go on")
        await expect(page.locator("#place-error")).to_contain_text("there is no directory")
        await page.locator("#place").fill(str(tmp_path / "volumes"))
        await press(page, "Go on")
        await task_ends(page, "files")
        await _golden(page, tmp_path / "volumes")
        await _customer(page)
        assert [each for each in tab.complaints if "status of 4" not in each] == [], "but for what was refused"


async def _golden(page: Page, place: Path) -> None:
    await follow(page, "New volume")
    await expect(page.locator("#size-note")).to_contain_text("at most now")
    await page.locator("#name").fill("webserver")
    await page.get_by_label("Size").fill("9999 TiB")
    await press(page, "Make the volume")
    await expect(page.locator("#size-error")).to_be_visible()
    await page.get_by_label("Size").fill("8 MiB")
    await press(page, "Make the volume")
    await expect(page.locator("h1")).to_have_text("webserver")
    await from_menu(page, "Call it golden")
    await expect(page.locator(".head .tag")).to_have_text("golden")
    assert any(place.iterdir())


async def _customer(page: Page) -> None:
    await follow(page, "Clone")
    await page.locator("#name").fill("customer1")
    await press(page, "Clone webserver")
    await task_ends(page, "customer1")
    await expect(page.locator(".facts")).to_contain_text("webserver")
    await follow(page, "Snapshot")
    await page.locator("#name").fill("before-the-update")
    await press(page, "Make the snapshot")
    await task_ends(page, "before-the-update")
    await follow(page, "customer1")
    await page.get_by_role("link", name="Roll back to before-the-update").click()
    await expect(page.locator("form.confirm")).to_contain_text("What was written to it since is lost")
    roll_back = page.get_by_role("button", name="Roll back to before-the-update")
    await expect(roll_back).to_be_disabled()
    await page.get_by_label("Type customer1 to go on").fill("customer1")
    await roll_back.click()
    await task_ends(page, "customer1")
    await follow(page, "Grow")
    await page.get_by_label("Size").fill("12 MiB")
    await press(page, "Grow it")
    await expect(page.locator(".facts").first).to_contain_text("12 MiB")
    await from_menu(page, "Delete")
    await page.get_by_label("Type customer1 to go on").fill("customer1")
    await press(page, "Delete customer1")
    await expect(page.locator("h1")).to_have_text("files")
    await expect(page.locator(".volumes-list tbody tr")).to_have_count(2)
    await expect(page.locator(".volumes-list")).not_to_contain_text("customer1")


async def test_a_list_follows_what_others_do(browser: Browser, tmp_path: Path) -> None:
    async with serving_on_one_loop(tmp_path) as serving, new_tab(browser, serving) as tab:
        await tab.go(f"/storage/{LAB}")
        await tab.page.get_by_placeholder("Name or id").fill("customer")
        await expect(tab.page.locator(".volumes-list tbody tr")).to_have_count(2)
        volumes = serving.services.storage().volumes
        await volumes.clone(str(LAB), CUSTOMER, VolumeWish("customer7"), EVA)
        await expect(tab.page.locator(".volumes-list")).to_contain_text("customer7")
        await expect(tab.page.get_by_placeholder("Name or id")).to_be_focused()
        await tab.page.goto(f"{serving.url}/storage/{LAB}/volumes/{CUSTOMER}")
        await expect(tab.page.locator(".clones")).to_contain_text("customer7")
        await volumes.rename(str(LAB), CUSTOMER, "renamed", EVA)
        await expect(tab.page.locator("h1")).to_have_text("renamed")


async def test_by_keys_alone(browser: Browser, tmp_path: Path) -> None:
    """The palette finds a volume; its menu opens and its form is sent without a mouse."""
    async with serving_on_one_loop(tmp_path) as serving, new_tab(browser, serving) as tab:
        page = tab.page
        await tab.go("/")
        await page.keyboard.press("Control+k")
        await page.locator("#palette input").fill("scratch")
        await expect(page.locator("#palette [aria-selected=true]")).to_contain_text("scratch")
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("scratch")
        await page.locator(".head details.menu summary").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Rename")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.locator("#name").focus()
        await page.keyboard.press("Control+a")
        await page.keyboard.type("scratch-2")
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("scratch-2")


async def test_what_is_asked_before_a_disk_goes_breaks_no_rule(browser: Browser, tmp_path: Path) -> None:
    wrong: list[str] = []
    async with (
        serving_on_one_loop(tmp_path) as serving,
        new_tab(browser, serving, reduced_motion="reduce") as tab,
    ):
        page = tab.page
        await page.add_init_script(path=AXE)
        await tab.go("/storage/new")
        await page.locator("#name").fill("big")
        await page.get_by_text("Partitions of WD-C2").click()
        await page.locator("input[value='WD-C2/0c2e-01']").check()
        wrong += told("new pool", await violations(tab))
        await press(page, "Go on")
        await expect(page.locator(".dies")).to_contain_text("0c2e-01")
        wrong += told("what is lost", await violations(tab))
        await page.get_by_label("Type WD-C2 to go on").fill("WD-C2")
        await press(page, "Clear WD-C2 and make the pool big")
        await expect(page.locator("h1")).to_have_text("Making the pool big")
        wrong += told("its task", await violations(tab))
    assert wrong == [], "\n".join(wrong)
