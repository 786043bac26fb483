"""Every page as everybody, in a browser: a calm answer where it is not theirs, and no door on it that would be shut.

What the pages say before scripts run is asked of them without a browser, for all roles, in test_console_doors.py.
"""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsing import ON_ONE_LOOP, WHOLE, Tab, new_tab, serving_on_one_loop
from console_doors import OF_ADMIN, PEOPLE, is_open, route_of
from playwright.async_api import Browser

from appliance.accounts import Role

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

DOORS = """() => [
  ...[...document.querySelectorAll("a[href]:not([href^='#'])")].map((link) =>
    ["GET", link.pathname, link.textContent.trim()]),
  ...[...document.querySelectorAll("form")].map((form) => [
    form.getAttribute("method").toUpperCase(),
    new URL(form.getAttribute("action") ?? "", location.href).pathname,
    form.textContent.trim().slice(0, 40)]),
]"""
"""Where a page leads: method, path and words."""
DEAD = """() => [...document.querySelectorAll("button:disabled, [aria-disabled=true]")]
  .filter((button) => !document.getElementById(button.getAttribute("aria-describedby")) && !button.form)
  .map((button) => button.textContent.trim())"""
"""Buttons that do nothing and do not say why. In a form they wait for what is to be typed."""


async def shut_doors(tab: Tab, role: Role) -> list[str]:
    """What the page shows that whoever looks may not do."""
    doors = await tab.page.evaluate(DOORS)
    return [f"{words} ({method} {path})" for method, path, words in doors if not is_open(route_of(method, path), role)]


@pytest.mark.parametrize(("name", "role"), PEOPLE)
@ON_ONE_LOOP
async def test_every_page(browser: Browser, tmp_path: Path, name: str, role: Role) -> None:
    wrong: list[str] = []
    async with serving_on_one_loop(tmp_path) as serving, new_tab(browser, serving, name) as tab:
        for path in WHOLE:
            route = route_of("GET", urlsplit(path).path)
            answer = await tab.page.goto(serving.url + path)
            await tab.page.wait_for_selector("#tasks > *", state="attached")
            assert answer is not None
            if is_open(route, role) and (role is Role.ADMIN or path not in OF_ADMIN):
                if answer.status != 200:
                    wrong.append(f"{path}: {answer.status}")
                wrong += [f"{path}: {line}" for line in tab.complaints]
            elif answer.status != 403 or not await tab.page.locator("section.problem h1").count():
                wrong.append(f"{path}: {answer.status} where it is shut")
            tab.complaints.clear()
            wrong += [f"{path}: shows {door}" for door in await shut_doors(tab, role)]
            wrong += [f"{path}: {words} is dead" for words in await tab.page.evaluate(DEAD)]
    assert "\n".join(wrong) == ""
