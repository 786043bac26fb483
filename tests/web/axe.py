"""axe-core over a page: the rules of WCAG 2.2 A and AA that a program can check."""

from pathlib import Path

from browsing import Tab

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"runOnly": TAGS, "resultTypes": ["violations"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
"""What differs between two schemes."""
WIDTHS = ((1280, 800), (390, 844))
"""A desk's and a phone's, the phone's last."""
RUN = """async (options) => (await axe.run(document, options)).violations.flatMap(
  (rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")}: ${node.any.concat(node.all, node.none)
    .map((check) => check.message).join("; ")}`))"""


async def violations(tab: Tab) -> list[str]:
    """What breaks a rule on the page as it is now, wide and narrow, light and dark; it is left narrow and dark."""
    found: list[str] = []
    page = tab.page
    for width, height in WIDTHS:
        await page.set_viewport_size({"width": width, "height": height})
        for scheme, options in (("light", EVERYTHING), ("dark", COLOURS)):
            await page.emulate_media(color_scheme=scheme)
            for each in await page.evaluate(RUN, options):
                found.append(f"{width} {scheme} {each}")
    return found


def told(path: str, found: list[str]) -> list[str]:
    """The same, with the page that they are about."""
    return [f"{path} {each}" for each in found]
