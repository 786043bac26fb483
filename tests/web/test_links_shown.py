"""A cable that is pulled, as API and console show it."""

from pathlib import Path

import network_parts
import pytest
from console_client import said, visitor
from web_world import World

from appliance.reconcile.subnet_standing import Standing

TROUBLE = "no link on nic1: no machine can boot over it; plug the cable in, or switch the switch on"
CUT = Standing(linked=False, link_trouble=TROUBLE)


async def test_the_api_says_how_the_link_of_a_subnet_is(admin: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await admin.api("GET", "/network/subnets/br0")
    assert (shown["linked"], shown["link_trouble"]) == (None, "")
    monkeypatch.setattr(network_parts, "STANDING", CUT)
    first, off = (await admin.api("GET", "/network/subnets"))["items"]
    assert (first["linked"], first["link_trouble"]) == (False, TROUBLE)
    assert (off["linked"], off["link_trouble"]) == (None, "")


async def test_the_console_says_it_where_subnets_are_and_on_the_first_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with visitor(tmp_path, fleet=False) as someone:
        await someone.log_in()
        assert "no link" not in said(await someone.get("/"))
        monkeypatch.setattr(network_parts, "STANDING", CUT)
        assert "no link br0 no link on nic1: no machine can boot over it; plug the cable in" in said(
            await someone.get("/")
        ), "before there is any machine, too"
        page = said(await someone.get("/network"))
        assert "No link on nic1: no machine can boot over it" in page
        assert "Link no" in page
        monkeypatch.setattr(network_parts, "STANDING", Standing(linked=True))
        page = said(await someone.get("/network"))
        assert "Link yes" in page
        assert "No link" not in page


async def test_a_subnet_that_is_switched_off_wants_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_parts, "STANDING", CUT)
    async with visitor(tmp_path, fleet=False) as someone:
        await someone.log_in()
        await someone.post("/network/subnets/br0/edit", data={"mode": "off", "confirm": "br0"})
        assert "no link" not in said(await someone.get("/"))
        assert "No link on nic1" in said(await someone.get("/network"))
