"""What is served of the npm packages."""

import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.web.assets import ICONS, LICENSES, SCRIPTS, TREES, VENDOR, build, symbols
from appliance.web.console.page import NAVIGATION
from appliance.web.console.static import REQUIRED, Static
from appliance.web.console.templating import TEMPLATES

SVG = "{http://www.w3.org/2000/svg}"


def test_icons_become_symbols_of_one_document() -> None:
    made = xml.fromstring(symbols([("one", '<svg class="x">\n  <path d="M0 0" />\n</svg>')]))
    symbol = made.find(f"{SVG}symbol")
    assert symbol is not None
    assert (symbol.get("id"), len(symbol)) == ("one", 1)


def test_what_is_no_icon_is_refused() -> None:
    with pytest.raises(ApplianceError, match="one"):
        symbols([("one", "hello")])


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(ApplianceError, match=r"htmx\.org"):
        build(tmp_path / "node_modules", tmp_path / "vendor")


def test_everything_that_pages_use_was_built() -> None:
    names = {path.name for path in VENDOR.iterdir()}
    assert names == {*SCRIPTS, *LICENSES, "icons.svg", *(name.split("/")[0] for name in TREES)}
    there = {symbol.get("id") for symbol in xml.parse(VENDOR / "icons.svg").iter(f"{SVG}symbol")}
    assert there == set(ICONS)
    assert {entry.icon for entry in NAVIGATION} <= there


def test_no_icon_is_built_that_nobody_shows() -> None:
    sources = [*TEMPLATES.glob("*.html"), *(TEMPLATES.parent / "console").glob("*.py")]
    text = "".join(path.read_text() for path in sources)
    assert [icon for icon in ICONS if f'"{icon}"' not in text] == []


def test_pages_do_without_what_was_not_built(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "base.css").write_text("body {}")
    assert Static(tmp_path).url("base.css").endswith("/base.css")
    assert all(name in caplog.text for name in REQUIRED)


def test_a_changed_file_changes_the_address(tmp_path: Path) -> None:
    (tmp_path / "base.css").write_text("body {}")
    before = Static(tmp_path).url("base.css")
    (tmp_path / "base.css").write_text("body { }")
    assert Static(tmp_path).url("base.css") != before
