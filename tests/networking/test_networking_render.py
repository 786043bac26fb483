"""Files of systemd-networkd, whole, as they are written."""

import re

from layouts import DHCP, TWO, nic

from appliance.networking.edit import replace, with_interface
from appliance.networking.layout import Interface, Layout
from appliance.networking.render import HEAD, PREFIX, hardware_address, render


def text(files, name):
    """Without the head that all have."""
    whole = files[f"{PREFIX}{name}"]
    assert whole.startswith(HEAD)
    return whole.removeprefix(HEAD)


def test_a_fixed_address():
    files = render(TWO)
    assert set(files) == {f"{PREFIX}nic{n}.{kind}" for n in (0, 1) for kind in ("link", "network")}
    assert text(files, "nic0.link") == "[Match]\nPermanentMACAddress=52:54:00:00:00:00\n\n[Link]\nName=nic0\n"
    assert text(files, "nic0.network") == (
        "[Match]\nPermanentMACAddress=52:54:00:00:00:00\n\n[Link]\nRequiredForOnline=no-carrier\n\n[Network]\n"
        "Address=192.0.2.5/24\nGateway=192.0.2.1\nDNS=192.0.2.53\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\n"
        "ConfigureWithoutCarrier=yes\n"
    )


def test_what_was_parsed_is_written_and_not_what_was_typed():
    typed = nic(1, method="static", addresses=("10.77.0.1/255.255.255.0", "2001:DB8:0::5/64"), dns=("2001:DB8:0::1",))
    written = text(render(with_interface(TWO, typed)), "nic1.network")
    assert "\nAddress=10.77.0.1/24\nAddress=2001:db8::5/64\nDNS=2001:db8::1\n" in written


def test_an_address_from_dhcp_goes_by_the_mac_address():
    assert text(render(DHCP), "nic0.network") == (
        "[Match]\nPermanentMACAddress=52:54:00:00:00:00\n\n[Link]\nRequiredForOnline=no\n\n[Network]\nDHCP=ipv4\n"
        "LinkLocalAddressing=ipv6\nIPv6AcceptRA=yes\n\n[DHCPv4]\nClientIdentifier=mac\nSendRelease=no\nUseHostname=no\n"
    )
    assert "LinkLocalAddressing=no" in text(render(DHCP), "nic1.network")


def test_the_start_waits_for_a_lease_only_where_machines_are_served():
    one = Layout((nic(0, method="dhcp", roles=("management", "provisioning")),))
    assert "RequiredForOnline=routable" in text(render(one), "nic0.network")


def test_a_bridge_has_the_mac_address_of_its_nic_and_forwards_at_once():
    files = render(with_interface(DHCP, Interface("br0", "bridge", ports=("nic0",))))
    assert text(files, "br0.netdev") == (
        "[NetDev]\nName=br0\nKind=bridge\nMACAddress=52:54:00:00:00:00\n\n[Bridge]\nSTP=no\nForwardDelaySec=0\n"
    )
    assert text(files, "nic0.network").endswith("[Network]\nBridge=br0\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n")
    assert "[Match]\nName=br0\n" in text(files, "br0.network")
    assert "DHCP=ipv4" in text(files, "br0.network")


def test_bonds_and_vlans():
    layout = with_interface(TWO, Interface("bond0", "bond", ports=("nic1",), mode="802.3ad"))
    layout = with_interface(layout, Interface("bond0.20", "vlan", parent="bond0", tag=20))
    files = render(layout)
    assert "Mode=802.3ad\nMIIMonitorSec=100ms\nLACPTransmitRate=fast\n" in text(files, "bond0.netdev")
    assert text(files, "bond0.20.netdev") == "[NetDev]\nName=bond0.20\nKind=vlan\n\n[VLAN]\nId=20\n"
    assert "VLAN=bond0.20\n" in text(files, "bond0.network")
    assert "Bond=bond0\n" in text(files, "nic1.network")
    assert hardware_address(layout, layout.named("bond0.20")) == "52:54:00:00:00:01"


def test_a_bridge_of_nothing_has_no_mac_address_of_ours():
    layout = replace(TWO, interfaces=(*TWO.interfaces, Interface("vms0", "bridge", roles=("vms",))))
    assert "MACAddress" not in text(render(layout), "vms0.netdev")


def test_nat_forwards_between_the_two_sides_and_nowhere_else():
    assert "IPv4Forwarding" not in "".join(render(TWO).values())
    files = render(replace(TWO, nat=True, interfaces=(*TWO.interfaces, nic(2))))
    assert [bool(re.search("IPv4Forwarding=yes", text(files, f"nic{n}.network"))) for n in range(3)] == [
        True,
        True,
        False,
    ]
