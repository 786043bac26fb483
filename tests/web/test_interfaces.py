"""The appliance's own networks in API and console, with a privileged helper of paper behind them."""

import html
import re
from contextlib import asynccontextmanager
from ipaddress import IPv4Address

import pytest
from aiohttp import FormData

from appliance.lease import Lease, LeaseState
from appliance.networking.edit import replace
from appliance.networking.layout import Interface, Layout
from appliance.networking.served import Aside, Served
from appliance.privileged.client import Privileged
from appliance.reconcile import own_networks
from appliance.store import leases, subnet_rules
from appliance.web.api import interfaces as web_interfaces
from appliance.web.console import interfaces as console_interfaces
from tests.privileged.paper_computer import serving
from tests.privileged.paper_network import FIRST, MACS, STATIC, PaperNetwork

HERE = Interface("nic0", mac=MACS[0], method="static", addresses=("127.0.0.1/8",), roles=("management",))
"""What the paper helper keeps is not checked again: the client comes to this address."""
NETWORK = "/appliance/network"


@pytest.fixture
async def net(tmp_path):
    (tmp_path / "paper").mkdir()
    made = PaperNetwork(tmp_path / "paper")
    await made.boot()
    return made


@pytest.fixture
async def api(admin, net, tmp_path):
    """The world, set up, with a helper."""
    async with serving(tmp_path, net.computer) as client:
        admin.services.own_networks._privileged = client
        yield admin


@asynccontextmanager
async def gone(web):
    """Without the helper."""
    own = web.services.own_networks
    kept, own._privileged = own._privileged, Privileged(own._privileged._path.with_name("nothing"))
    yield
    own._privileged = kept


async def put(web, name, status=200, **body):
    return await web.api("PUT", f"{NETWORK}/interfaces/{name}", status, json=body)


STATIC_BODY = {"method": "static", "addresses": ["192.0.2.5/24"], "gateway": "192.0.2.1", "roles": ["management"]}


async def test_the_networks_are_shown(api):
    found = await api.api("GET", NETWORK)
    assert (found["here"], found["trouble"], found["trial"], found["reverted"], found["nat"]) == (
        True, "", None, None, False,
    )  # fmt: skip
    assert [(each["name"], each["mac"], each["method"]) for each in found["interfaces"]] == [
        ("nic0", MACS[0], "dhcp"), ("nic1", MACS[1], "dhcp"),
    ]  # fmt: skip
    assert found["seen"][0] == {"name": "nic0", "mac": MACS[0], "is_nic": True, "link": True, "speed": 0, "driver": "",
                                "addresses": ["192.0.2.5/24"]}  # fmt: skip


async def test_a_change_is_planned_tried_and_kept(api, net):
    planned = await put(api, "nic0", **STATIC_BODY, only_plan=True)
    assert planned["lines"] == ["nic0: 192.0.2.5/24, gateway 192.0.2.1, instead of address from DHCP"]
    assert (planned["until"], planned["confirm"], planned["lost"]) == (None, "", "")
    assert not net.state.is_trying
    tried = await put(api, "nic0", **STATIC_BODY)
    assert tried["until"] == net.state.tried().until
    assert net.state.tried().layout.named("nic0") == STATIC
    assert (await api.api("GET", NETWORK))["trial"]["interfaces"][0]["method"] == "static"
    again = await put(api, "nic1", 409, **{**STATIC_BODY, "addresses": ["198.51.100.5/24"], "gateway": ""})
    assert again["code"] == "network-trying"
    await api.api("POST", f"{NETWORK}/confirm", 204)
    assert net.state.confirmed().named("nic0") == STATIC
    assert (await api.api("POST", f"{NETWORK}/confirm", 409))["code"] == "network-not-trying"
    audit = await api.api("GET", "/audit")
    assert [each["action"] for each in audit["items"][:2]] == ["network.keep", "network.try"]
    assert "192.0.2.5/24" in str(audit["items"][1]["after"])


async def test_a_change_is_taken_back_by_hand_and_by_itself_and_the_reason_is_told_once(api, net):
    await put(api, "nic0", **STATIC_BODY)
    await api.api("POST", f"{NETWORK}/revert", 204)
    assert net.state.confirmed() == FIRST
    await put(api, "nic0", **STATIC_BODY)
    await net.elapse()
    own = api.services.own_networks
    await own.step()
    await own.step()
    found = await api.api("GET", NETWORK)
    assert "nobody confirmed" in found["reverted"]["why"]
    assert own.trial is None
    told = [each for each in await _events(api) if "nobody" in each["reason"]]
    assert len(told) == 1


