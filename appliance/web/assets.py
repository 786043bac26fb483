"""``python -m appliance.web.assets``: what the console serves of the npm packages, put where it is served from.

Run after ``npm ci``. Scripts are copied as they are; the icons in use become one SVG file of symbols, so that
a page names an icon instead of carrying it. Nothing of this is committed.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from appliance.errors import ApplianceError

STATIC = Path(__file__).parent / "static"
VENDOR = STATIC / "vendor"

SCRIPTS = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "idiomorph.js": "idiomorph/dist/idiomorph-ext.min.js",
    "uplot.js": "uplot/dist/uPlot.esm.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
    "xterm.js": "@xterm/xterm/lib/xterm.mjs",
    "xterm.css": "@xterm/xterm/css/xterm.css",
    "xterm-fit.js": "@xterm/addon-fit/lib/addon-fit.mjs",
}
TREES = {"novnc/core": "@novnc/novnc/core", "novnc/vendor": "@novnc/novnc/vendor"}
"""Modules that import each other, as they are."""
LICENSES = {
    "htmx.LICENSE": "htmx.org/LICENSE",
    "idiomorph.LICENSE": "idiomorph/LICENSE",
    "uplot.LICENSE": "uplot/LICENSE",
    "icons.LICENSE": "lucide-static/LICENSE",
    "xterm.LICENSE": "@xterm/xterm/LICENSE",
    "xterm-fit.LICENSE": "@xterm/addon-fit/LICENSE",
    "novnc.LICENSE": "@novnc/novnc/LICENSE.txt",
    "novnc-MPL-2.0.LICENSE": "@novnc/novnc/docs/LICENSE.MPL-2.0",
    "novnc-pako.LICENSE": "@novnc/novnc/vendor/pako/LICENSE",
}
ICONS = (
    "arrow-right-left",
    "arrow-down",
    "arrow-up",
    "book-open",
    "circle-question-mark",
    "cpu",
    "disc-3",
    "ellipsis",
    "layers",
    "life-buoy",
    "list-checks",
    "layout-dashboard",
    "log-out",
    "pencil",
    "play",
    "plug",
    "plus",
    "power",
    "power-off",
    "refresh-cw",
    "rotate-ccw",
    "scroll-text",
    "search",
    "server",
    "settings",
    "square",
    "tag",
    "trash-2",
    "undo-2",
    "upload",
    "download",
    "check",
    "heart-pulse",
    "circle-check",
    "circle-dashed",
    "octagon-x",
    "triangle-alert",
    "info",
    "user",
    "network",
    "wrench",
    "x",
    "copy",
    "hard-drive",
    "camera",
    "star",
    "maximize",
    "clipboard",
    "keyboard",
    "monitor",
    "pause",
)

_OUTER = re.compile(r"<svg\b[^>]*>(.*)</svg>", re.DOTALL)


def symbols(icons: Iterable[tuple[str, str]]) -> str:
    """One SVG document with a ``<symbol>`` for each (name, SVG text); stroke attributes are the page's."""
    parts = ['<svg xmlns="http://www.w3.org/2000/svg">']
    for name, text in icons:
        found = _OUTER.search(text)
        if found is None:
            raise ApplianceError("icon-unreadable", f"icon {name} is not an SVG document", "run npm ci again")
        drawing = re.sub(r"\s+", " ", found[1]).strip()
        parts.append(f'<symbol id="{name}" viewBox="0 0 24 24">{drawing}</symbol>')
    return "\n".join([*parts, "</svg>\n"])


def build(node_modules: Path, target: Path) -> None:
    """Fill ``target`` from ``node_modules``; raises ApplianceError when a package is not there."""
    target.mkdir(exist_ok=True)
    for name, source in (SCRIPTS | LICENSES).items():
        (target / name).write_bytes(_read(node_modules / source))
    for name, source in TREES.items():
        _copy_modules(node_modules / source, target / name)
    folder = node_modules / "lucide-static" / "icons"
    icons = ((name, _read(folder / f"{name}.svg").decode()) for name in ICONS)
    (target / "icons.svg").write_text(symbols(icons))


def _copy_modules(source: Path, target: Path) -> None:
    found = sorted(source.rglob("*.js"))
    if not found:
        raise _missing(source)
    for each in found:
        place = target / each.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_read(each))


def _missing(path: Path) -> ApplianceError:
    return ApplianceError("asset-missing", f"{path} is not there", "run: npm ci")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _missing(path) from error


def main() -> int:
    """Build from the ``node_modules`` of the working directory, or of the one named as first argument."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    try:
        build(root / "node_modules", VENDOR)
    except ApplianceError as error:
        print(f"{error.message}; {error.hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
