"""A subnet that does not fit the networks, as API and console show it."""

from pathlib import Path

import pytest
from console_client import said, visitor
from web_world import World

from appliance.networking.served import Aside

ASIDE = Aside("nic1", "nic1 has no IPv4 address", "give it one, or see why DHCP gives it none")


async def test_the_api_says_why(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin.services.network, "aside", lambda: (ASIDE,))
    shown = await admin.api("GET", "/network/subnets/nic1")
    assert (shown["mode"], shown["set_aside"], shown["network"]) == ("off", ASIDE.text, None)
    assert {each["set_aside"] for each in (await admin.api("GET", "/network/subnets"))["items"][:-1]} == {""}
    (found,) = [each for each in (await admin.api("GET", "/appliance/health"))["findings"] if "nic1" in each["text"]]
    assert (found["part"], found["level"]) == ("subnets", "bad")
    assert "served again by itself" in found["advice"]


async def test_the_console_says_it_on_the_first_page_where_subnets_are_and_in_health(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with visitor(tmp_path, fleet=False) as someone:
        await someone.log_in()
        monkeypatch.setattr(someone.services.network, "aside", lambda: (ASIDE,))
        assert "not served nic1 nic1 has no IPv4 address" in said(await someone.get("/"))
        page = said(await someone.get("/network"))
        assert "Set aside, nothing is served here: nic1 has no IPv4 address; give it one" in page
        assert "off in the configuration file" in page, "that is the other one"
        assert "The subnet nic1 is set aside" in said(await someone.get("/network/subnets/nic1/edit", 409))
        assert "The subnet nic1 is not served: nic1 has no IPv4 address." in said(await someone.get("/settings/health"))