async def _events(web):
    return (await web.api("GET", "/events?kind=appliance.network"))["items"]


async def test_bridges_come_and_go(api, net):
    made = await put(api, "br0", kind="bridge", ports=["nic1"])
    assert made["lines"][-1].startswith("br0 is made: a bridge of nic1; address from DHCP")
    await api.api("POST", f"{NETWORK}/confirm", 204)
    planned = await api.api("DELETE", f"{NETWORK}/interfaces/br0?only_plan=true")
    assert planned["until"] is None
    assert (await api.api("DELETE", f"{NETWORK}/interfaces/br0"))["until"]
    await api.api("POST", f"{NETWORK}/confirm", 204)
    assert net.state.confirmed() == FIRST
    assert (await api.api("DELETE", f"{NETWORK}/interfaces/br0", 404))["code"] == "interface-unknown"
    assert (await api.api("DELETE", f"{NETWORK}/interfaces/nic0", 422))["code"] == "network-invalid"


async def test_leases_and_rules_go_on_under_the_name_of_the_bridge(api, net):
    lease = Lease("52:54:00:00:00:99", IPv4Address("10.77.0.60"), "nic1", b"", "", 1.0, 2e9, LeaseState.BOUND)

    def job(db):
        leases.put(db, [lease])
        subnet_rules.choose(db, "nic1", {"mode": "proxy"})

    await api.services.store.write(job)
    await put(api, "br0", kind="bridge", ports=["nic1"])
    await api.api("POST", f"{NETWORK}/confirm", 204)
    assert [each.interface for each in await api.services.store.read(leases.every)] == ["br0"]
    assert await api.services.store.read(subnet_rules.every) == {"br0": {"mode": "proxy"}}


