"""``qrm network``: how subnets are served, and boot options for other servers."""

import network_parts
import pytest
from cli_world import Cli

from appliance.networking.served import Aside
from appliance.reconcile.subnet_standing import Standing


async def test_a_subnet_is_switched_when_it_is_confirmed(qrm: Cli) -> None:
    shown = (await qrm.run("network", "show", "br0")).out
    assert "authoritative" in shown
    assert "serve_non_pxe" in shown, "that is fixed"
    told = await qrm.run("network", "consequences", "br0", "--mode", "proxy")
    assert "Another DHCP server has to give the addresses on br0" in told.out
    assert "To be confirmed with: br0" in told.out
    assert "--confirm br0" in (await qrm.run("network", "set", "br0", "--mode", "proxy", code=1)).err
    assert (await qrm.run("network", "set", "br0", "--mode", "proxy", "--confirm", "br0")).out == "br0: proxy\n"
    assert "proxy" in (await qrm.run("network", "subnets")).out
    assert (await qrm.run("network", "set", "br0", "--mode", "authoritative")).out == "br0: authoritative\n"
    assert (await qrm.run("network", "show", "br0", "--json")).json["mode"] == "authoritative"


async def test_what_is_fixed_is_refused_and_nothing_said_is_wrong_usage(qrm: Cli) -> None:
    refused = await qrm.run("network", "set", "br0", "--serve-non-pxe", "no", code=4)
    assert "configuration file" in refused.err
    assert "say what is to change" in (await qrm.run("network", "set", "br0", code=2)).err


async def test_boot_options_are_printed_alone_so_that_they_can_be_kept_in_a_file(qrm: Cli) -> None:
    printed = await qrm.run("network", "snippet", "br0", "--for", "dnsmasq")
    assert printed.out.startswith("# Network boot from the appliance at 10.77.0.1.\n")
    assert "dhcp-boot=" in printed.out
    assert "/etc/dnsmasq.d/" in printed.err
    await qrm.run("network", "snippet", "br0", code=2)


async def test_boot_options_for_secure_boot_name_shim(qrm: Cli) -> None:
    usual = (await qrm.run("network", "snippet", "br0", "--for", "dnsmasq")).out
    signed = (await qrm.run("network", "snippet", "br0", "--for", "dnsmasq", "--secure-boot")).out
    assert "shimx64.efi" not in usual
    assert signed == usual.replace("snponly.efi", "shimx64.efi")


async def test_a_cable_that_is_pulled_is_shown(qrm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no link" not in (await qrm.run("network", "subnets")).out
    assert "it ends in no cable" in (await qrm.run("network", "show", "br0")).out
    monkeypatch.setattr(network_parts, "STANDING", Standing(linked=False, link_trouble="no link on nic1; plug it in"))
    assert "authoritative, no link" in (await qrm.run("network", "subnets")).out
    assert "no link on nic1; plug it in" in (await qrm.run("network", "show", "br0")).out


async def test_a_subnet_that_does_not_fit_is_shown(qrm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "set aside no" in " ".join((await qrm.run("network", "show", "br0")).out.replace(":", "").split())
    aside = Aside("nic1", "nic1 has no IPv4 address", "give it one")
    monkeypatch.setattr(qrm.world.services.network, "aside", lambda: (aside,))
    assert "set aside: see qrm network show" in (await qrm.run("network", "subnets")).out
    assert aside.text in (await qrm.run("network", "show", "nic1")).out


async def test_it_is_looked_for_other_servers(qrm: Cli) -> None:
    assert "five seconds" in (await qrm.run("network", "look", "br0")).out
    assert "no subnet" in (await qrm.run("network", "look", "br9", code=4)).err
