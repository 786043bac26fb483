"""``qrm network interfaces``: the appliance's own networks, with a privileged helper of paper behind the API."""

import pytest
from cli_world import Cli

from tests.privileged.paper_computer import serving
from tests.privileged.paper_network import FIRST, STATIC, PaperNetwork

INTERFACES = ("network", "interfaces")


@pytest.fixture
async def net(qrm: Cli, tmp_path):
    (tmp_path / "paper").mkdir()
    made = PaperNetwork(tmp_path / "paper")
    await made.boot()
    async with serving(tmp_path, made.computer) as client:
        qrm.world.services.own_networks._privileged = client
        yield made


async def test_a_change_is_said_tried_and_kept(qrm: Cli, net: PaperNetwork) -> None:
    assert "nic0" in (await qrm.run(*INTERFACES)).out
    change = (*INTERFACES, "set", "nic0", "--address", "192.0.2.5/24", "--gateway", "192.0.2.1")
    planned = await qrm.run(*change, "--only-plan")
    assert "192.0.2.5/24, gateway 192.0.2.1, instead of address from DHCP" in planned.out
    assert not net.state.is_trying
    tried = await qrm.run(*change)
    assert "Keep it: qrm network interfaces confirm" in tried.out
    assert net.state.tried().layout.named("nic0") == STATIC
    assert "This is tried until" in (await qrm.run(*INTERFACES)).out
    await qrm.run(*INTERFACES, "confirm")
    assert net.state.confirmed().named("nic0") == STATIC
    assert "192.0.2.1" in (await qrm.run(*INTERFACES, "show", "nic0")).out
    assert "no change" in (await qrm.run(*INTERFACES, "revert", code=4)).err


async def test_a_bridge_comes_and_goes_and_nat_is_switched(qrm: Cli, net: PaperNetwork) -> None:
    await qrm.run(*INTERFACES, "create", "br0", "--kind", "bridge", "--port", "nic1")
    await qrm.run(*INTERFACES, "confirm")
    assert net.state.confirmed().named("br0").method == "dhcp"
    assert "already" in (await qrm.run(*INTERFACES, "create", "br0", "--kind", "bridge", code=1)).err
    await qrm.run(*INTERFACES, "set", "br0", "--role", "management", "--role", "provisioning")
    await qrm.run(*INTERFACES, "confirm")
    await qrm.run(*INTERFACES, "nat", "yes")
    await qrm.run(*INTERFACES, "revert")
    assert "taken back" in (await qrm.run(*INTERFACES)).out
    await qrm.run(*INTERFACES, "set", "br0", "--role", "management")
    await qrm.run(*INTERFACES, "confirm")
    assert "br0 is taken away" in (await qrm.run(*INTERFACES, "delete", "br0", "--only-plan")).out
    await qrm.run(*INTERFACES, "delete", "br0")
    await qrm.run(*INTERFACES, "confirm")
    assert net.state.confirmed() == FIRST


async def test_what_cannot_be_is_refused(qrm: Cli, net: PaperNetwork) -> None:
    refused = await qrm.run(*INTERFACES, "set", "nic0", "--address", "ten", code=4)
    assert "[nic0.addresses]" in refused.err
    assert "no interface" in (await qrm.run(*INTERFACES, "set", "nic9", "--method", "dhcp", code=1)).err
    assert not net.state.is_trying


async def test_without_a_helper_it_is_said_that_this_is_no_flashed_appliance(qrm: Cli) -> None:
    said = (await qrm.run(*INTERFACES, code=1)).err
    assert "not a flashed appliance" in said
    assert "administrator" in said