async def test_all_of_it_at_once(api, net):
    there = (await api.api("GET", NETWORK))["interfaces"]
    interfaces = [{**each, "roles": [role]} for each, role in zip(there, ("management", "provisioning"), strict=True)]
    tried = await api.api("PUT", NETWORK, json={"interfaces": interfaces, "nat": True})
    assert any("NAT" in line for line in tried["lines"])
    assert net.state.tried().layout.nat


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("nic0", {"method": "static"}, "nic0.addresses"),
        ("nic0", {"method": "static", "addresses": ["ten"]}, "nic0.addresses"),
        ("..%2Fx", {"kind": "bridge"}, "name"),
        ("br0", {"kind": "bridge", "ports": ["nic9"]}, "br0.ports"),
        ("v", {"kind": "vlan", "parent": "nic0", "tag": 5000}, "v.tag"),
        ("nic0", {"kind": "bridge"}, "name"),
        ("nic0", {"roles": ["guests"]}, "roles.0"),
        ("nic9", {"mac": "52:54:00:00:00:77"}, "nic9.mac"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(api, net, name, body, field):
    refused = await put(api, name, 422, **body)
    assert refused["field"] == field or (field == "roles.0" and "roles" in refused["field"])
    assert not net.state.is_trying


async def test_who_would_be_cut_off_is_told_first(api, net, monkeypatch):
    """The request came to 127.0.0.1, which an interface has here; from there to DHCP nobody knows the way."""
    monkeypatch.setattr(own_networks, "ANSWER_SECONDS", 0.0)
    net.state.finish(Layout((HERE, FIRST.interfaces[1])))
    refused = await put(api, "nic0", 409, method="dhcp", roles=["management"])
    assert refused["code"] == "confirmation-needed"
    assert "cut off" in refused["hint"]
    assert not net.state.is_trying
    begun = await put(api, "nic0", method="dhcp", roles=["management"], confirm="cut off")
    assert begun["until"]
    assert not net.state.is_trying, "the answer goes first"
    await api.services.own_networks.step()
    assert net.state.tried().layout.named("nic0").method == "dhcp"


SERVED = (Served("nic1", "nic1", ((IPv4Address("10.77.0.50"), IPv4Address("10.77.0.60")),)),)
TWO = Layout((FIRST.interfaces[0], Interface("nic1", mac=MACS[1], method="static", addresses=("10.77.0.1/24",),
                                             roles=("provisioning",))))  # fmt: skip


async def test_who_would_not_be_served_any_more_is_said_first(api, net):
    net.state.finish(TWO)
    net.configure()
    api.services.own_networks._served = SERVED
    moved = {"method": "static", "addresses": ["10.88.0.1/24"], "roles": ["provisioning"]}
    planned = await put(api, "nic1", only_plan=True, **moved)
    said = "machines on nic1 are not served any more: 10.77.0.50-10.77.0.60 is outside 10.88.0.0/24"
    assert (planned["lines"][-1], planned["confirm"], planned["lost"]) == (said, "not served", "")
    refused = await put(api, "nic1", 409, **moved)
    assert (refused["code"], refused["detail"]) == ("confirmation-needed", said)
    assert not net.state.is_trying
    status, text = await page(api, "/network/interfaces/nic1/edit", method="static", addresses="10.88.0.1/24",
                              gateway="", dns="", roles=["provisioning"])  # fmt: skip
    assert (status, said[1:] in text) == (200, True)
    assert (await put(api, "nic1", confirm="not served", **moved))["until"]
    assert net.state.is_trying


async def test_a_subnet_that_is_set_aside_is_said_where_addresses_are_changed(api, net, monkeypatch):
    aside = Aside("nic1", "nic1 has no IPv4 address", "give it one")
    assert "set aside" not in (await page(api, "/network/interfaces"))[1]
    monkeypatch.setattr(api.services.network, "aside", lambda: (aside,))
    text = re.sub(r"<[^>]*>", "", (await page(api, "/network/interfaces"))[1])
    assert "The subnet nic1 is set aside, and no machine is served there: nic1 has no IPv4" in text


async def test_a_change_that_could_not_be_put_on_later_is_told(api, net, monkeypatch):
    """Who asked was given a time until which to confirm, and has gone to where the console was to be."""
    monkeypatch.setattr(own_networks, "ANSWER_SECONDS", 0.0)
    net.state.finish(Layout((HERE, FIRST.interfaces[1])))
    assert (await put(api, "nic0", **STATIC_BODY))["until"]
    net.fails = {"nft"}
    await api.services.own_networks.step()
    assert not net.state.is_trying
    (told,) = [each for each in await _events(api) if "could not be put on" in each["text"]]
    assert "nft" in told["reason"]
    assert "could not be put on" in (await api.api("GET", NETWORK))["reverted"]["why"]


async def test_only_who_comes_over_the_new_network_keeps_it(api, net, monkeypatch):
    """A connection that is open goes on over a network that the console is not reached by any more."""
    for module in (web_interfaces, console_interfaces):
        monkeypatch.setattr(module, "here", lambda request: "192.0.2.5")
    moved = replace(FIRST, interfaces=(replace(FIRST.interfaces[0], roles=()), FIRST.interfaces[1]))
    net.addresses = {"nic0": "192.0.2.5", "nic1": "198.51.100.7"}
    await net.apply(moved)
    refused = await api.api("POST", f"{NETWORK}/confirm", 409)
    assert refused["code"] == "network-elsewhere"
    assert "open the console at 198.51.100.7" in refused["hint"]
    status, text = await page(api, "/network/interfaces/confirm")
    assert (status, "198.51.100.7" in text) == (409, True)
    assert net.state.is_trying
    for module in (web_interfaces, console_interfaces):
        monkeypatch.setattr(module, "here", lambda request: "198.51.100.7")
    await api.api("POST", f"{NETWORK}/confirm", 204)
    assert net.state.confirmed() == moved


async def test_without_a_helper_it_is_said_that_this_is_no_flashed_appliance(api):
    async with gone(api):
        found = await api.api("GET", NETWORK)
        assert (found["here"], found["interfaces"]) == (False, [])
        refused = await put(api, "nic0", 409, **STATIC_BODY)
        assert refused["code"] == "helper-missing"
        assert "not a flashed appliance" in refused["detail"]


async def test_a_helper_that_fails_is_said(api, net):
    net.fails = {"ip -json"}
    assert "no" in (await api.api("GET", NETWORK))["trouble"]
    await api.services.own_networks.step()


# -- console


async def page(web, path, **form):
    """(status, text) of a page; with ``form``, of what comes of sending it."""
    data = FormData(
        [(key, each) for key, value in form.items() for each in (value if isinstance(value, list) else [value])]
    )
    headers = {**web.headers, "Accept": "text/html", "Origin": str(web.client.make_url("")).rstrip("/")}
    method = "POST" if form or path.endswith(("confirm", "revert")) else "GET"
    async with web.client.request(method, path, data=data if method == "POST" else None, headers=headers,
                                  allow_redirects=False) as answer:  # fmt: skip
        return answer.status, html.unescape(await answer.text())


async def test_the_page_has_every_interface_and_the_banner_while_a_change_is_tried(api, net):
    status, text = await page(api, "/network/interfaces")
    assert status == 200
    assert all(mac in text for mac in MACS)
    assert "Keep the new network" not in text
    await put(api, "nic0", **STATIC_BODY)
    status, text = await page(api, "/machines")
    assert "Keep the new network" in text
    assert re.search(r'data-until="\d', text)
    assert (await page(api, "/network/interfaces/confirm"))[0] == 303
    assert net.state.confirmed().named("nic0") == STATIC
    assert "Keep the new network" not in (await page(api, "/machines"))[1]


FORM = {"method": "static", "addresses": "192.0.2.5/24", "gateway": "192.0.2.1", "dns": "", "roles": ["management"]}


async def test_a_form_says_what_it_means_before_it_does_it(api, net):
    assert 'value="management" checked' in (await page(api, "/network/interfaces/nic0/edit"))[1]
    status, text = await page(api, "/network/interfaces/nic0/edit", **FORM)
    assert status == 200
    assert "nic0: 192.0.2.5/24, gateway 192.0.2.1, instead of address from DHCP" in text
    assert not net.state.is_trying
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))
    assert (await page(api, "/network/interfaces/nic0/edit", **hidden))[0] == 303
    assert net.state.tried().layout.named("nic0") == STATIC
    assert (await page(api, "/network/interfaces/revert"))[0] == 303
    assert net.state.confirmed() == FIRST
    assert "was taken back" in (await page(api, "/network/interfaces"))[1]


