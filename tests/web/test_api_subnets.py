"""Subnets switched over the API and in the console, and boot options for other servers."""

from collections.abc import AsyncIterator
from pathlib import Path

import network_parts
import pytest
from console_client import Visitor, said, visitor
from web_world import World

from appliance.reconcile.network_views import NetworkViews
from appliance.reconcile.subnet_standing import Standing
from appliance.sighting import ForeignServer
from appliance.store import sightings

PATH = "/network/subnets/br0"


async def test_a_subnet_is_switched_with_what_was_told_before(admin: World) -> None:
    assert (await admin.api("GET", PATH))["fixed"] == ["serve_non_pxe"]
    told = await admin.api("GET", f"{PATH}/consequences?mode=proxy")
    assert (told["confirm"], "Another DHCP server has to give" in told["texts"][0]) == ("br0", True)
    refused = await admin.api("PATCH", PATH, 409, json={"mode": "proxy"})
    assert (refused["code"], refused["field"]) == ("confirmation-needed", "confirm")
    assert (await admin.api("GET", PATH))["mode"] == "authoritative"
    changed = await admin.api("PATCH", PATH, json={"mode": "proxy", "unknown_machines": "ignore", "confirm": "br0"})
    assert (changed["mode"], changed["unknown_machines"]) == ("proxy", "ignore")
    assert (await admin.api("GET", "/network/subnets"))["items"][0]["mode"] == "proxy"
    await admin.api("PATCH", PATH, json={"mode": "authoritative"})
    (event, *_) = (await admin.api("GET", "/events?kind=network.changed"))["items"]
    assert event["text"] == "admin switched br0: mode to authoritative"
    entries = (await admin.api("GET", "/audit?action=subnet.switch"))["items"]
    assert (entries[0]["before"], entries[0]["after"]) == ({"mode": "proxy"}, {"mode": "authoritative"})


async def test_a_subnet_is_named_by_its_network_too(admin: World) -> None:
    told = await admin.api("GET", "/network/subnets/10.77.0.0%2F24/consequences?unknown_machines=ignore")
    assert "br0" in told["texts"][0]


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"serve_non_pxe": False}, "rule-fixed", 409),
        ({"mode": "sometimes"}, "body-field", 422),
        ({"mode": "off", "confirm": "br1"}, "confirmation-needed", 409),
        ({"moed": "off"}, "body-field", 422),
    ],
)
async def test_what_cannot_be_is_refused(admin: World, change: dict[str, object], code: str, status: int) -> None:
    assert (await admin.api("PATCH", PATH, status, json=change))["code"] == code
    assert (await admin.api("GET", PATH))["mode"] == "authoritative"


async def test_a_subnet_that_is_not_served_is_not_found(admin: World) -> None:
    for interface in ("br9", "off0"):
        refused = await admin.api("PATCH", f"/network/subnets/{interface}", 404, json={"mode": "proxy"})
        assert refused["code"] == "subnet-unknown"
    assert (await admin.api("GET", "/network/subnets/off0"))["fixed"] == ["mode"]
    assert (await admin.api("GET", "/network/subnets/off0/snippet?for=kea", 422))["code"] == "subnet-off"


@pytest.mark.parametrize("server", ["dnsmasq", "dhcpd", "kea", "mikrotik", "opnsense"])
async def test_boot_options_are_given_for_each_server(admin: World, server: str) -> None:
    given = await admin.api("GET", f"{PATH}/snippet?for={server}")
    assert given["server"] == server
    assert "http://10.77.0.1/boot/start.ipxe" in given["text"]
    assert given["where"]


async def test_boot_options_for_secure_boot_name_shim(admin: World) -> None:
    usual = (await admin.api("GET", f"{PATH}/snippet?for=kea"))["text"]
    signed = (await admin.api("GET", f"{PATH}/snippet?for=kea&secure_boot=true"))["text"]
    assert "snponly.efi" in usual
    assert signed == usual.replace("snponly.efi", "shimx64.efi")
    assert (await admin.api("GET", f"{PATH}/snippet?for=kea&secure_boot=false"))["text"] == usual
    assert (await admin.api("GET", f"{PATH}/snippet?for=kea&secure_boot=maybe", 422))["code"] == "query-invalid"


