"""The settings of a flashed appliance in API and console, with the privileged helper behind them, on paper."""

import re
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from console_client import Visitor, said, visitor
from console_seed import NOW
from settings_world import FILE, LAYOUT, Paper
from web_world import World

from appliance.config import parse
from appliance.errors import ApplianceError
from appliance.lease import Lease, LeaseState
from appliance.privileged.network_state import NetworkState
from appliance.privileged.verbs.network import Trial
from appliance.store import leases, subnet_rules
from tests.privileged.paper_computer import serving

PATH, PAGE = "/appliance/settings", "/settings/general"


class Box:
    """An administrator of a flashed appliance, and how often its daemon began anew."""

    def __init__(self, visitor: Visitor, paper: Paper, again: list[int]) -> None:
        self.visitor, self.paper, self.again = visitor, paper, again

    async def api(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        headers = {**self.visitor.headers, "Accept": "application/json"}
        async with self.visitor.client.request(method, f"/api/v1{path}", headers=headers, **options) as response:
            assert response.status == status, await response.text()
            return await response.json(content_type=None)

    async def change(self, status: int = 200, **body: Any) -> Any:
        return await self.api("PATCH", PATH, status, json=body)

    async def form(self) -> dict[str, str]:
        """The fields of the page, as a browser would send them back."""
        return _fields(await self.visitor.get(PAGE))


def _fields(page: str) -> dict[str, str]:
    found = re.findall(r'<input(?=[^>]* name="([^"]+)")(?=[^>]* value="([^"]*)")', page)
    return dict(found)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    paper, again = Paper(tmp_path / "paper"), list[int]()
    (tmp_path / "state").mkdir()
    async with (
        serving(tmp_path, paper.on) as privileged,
        visitor(tmp_path / "state", fleet=False, privileged=privileged, again=lambda: again.append(1)) as someone,
    ):
        await someone.log_in()
        yield Box(someone, paper, again)


async def lease(box: Box, address: str) -> None:
    """A computer on nic1 has this address for an hour."""
    mac = f"52:54:00:99:00:{address[-2:]}"
    made = Lease(mac, IPv4Address(address), "nic1", b"", "", NOW, NOW + 3600, LeaseState.BOUND)
    await box.visitor.services.store.write(lambda db: leases.put(db, [made]))


# -- names, clock, DNS


async def test_the_host_name_changes_everywhere(box: Box) -> None:
    found = await box.api("GET", PATH)
    assert (found["host_name"], found["domain"], found["time_zone"]) == ("appliance", "lab.test", "Etc/UTC")
    body = {"host_name": "boot", "time_zone": "Europe/Vienna", "time_servers": ["ntp.example.com"]}
    foreseen = await box.change(**body, only_plan=True)
    assert "Host name: boot instead of appliance." in foreseen["lines"]
    assert (box.paper.text, box.again, foreseen["done"]) == (FILE, [], False)
    done = await box.change(**body, version=found["version"])
    assert (done["done"], done["begins_anew"], box.again) == (True, True, [1])
    assert parse(box.paper.text, "x").web.hosts == ("boot.lab.test", "boot")
    assert "# By hand." in box.paper.text
    assert (box.paper.etc / "hostname").read_text() == "boot\n"
    assert (box.paper.etc / "localtime").readlink() == Path("/usr/share/zoneinfo/Europe/Vienna")
    assert (box.paper.etc / "chrony/sources.d/qrm.sources").read_text() == "server ntp.example.com iburst\n"
    assert (await box.api("GET", PATH))["host_name"] == "boot"


async def test_the_daemon_stays_where_its_file_does(box: Box) -> None:
    assert not (await box.change(time_servers=["192.0.2.1"]))["begins_anew"]
    assert (box.again, box.paper.text) == ([], FILE)


async def test_it_is_audited_and_told(box: Box) -> None:
    await box.change(domain="hall.test")
    (event,) = (await box.api("GET", "/events?kind=appliance.settings"))["items"]
    assert event["text"] == "admin changed the settings of the appliance"
    assert "Domain: hall.test instead of lab.test." in event["reason"]
    (entry,) = (each for each in (await box.api("GET", "/audit"))["items"] if each["action"] == "settings.change")
    assert (entry["who"], entry["before"], entry["after"]) == ("admin", {"domain": "lab.test"}, {"domain": "hall.test"})


async def test_two_who_change_them_at_once(box: Box) -> None:
    seen = (await box.api("GET", PATH))["version"]
    box.paper.file.write_text(FILE + "\n# Root was here.\n")
    assert (await box.change(409, domain="hall.test", version=seen))["code"] == "settings-changed"
    page = await box.visitor.post(PAGE, 409, {**await box.form(), "domain": "hall.test", "version": seen})
    assert "somebody else has changed the settings meanwhile" in said(page)
    assert _fields(page)["domain"] == "hall.test"
    assert (await box.change(409, domain="lab.test"))["code"] == "settings-same"
    await box.change(domain="hall.test")
    assert box.paper.text.endswith("# Root was here.\n")


async def test_networks_that_are_tried_come_first(box: Box) -> None:
    """Keeping them may change the file, too."""
    state = NetworkState(box.paper.on.roots)
    state.begin(Trial(LAYOUT, 2e9), {})
    assert (await box.change(409, domain="hall.test"))["code"] == "network-trying"
    await box.change(time_servers=["192.0.2.1"])
    state.keep()
    await box.change(domain="hall.test")


async def test_what_is_wrong_is_said_and_nothing_changes(box: Box) -> None:
    assert (await box.change(422, host_name="a.b"))["field"] == "host_name"
    assert (await box.change(422, time_zone="Europe/Nowhere"))["field"] == "time_zone"
    page = await box.visitor.post(PAGE, 422, {**await box.form(), "forwarders": "<i>x"})
    assert "is not an IPv4 address" in said(page)
    assert "&lt;i&gt;x" in page
    assert (box.paper.text, box.again) == (FILE, [])


async def test_the_page_shows_what_changes_before_it_is_done(box: Box) -> None:
    page = await box.visitor.post(PAGE, 200, {**await box.form(), "forwarders": "192.0.2.53, 192.0.2.54"})
    assert "Name servers for other names: 192.0.2.53, 192.0.2.54 instead of none." in said(page)
    assert '+forwarders = ["192.0.2.53", "192.0.2.54"]' in said(page)
    assert box.paper.text == FILE
    page = await box.visitor.post(PAGE, 200, _fields(page))
    assert 'data-comes-back="/settings/general"' in page
    assert parse(box.paper.text, "x").dns.forwarders == ("192.0.2.53", "192.0.2.54")
    assert box.again == [1]
    form = {**await box.form(), "time_servers": "192.0.2.1"}
    assert await box.visitor.post(PAGE, 303, {**form, "agreed": "yes"}) == PAGE
    assert "nothing would change" in said(await box.visitor.post(PAGE, 409, await box.form()))


async def test_a_helper_that_fails_half_way_is_told_of(box: Box) -> None:
    box.paper.programs.answers["hostname"] = ApplianceError("program-failed", "no hostname here")
    assert (await box.change(500, host_name="boot"))["code"] == "program-failed"
    assert box.again == [1], "its file is another one already"
    (event,) = (await box.api("GET", "/events?kind=appliance.settings"))["items"]
    assert "not all of it could be done: no hostname here" in event["reason"]


async def test_a_file_that_is_wrong_is_shown_and_not_changed(box: Box) -> None:
    box.paper.file.write_text("[sight]\n")
    found = await box.api("GET", PATH)
    assert "sight" in found["trouble"]
    assert "The settings cannot be changed here" in said(await box.visitor.get(PAGE))
    await box.change(500, domain="hall.test")
    box.paper.file.unlink()
    assert (await box.change(409, domain="hall.test"))["code"] == "setup-needed"


# -- subnets


async def test_a_network_gets_its_subnet(box: Box) -> None:
    found = await box.api("GET", PATH)
    free = {"interface": "nic2", "address": "10.78.0.1/24", "ranges": ["10.78.0.50-10.78.0.200"], "gateway": ""}
    assert found["free"] == [free]
    page = await box.visitor.get(f"{PAGE}/subnets/new?interface=nic2")
    form = {**_fields(page), "mode": "reservations", "unknown_machines": "ignore"}
    assert form["ranges"] == "10.78.0.50-10.78.0.200"
    page = await box.visitor.post(f"{PAGE}/subnets/new", 200, form)
    assert "machines in 10.78.0.0/24 boot from the appliance" in said(page)
    await box.visitor.post(f"{PAGE}/subnets/new", 200, _fields(page))
    section = parse(box.paper.text, "x").subnet[1]
    assert (section.interface, section.ntp, section.mode) == ("nic2", ("10.78.0.1",), None)
    assert box.again == [1]
    chosen = await box.visitor.services.store.read(subnet_rules.every)
    assert chosen == {"nic2": {"mode": "reservations", "unknown_machines": "ignore"}}
    body = {"interface": "nic2", "ranges": ["10.78.0.50-10.78.0.60"]}
    assert (await box.api("POST", f"{PATH}/subnets", 409, json=body))["code"] == "subnet-there"
    assert "No interface waits to be served" in said(await box.visitor.get(f"{PAGE}/subnets/new"))


async def test_ranges_outside_of_the_network_are_refused(box: Box) -> None:
    form = _fields(await box.visitor.get(f"{PAGE}/subnets/new"))
    form |= {"mode": "authoritative", "unknown_machines": "enlist", "ranges": "10.79.0.5-10.79.0.9"}
    assert "is outside 10.78.0.0/24" in said(await box.visitor.post(f"{PAGE}/subnets/new", 422, form))
    await box.visitor.post(f"{PAGE}/subnets/new", 422, {**form, "mode": "<b>"})
    body = {"ranges": ["10.79.0.5-10.79.0.9"]}
    refused = await box.api("PATCH", f"{PATH}/subnets/nic1", 422, json=body)
    assert (refused["code"], refused["field"]) == ("setting-invalid", "ranges")
    assert box.paper.text == FILE


async def test_keys_of_a_subnet_change(box: Box) -> None:
    await lease(box, "10.77.0.51")
    body = {"ranges": ["10.77.0.55-10.77.0.60"], "lease_seconds": 600, "serve_non_pxe": False}
    foreseen = await box.api("PATCH", f"{PATH}/subnets/nic1", json={**body, "only_plan": True})
    assert "1 computer has an address that is outside of the new ranges" in foreseen["lines"][-1]
    await box.api("PATCH", f"{PATH}/subnets/nic1", json=body)
    section = parse(box.paper.text, "x").subnet[0]
    assert (section.lease_seconds, section.serve_non_pxe) == (600, False)
    assert "   # the rack" in box.paper.text
    address = f"{PAGE}/subnets/nic1/edit"
    page = await box.visitor.get(address)
    chosen = dict(re.findall(r'<select id="([^"]+)"[^>]*>(?:(?!</select>).)*<option value="([^"]*)" selected>', page))
    assert chosen == {"mode": "", "serve_non_pxe": "no", "unknown_machines": "", "other_servers": "",
                      "network_roots": "",
                      "boot_program": "", "identify_by": "mac"}  # fmt: skip
    form = {**_fields(page), **chosen}
    assert "nothing would change" in said(await box.visitor.post(address, 409, form))
    page = await box.visitor.post(address, 200, {**form, "serve_non_pxe": "", "package_proxy": "http://10.77.0.3:3128"})
    assert "Package proxy: http://10.77.0.3:3128 instead of not set." in said(page)
    await box.visitor.post(address, 200, _fields(page))
    assert "serve_non_pxe" not in box.paper.text
    assert "is no number" in said(await box.visitor.post(address, 422, {**form, "lease_seconds": "soon"}))
    await box.visitor.post(address, 422, {**form, "mode": "<b>"})
    await box.visitor.get(f"{PAGE}/subnets/nic7/edit", 404)


async def test_further_dhcp_options_of_a_subnet(box: Box) -> None:
    address = f"{PAGE}/subnets/nic1/edit"
    form = {**_fields(await box.visitor.get(address)), "identify_by": "mac"}
    for wrong, says in (("1 = x", "1 cannot be set"), ("mtu", "is not NAME = VALUE"), ("mtu = x", "mtu")):
        assert says in said(await box.visitor.post(address, 422, {**form, "options": wrong}))
    page = await box.visitor.post(address, 200, {**form, "options": "mtu = 9000\n time-offset = 60"})
    assert "DHCP option mtu: 9000 instead of not set." in said(page)
    await box.visitor.post(address, 200, _fields(page))
    assert parse(box.paper.text, "x").subnet[0].options == {"mtu": "9000", "time-offset": "60"}
    await box.api("PATCH", f"{PATH}/subnets/nic1", json={"options": {"mtu": "1500"}})
    assert '[subnet.options]\nmtu = "1500"\n' in box.paper.text


async def test_a_subnet_is_taken_away_by_its_name(box: Box) -> None:
    await lease(box, "10.77.0.51")
    address = f"{PAGE}/subnets/nic1/delete"
    page = await box.visitor.get(address)
    assert "1 computer has an address of us there now" in said(page)
    form = _fields(page)
    assert "This is not it" in said(await box.visitor.post(address, 422, {**form, "confirm": "nic2"}))
    assert (await box.api("DELETE", f"{PATH}/subnets/nic1", 409))["code"] == "confirmation-needed"
    assert box.paper.text == FILE
    await box.visitor.post(address, 200, {**form, "confirm": "nic1"})
    assert parse(box.paper.text, "x").subnet == ()
    assert "Serve nic1" in said(await box.visitor.get(PAGE))
    assert (await box.api("DELETE", f"{PATH}/subnets/nic1", 404))["code"] == "subnet-unknown"
    assert "No network is served" in said(await box.visitor.get(PAGE))


# -- disks


async def test_disks_come_into_the_data_group_by_their_names(box: Box) -> None:
    found = {each["name"]: each for each in (await box.api("GET", f"{PATH}/disks"))["disks"]}
    assert [found[name]["refused"] for name in ("sda", "sdb")] == ["the appliance runs from it", ""]
    page = await box.visitor.post(f"{PAGE}/disks", 200, [("disks", "WD-1"), ("disks", "WD-2")])
    assert "Everything on these disks is lost" in said(page)
    assert "Type WD-2 to go on" in said(page)
    form = [("disks", "WD-1"), ("disks", "WD-2"), ("agreed", "yes"), ("confirm", "WD-1")]
    assert "This is not it" in said(await box.visitor.post(f"{PAGE}/disks", 409, form))
    assert not any("wipefs" in argv for argv in box.paper.programs.ran)
    await box.visitor.post(f"{PAGE}/disks", 303, [*form[:3], ("confirm", "WD-2")])
    assert box.paper.storage == ["WD-1", "WD-2"]
    assert "it is in the data group" in str(await box.api("GET", f"{PATH}/disks"))
    (entry,) = (each for each in (await box.api("GET", "/audit"))["items"] if each["action"] == "settings.data-disks")
    assert entry["after"] == {"disks": ["WD-1", "WD-2"]}


async def test_a_disk_more_keeps_those_that_are_there(box: Box) -> None:
    await box.api("POST", f"{PATH}/disks", json={"disks": ["WD-1"]})
    refused = await box.api("POST", f"{PATH}/disks", 409, json={"disks": ["WD-2"]})
    assert (refused["code"], refused["field"]) == ("confirmation-needed", "confirm")
    foreseen = await box.api("POST", f"{PATH}/disks", json={"disks": ["WD-2"], "only_plan": True})
    assert foreseen["confirm"] == "WD-2"
    await box.api("POST", f"{PATH}/disks", json={"disks": ["WD-1", "WD-2"], "confirm": "WD-2"})
    assert box.paper.storage == ["WD-1", "WD-2"]
    assert (await box.api("POST", f"{PATH}/disks", 409, json={"disks": ["WD-1"]}))["code"] == "settings-same"
    for wrong in ("OWN", "WD-9", "/dev/sdb"):
        assert (await box.api("POST", f"{PATH}/disks", 422, json={"disks": [wrong]}))["field"] == "disks"


async def test_a_note_of_the_disks_that_cannot_be_read(box: Box) -> None:
    (box.paper.etc / "qrm" / "storage.json").write_text("{")
    assert "storage.json" in (await box.api("GET", f"{PATH}/disks"))["trouble"]
    assert "Nothing is known of the disks" in said(await box.visitor.get(f"{PAGE}/disks"))
    assert (await box.api("POST", f"{PATH}/disks", 500, json={"disks": ["WD-1"]}))["code"] == "storage-unreadable"


# -- elsewhere


async def test_a_computer_that_was_not_flashed(admin: World) -> None:
    admin.services.config_path.write_text(FILE)
    found = await admin.api("GET", PATH)
    assert (found["here"], found["text"]) == (False, FILE)
    assert (await admin.api("PATCH", PATH, 409, json={"domain": "x.test"}))["code"] == "helper-missing"
    assert not (await admin.api("GET", f"{PATH}/disks"))["here"]
    assert (await admin.api("POST", f"{PATH}/disks", 409, json={"disks": ["WD-1"]}))["code"] == "helper-missing"


async def test_its_pages_offer_nothing(tmp_path: Path) -> None:
    async with visitor(tmp_path, fleet=False) as someone:
        (tmp_path / "appliance.toml").write_text(FILE)
        await someone.log_in()
        page = await someone.get(PAGE)
        assert "Its configuration file belongs to its administrator" in said(page)
        assert "# By hand." in said(page)
        assert "<form" not in page.partition("<main")[2]
        assert "Its disks belong to its administrator" in said(await someone.get(f"{PAGE}/disks"))
        for path in (PAGE, f"{PAGE}/subnets/new", f"{PAGE}/subnets/nic1/edit", f"{PAGE}/subnets/nic1/delete"):
            await someone.post(path, 409, {})
        await someone.post(f"{PAGE}/disks", 409, {"disks": "WD-1"})
