"""Text and the shapes of states are readable in both schemes (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re

import pytest

from appliance.web.assets import STATIC

GROUNDS = ("ground", "surface", "sunken", "changed")
TEXTS = ("ink", "ink-2", "good", "busy", "bad", "warn", "accent")
PAIRS = (
    *((text, ground, 4.5) for text in TEXTS for ground in GROUNDS[:3]),
    *((text, "changed", 4.5) for text in ("ink", "ink-2", "bad")),
    ("accent-ink", "accent", 4.5),
    ("surface", "bad", 4.5),
    ("accent", "accent-soft", 4.5),
    ("bad", "bad-soft", 4.5),
    ("warn", "warn-soft", 4.5),
    ("line-strong", "surface", 3.0),
)


def schemes() -> dict[str, dict[str, str]]:
    css = (STATIC / "base.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    colours = re.compile(r"--([a-z0-9-]+): (#[0-9a-f]{6});")
    found = dict(colours.findall(light))
    return {"light": found, "dark": found | dict(colours.findall(dark))}


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_contrast(scheme: str, front: str, back: str, least: float) -> None:
    colours = schemes()[scheme]
    light, dark = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= least
