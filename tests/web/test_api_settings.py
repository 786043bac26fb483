"""The configuration file, for programs."""

from pathlib import Path

import pytest
from web_world import World

from appliance import __version__
from appliance.assembly.console import plain
from appliance.config import parse

CONFIG = """
[site]
domain = "lab.test"

[[subnet]]
interface = "br0"
mode = "authoritative"
ranges = ["10.77.0.50-10.77.0.200"]
"""


@pytest.fixture
def told(admin: World) -> World:
    """An appliance with a configuration file, in the form that the daemon gives it."""
    admin.services.config.update(plain(parse(CONFIG, "test.toml")))
    return admin


async def test_settings_are_what_the_file_says(told: World) -> None:
    shown = await told.api("GET", "/settings")
    assert (shown["version"], shown["fingerprint"]) == (__version__, "ab" * 32)
    assert shown["config"]["site"]["domain"] == "lab.test"
    assert shown["config"]["subnet"][0]["ranges"] == ["10.77.0.50-10.77.0.200"]
    assert Path(shown["config"]["site"]["state_dir"]).is_absolute()


async def test_they_are_not_changed_here(told: World) -> None:
    await told.api("PATCH", "/settings", 405, json={})