async def test_boot_options_are_for_servers_that_we_know(admin: World) -> None:
    assert (await admin.api("GET", f"{PATH}/snippet", 422))["code"] == "query-missing"
    assert (await admin.api("GET", f"{PATH}/snippet?for=windows", 422))["code"] == "query-invalid"


async def test_it_is_looked_for_other_servers_when_asked(admin: World) -> None:
    looked: list[str] = []
    admin.services.switches.serve_with((), looked.append)
    await admin.api("POST", f"{PATH}/look", 204)
    assert looked == ["br0"]
    await admin.api("POST", "/network/subnets/br9/look", 404)


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def test_the_console_switches_what_is_not_fixed(fleet: Visitor) -> None:
    form = await fleet.get("/network/subnets/br0/edit")
    assert 'name="mode"' in form
    assert 'name="serve_non_pxe"' not in form
    assert "stands in the configuration file" in said(form)
    asks = await fleet.post("/network/subnets/br0/edit", 200, data={"mode": "off"})
    assert "DHCP is silent on br0" in said(asks)
    assert 'type="hidden" name="mode" value="off"' in asks
    wrong = await fleet.post("/network/subnets/br0/edit", 422, data={"mode": "off", "confirm": "br1"})
    assert "This is not it. Type exactly: br0" in said(wrong)
    await fleet.post("/network/subnets/br0/edit", data={"mode": "off", "confirm": "br0"})
    page = said(await fleet.get("/network"))
    assert "off: DHCP is silent" in page
    await fleet.post("/network/subnets/br0/edit", data={"mode": "reservations", "unknown_machines": "ignore"})
    assert "reservations: only what has a reserved address" in said(await fleet.get("/network"))


async def test_what_holds_service_back_is_said_on_every_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Standing(held_by=("10.77.0.2",), looked=1.0)
    monkeypatch.setattr(NetworkViews, "held_back", lambda _self: [("br0", held)])
    monkeypatch.setattr(network_parts, "STANDING", held)
    async with visitor(tmp_path, fleet=False) as someone:
        await someone.log_in()
        now = someone.services.clock()
        server = ForeignServer("br0", "10.77.0.2", now, now)
        await someone.services.store.write(lambda db: sightings.put_servers(db, [server], 0.0))
        strip = said(await someone.get("/tasks/strip"))
        assert "No new addresses are given on br0: another DHCP server, 10.77.0.2 , answers there" in strip
        assert "gives addresses on br0" not in strip, "it is said once"
        assert "10.77.0.2 answers on br0" in said(await someone.get("/")), "before there is any machine, too"
        page = said(await someone.get("/network"))
        assert "No new addresses are given here: another DHCP server, 10.77.0.2 , answers" in page
        assert "gives addresses here too" not in page


async def test_the_console_shows_boot_options_to_copy(fleet: Visitor) -> None:
    page = await fleet.get("/network/subnets/br0/snippet?for=kea")
    assert "client-classes" in page
    assert 'data-copy-of="snippet"' in page
    assert "qrm network snippet br0 --for kea" in said(page)
    assert "this one follows its maker" in said(await fleet.get("/network/subnets/br0/snippet?for=mikrotik"))
    assert "dhcp-boot=" in await fleet.get("/network/subnets/br0/snippet?for=unknown")


async def test_the_console_shows_boot_options_for_secure_boot_and_the_way_back(fleet: Visitor) -> None:
    usual = await fleet.get("/network/subnets/br0/snippet?for=kea")
    assert "refuse. Boot options for Secure Boot" in said(usual)
    assert "shimx64.efi" not in usual
    assert 'href="/network/subnets/br0/snippet?for=kea&amp;secure_boot=true"' in usual
    page = await fleet.get("/network/subnets/br0/snippet?for=kea&secure_boot=true")
    assert "shimx64.efi" in page
    assert "snponly.efi" not in page
    assert "qrm network snippet br0 --for kea --secure-boot" in said(page)
    assert "Boot options without Secure Boot" in said(page)
    assert "snippet?for=dnsmasq&amp;secure_boot=true" in page, "the choice stays with the next server"