async def test_a_bridge_is_made_and_taken_away_and_nat_switched(api, net):
    made = {"name": "br0", "kind": "bridge", "ports": "nic1", "agreed": "yes", "method": "none"}
    assert (await page(api, "/network/interfaces/new", **made))[0] == 303
    await net.confirm()
    assert net.state.confirmed().named("br0").method == "dhcp"
    assert "br0 is taken away" in (await page(api, "/network/interfaces/br0/delete"))[1]
    assert (await page(api, "/network/interfaces/br0/delete", agreed="yes"))[0] == 303
    await net.confirm()
    served = Layout((STATIC, Interface("nic1", mac=MACS[1], roles=("provisioning",))))
    net.state.finish(served)
    assert (await page(api, "/network/interfaces/nat", nat="yes", agreed="yes"))[0] == 303
    assert net.state.tried().layout.nat


BAD = (
    "",
    " ",
    "<script>x</script>",
    "a" * 300,
    "-1",
    "99999999999",
    "\u202eabc",
    "a\nb",
    "../../etc",
    "{{7*7}}",
    "½",
    "⁵",
)


FIELDS = ("name", "kind", "ports", "mode", "parent", "tag", "method", "addresses", "gateway", "dns", "roles")


@pytest.mark.parametrize("field", FIELDS)
async def test_bad_values_are_said_beside_their_fields_and_change_nothing(api, net, field):
    good = {"name": "v", "kind": "vlan", "parent": "nic0", "tag": "5", **FORM, "addresses": "10.9.0.5/24",
            "gateway": "10.9.0.1", "mode": "active-backup", "ports": ""}  # fmt: skip
    if field in ("ports", "mode"):
        good |= {"kind": "bond", "name": "bond0", "ports": "nic1", "method": "none", "roles": []}
    for value in BAD:
        status, text = await page(api, "/network/interfaces/new", **(good | {field: value}))
        assert status in (200, 422), (field, value)
        assert "<script>x" not in text.replace(html.unescape("&lt;script&gt;x"), "") or status == 422
        if status == 422:
            assert 'class="error"' in text, (field, value)
            assert good["name"] in text or field == "name"
        else:
            assert value.strip() == "" or field in ("mode", "roles"), f"{field} took {value!r}"
    assert not net.state.is_trying


async def test_a_change_that_moves_the_console_says_where_to(api, net, monkeypatch):
    monkeypatch.setattr(own_networks, "ANSWER_SECONDS", 0.0)
    net.state.finish(Layout((HERE, FIRST.interfaces[1])))
    status, text = await page(api, "/network/interfaces/nic0/edit", **FORM, agreed="yes")
    assert status == 200
    assert "Go on at 192.0.2.5" in text
    blind = {**FORM, "method": "dhcp", "agreed": "yes"}
    await net.revert() if net.state.is_trying else None
    api.services.own_networks._asked = None
    status, text = await page(api, "/network/interfaces/nic0/edit", **blind, confirm="yes")
    assert status == 422
    assert "Type exactly: cut off" in text


async def test_without_a_helper_the_page_offers_nothing(api):
    async with gone(api):
        status, text = await page(api, "/network/interfaces")
        assert status == 200
        assert "not a flashed appliance" in text
        assert "Change" not in re.sub(r"<[^>]*>", "", text.partition("<main")[2])
        assert "not a flashed appliance" in (await page(api, "/network/interfaces/nic0/edit"))[1]
