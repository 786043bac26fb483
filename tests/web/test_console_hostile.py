"""Hostile words in a real browser: nothing of them runs, moves the page apart or turns our own words round."""

import time
from pathlib import Path

import pytest
from browsing import ON_ONE_LOOP, WHOLE, WIDER, new_tab, serving_on_one_loop
from hostile_seed import STRINGS, WORST, be_hostile
from playwright.async_api import Browser

from tests.clock import Clock

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), ON_ONE_LOOP]

SHOWN = tuple(
    path
    for path in WHOLE
    if path in ("/", "/account")
    or path.startswith(
        (
            "/machines/m0007",
            "/machines/r77",
            "/deployments/kiosk-1",
            "/tasks",
            "/images",
            "/isos",
            "/kernels",
            "/events",
            "/network",
            "/settings",
            "/storage",
        )
    )
    or path in ("/machines", "/deployments", "/deployments/new", "/find?q=node-1", "/machines?group=state")
)
TURNED = """() => [...document.querySelectorAll("main *:not(textarea)")].filter((node) => {
  const words = [...node.childNodes].filter((each) => each.nodeType === 3).map((each) => each.data).join("");
  return /[\\u202a-\\u202e\\u2066-\\u2069]/.test(words)
    && getComputedStyle(node).display.startsWith("inline")
    && getComputedStyle(node).unicodeBidi === "normal";
}).map((node) => node.outerHTML.slice(0, 80))"""
"""Inline parts of a line that turn what stands beside them round."""


@pytest.mark.parametrize(
    "kind", ["worst", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("terminal", "long"))]
)
async def test_hostile_words_are_only_shown(browser: Browser, tmp_path: Path, kind: str) -> None:
    said = WORST if kind == "worst" else STRINGS[kind]
    wrong: list[str] = []
    async with serving_on_one_loop(tmp_path, clock=Clock(time.time())) as serving:
        await be_hostile(serving, said)
        async with new_tab(browser, serving, viewport={"width": 400, "height": 860}) as tab:
            for path in SHOWN:
                answer = await tab.page.goto(serving.url + path)
                assert answer is not None
                if answer.status != 200:
                    wrong.append(f"{path}: {answer.status}")
                if await tab.page.evaluate("window.owned ?? 0"):
                    wrong.append(f"{path}: a script ran")
                if (wider := await tab.page.evaluate(WIDER)) > 0:
                    wrong.append(f"{path}: {wider} pixels too wide")
                wrong += [f"{path}: {part} turns others round" for part in await tab.page.evaluate(TURNED)]
                wrong += [f"{path}: {line}" for line in tab.complaints]
                tab.complaints.clear()
    assert "\n".join(wrong) == ""


async def test_templates_are_not_evaluated(browser: Browser, tmp_path: Path) -> None:
    async with serving_on_one_loop(tmp_path) as serving:
        await be_hostile(serving, STRINGS["template"])
        async with new_tab(browser, serving) as tab:
            await tab.page.goto(f"{serving.url}/machines/m0007/inventory")
            assert STRINGS["template"] in await tab.page.inner_text("main")
