"""The console by keys alone: all of it is reached, what has the focus is seen, Escape closes and gives it back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from browsing import ON_ONE_LOOP, Tab, new_tab, serving_on_one_loop
from playwright.async_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180), ON_ONE_LOOP]

REACHABLE = """() => {
  const shown = (node) => node.checkVisibility({ visibilityProperty: true }) && node.tabIndex >= 0 && !node.disabled;
  const chosen = (node) => node.form?.querySelector(`[name="${node.name}"]:checked`) ?? node;
  const group = (node) => (node.type === "radio" ? chosen(node) : node);
  return new Set([...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter(shown).map(group)).size;
}"""
"""How many things of a page take the focus."""
FOCUSED = """() => {
  const node = document.activeElement;
  if (node === document.body) return null;
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  const over = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height, innerHeight) / 2);
  window.marks ??= new Map();
  if (!window.marks.has(node)) window.marks.set(node, window.marks.size);
  return {
    number: window.marks.get(node),
    words: (node.tagName + " " + (node.textContent || node.name || "").trim()).slice(0, 50),
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
    seen: !over || node.contains(over) || over.contains(node) || Boolean(node.labels?.length),
  };
}"""
REFRESHED = """async () => {
  const focusable = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  const before = [...document.querySelectorAll(focusable)];
  for (const part of document.querySelectorAll('[data-live]:not([data-live=""])')) {
    const settled = new Promise((done) => document.addEventListener("htmx:afterSettle", done, { once: true }));
    window.htmx.trigger(part, "refresh");
    await settled;
  }
  return before.filter((node) => !node.isConnected).map((node) => node.outerHTML.slice(0, 80));
}"""
"""What could have the focus and was replaced when all that is live on a page was fetched anew."""
PAGES = ("/", "/machines", "/machines/m0000", "/deployments/web-1", "/deployments/new", "/tasks/5", "/network",
         "/settings/users/eva", "/account", "/machines/m0007/timeline", "/storage", "/storage/1",
         "/storage/2/volumes/00000000000000a2")  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module")
async def tab(browser: Browser, tmp_path: Path) -> AsyncIterator[Tab]:
    async with (
        serving_on_one_loop(tmp_path) as serving,
        new_tab(browser, serving, viewport={"width": 1280, "height": 800}, reduced_motion="reduce") as opened,
    ):
        yield opened


async def test_everything_is_reached_and_seen(tab: Tab) -> None:
    wrong: list[str] = []
    for path in PAGES:
        await tab.go(path)
        wanted, found = await tab.page.evaluate(REACHABLE), {}
        for _ in range(wanted + 5):
            await tab.page.keyboard.press("Tab")
            at = await tab.page.evaluate(FOCUSED)
            if at is None or at["number"] in found:
                break
            found[at["number"]] = at
        wrong += [f"{path}: {at['words']} has no ring" for at in found.values() if not at["ring"]]
        wrong += [f"{path}: {at['words']} is covered" for at in found.values() if not at["seen"]]
        if len(found) < wanted:
            wrong.append(f"{path}: {len(found)} of {wanted} are reached")
    assert "\n".join(wrong) == ""


async def test_a_refresh_takes_the_focus_from_nobody(tab: Tab) -> None:
    """A node that is replaced loses the focus, and who comes by keys begins at the top of the page again."""
    for path in PAGES:
        await tab.go(path)
        await expect(tab.page.locator("#urgent a").first).to_be_visible()
        assert await tab.page.evaluate(REFRESHED) == [], path


async def test_escape_closes_and_the_focus_comes_back(tab: Tab) -> None:
    page = tab.page
    await tab.go("/machines/m0000")
    for word in ("Power", "More"):
        menu = page.locator(".actions details.menu").filter(has_text=word)
        more = menu.locator("summary")
        await more.focus()
        await page.keyboard.press("Enter")
        await expect(menu.locator(".menu-items")).to_be_visible()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Escape")
        await expect(menu.locator(".menu-items")).to_be_hidden()
        await expect(more).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.locator("#palette input")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#palette")).to_be_hidden()
    await expect(more).to_be_focused()
    drawer = page.locator("#tasks summary")
    await drawer.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".drawer")).to_be_visible()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Escape")
    await expect(page.locator(".drawer")).to_be_hidden()
    await expect(drawer).to_be_focused()


async def test_why_not_is_told_to_who_comes_by_keys(tab: Tab) -> None:
    await tab.go("/deployments/web-1")
    button = tab.page.get_by_role("button", name="Start", exact=True)
    await button.focus()
    await expect(tab.page.locator("#why-not-start")).to_be_visible()
    await expect(button).to_have_accessible_description("Not possible: web-1 is wanted running already")


async def test_nothing_moves_for_who_wants_no_motion(tab: Tab) -> None:
    await tab.go("/machines")
    moving = """() => [...document.querySelectorAll("*")].filter((node) => {
      const style = getComputedStyle(node);
      return parseFloat(style.transitionDuration) > 0 || style.scrollBehavior === "smooth";
    }).map((node) => node.outerHTML.slice(0, 60))"""
    assert await tab.page.evaluate(moving) == []
