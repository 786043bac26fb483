"""Every kind of change of the networks, around the management and the provisioning interface: kept, taken back by the
timer alone, and taken back by a restart. Whatever becomes of it, files, rules and configuration say the same, and the
daemon would start on them.
"""

from ipaddress import IPv4Interface

import pytest
from paper_network import CONFIGURATION, MACS, NOW, PaperNetwork

from appliance.config import parse
from appliance.config_fitting import fit
from appliance.networking.check import check
from appliance.networking.edit import replace, with_interface, without_interface
from appliance.networking.firewall import ruleset
from appliance.networking.layout import Interface, Layout
from appliance.networking.render import render
from appliance.privileged.firewall import ports

NIC0 = Interface("nic0", mac=MACS[0], method="static", addresses=("192.0.2.5/24",), gateway="192.0.2.1",
                 dns=("192.0.2.53",), roles=("management",))  # fmt: skip
NIC1 = Interface("nic1", mac=MACS[1], method="static", addresses=("10.77.0.1/24",), roles=("provisioning",))
PLAIN = Layout((NIC0, NIC1))
VLAN = Interface("nic0.7", "vlan", parent="nic0", tag=7, method="static", addresses=("198.51.100.5/24",),
                 roles=("management",))  # fmt: skip


def made(before, *interfaces):
    for each in interfaces:
        before = with_interface(before, each)
    return before


def around(kind, port):
    return Interface(f"{kind}0", kind, ports=(port,))


MANAGED = {
    "address": made(PLAIN, replace(NIC0, addresses=("192.0.2.6/24",))),
    "a second address": made(PLAIN, replace(NIC0, addresses=("192.0.2.5/24", "2001:db8::5/64"))),
    "gateway": made(PLAIN, replace(NIC0, gateway="192.0.2.2")),
    "no gateway": made(PLAIN, replace(NIC0, gateway="")),
    "DNS": made(PLAIN, replace(NIC0, dns=("192.0.2.54", "2001:db8::53"))),
    "method": made(PLAIN, Interface("nic0", mac=MACS[0], method="dhcp", roles=("management",))),
    "roles": made(PLAIN, replace(NIC0, roles=("management", "storage"))),
    "NAT": replace(PLAIN, nat=True),
    "bridge": made(PLAIN, around("bridge", "nic0")),
    "bond": made(PLAIN, around("bond", "nic0")),
    "VLAN": made(PLAIN, replace(NIC0, roles=(), gateway=""), VLAN),
    "a bridge of a VLAN": made(PLAIN, replace(NIC0, roles=(), gateway=""), VLAN, around("bridge", "nic0.7")),
    "management elsewhere": Layout(
        (Interface("nic0", mac=MACS[0]), replace(NIC1, roles=("management", "provisioning")))
    ),
}
PROVISIONED = {
    "address": made(PLAIN, replace(NIC1, addresses=("10.77.0.2/24",))),
    "a wider network": made(PLAIN, replace(NIC1, addresses=("10.77.0.1/16",))),
    "roles": made(PLAIN, replace(NIC1, roles=("provisioning", "storage", "vms"))),
    "bridge": made(PLAIN, around("bridge", "nic1")),
    "bond": made(PLAIN, around("bond", "nic1")),
    "a bridge of a bond": made(PLAIN, around("bond", "nic1"), around("bridge", "bond0")),
    "one bridge for both": made(
        PLAIN, Interface("br0", "bridge", ports=("nic1", "nic0"), method="static",
                         addresses=("10.77.0.1/24",), roles=("management", "provisioning")),
    ),
}  # fmt: skip
AWAY = {
    "bridge": (PROVISIONED["bridge"], "bridge0", "bridge0"),
    "bond": (PROVISIONED["bond"], "bond0", "bond0"),
    "a bridge of a bond": (PROVISIONED["a bridge of a bond"], "bridge0", "bridge0"),
    "a bond in a bridge": (PROVISIONED["a bridge of a bond"], "bond0", "bridge0"),
    "the bridge of management": (MANAGED["bridge"], "bridge0", "nic1"),
    "a VLAN beside": (made(PLAIN, replace(VLAN, roles=("storage",))), "nic0.7", "nic1"),
}
CASES = {
    **{f"management: {name}": (PLAIN, after, "nic1") for name, after in MANAGED.items()},
    **{f"provisioning: {name}": (PLAIN, after, "nic1") for name, after in PROVISIONED.items()},
    **{
        f"taken away: {name}": (before, without_interface(before, gone), served)
        for name, (before, gone, served) in AWAY.items()
    },
}


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    """(the computer, layout before and after, the configuration before)."""
    before, after, served = CASES[request.param]
    check(before)
    net = PaperNetwork(tmp_path)
    net.state.finish(before)
    net.state.write_files(before)
    net.reads()
    text = CONFIGURATION.replace('"nic1"', f'"{served}"')
    net.configure(text)
    return net, before, after, text


def stands(net, layout):
    """Everything that is kept and that is on follows from this layout, and all that is configured can be served."""
    assert net.state.confirmed() == layout
    assert not net.state.is_trying
    assert net.state.unfinished() is None
    assert net.on == net.files() == render(layout)
    config = parse(net.configuration(), "")
    rules = net.roots.run / "appliance" / "firewall.nft"
    assert not rules.exists() or rules.read_text() == ruleset(layout, ports(config))
    have = {
        each.name: IPv4Interface(each.addresses[0]) if each.method == "static" else None for each in layout.interfaces
    }
    assert fit(config, have).aside == ()


async def test_kept_it_lasts(case):
    net, before, after, _ = case
    await net.apply(after)
    assert net.on == render(after)
    assert net.state.confirmed() == before
    await net.confirm()
    stands(net, after)
    assert await net.boot() == after
    stands(net, after)


async def test_unconfirmed_the_timer_alone_takes_it_back(case):
    net, before, after, text = case
    await net.apply(after)
    assert (await net.elapse(), net.configuration()) == (True, text)
    stands(net, before)


async def test_unconfirmed_a_restart_takes_it_back(case):
    net, before, after, text = case
    trial = await net.apply(after)
    assert trial.until == NOW + 60
    (net.roots.run / "appliance" / "firewall.nft").unlink()  # /run is empty at a start
    assert (await net.boot(), net.configuration()) == (before, text)
    stands(net, before)
