"""Subnets behind relays and their options in the configuration file: what is read, and what is refused where."""

from ipaddress import IPv4Interface

import pytest

from appliance.config import ConfigError, parse
from appliance.config_subnets import check_networks, heard_on, interfaces_of

NEAR = '[[subnet]]\ninterface = "br0"\n'
FAR = '[[subnet]]\nnetwork = "10.78.0.0/24"\nrelays = ["10.78.0.1"]\n'


def refused(text):
    with pytest.raises(ConfigError) as caught:
        parse(text, "qrm.toml")
    return caught.value


def test_a_subnet_behind_relays_has_what_it_needs_by_itself():
    near, far = parse(NEAR + FAR, "x").subnet
    assert (near.key, near.router, near.options) == ("br0", None, {})
    assert (far.key, far.router, far.interface) == ("10.78.0.0/24", "10.78.0.1", "")
    assert heard_on(far, (near, far)) == "br0"
    assert interfaces_of((near, far)) == ["br0"]


def test_it_may_be_reached_on_an_interface_of_its_own():
    sections = parse(NEAR + FAR + 'interface = "eth1"\ngateway = "10.78.0.254"\n', "x").subnet
    assert interfaces_of(sections) == ["br0", "eth1"]
    assert sections[1].router == "10.78.0.254"


def test_options_are_read_whatever_their_type():
    options = "mtu = 9000\nip-forwarding = true\nntp-servers = ['10.0.0.1', '10.0.0.2']\n150 = '10.0.0.3'\n"
    (section,) = parse(f"{NEAR}[subnet.options]\n{options}", "x").subnet
    assert section.options == {
        "mtu": "9000", "ip-forwarding": "true", "ntp-servers": "10.0.0.1, 10.0.0.2", "150": "10.0.0.3"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "key", "says", "right"),
    [
        ("[[subnet]]\nranges = []", 1, "subnet", "lacks the key interface", "only relays reach it"),
        (NEAR + "[[subnet]]\nnetwork = '10.78.0.0'", 4, "network", "cannot be used", '"10.78.0.0/32"'),
        (NEAR + "[[subnet]]\nnetwork = '10.78.0.1/24'", 4, "network", "not a network", "10.78.0.0/24"),
        (NEAR + "[[subnet]]\nnetwork = '10.78.0.0/31'", 4, "network", "cannot be used", "8 to 30"),
        (NEAR + "[[subnet]]\nnetwork = '10.78.0.0/24'", 4, "network", "needs the key relays", "relays = ["),
        (FAR, 2, "network", "through no interface", "interface = "),
        ("[[subnet]]\ninterface = 'br0'\nmode = 'off'\n" + FAR, 5, "network", "through no interface", "interface"),
        (NEAR + FAR.replace("10.78.0.1", "192.0.2.1"), 4, "network", "no gateway", "add gateway"),
        (NEAR + FAR + "gateway = '10.77.0.1'", 4, "network", "no gateway", "10.78.0.0/24"),
        (NEAR + FAR + "ranges = ['10.77.0.5-10.77.0.9']", 6, "ranges", "outside 10.78.0.0/24", "in it"),
        (NEAR + FAR + FAR.replace("/24", "/25"), 7, "network", "overlaps 10.78.0.0/24", "apart"),
        (NEAR + "relays = ['router']", 3, "relays", "not an IPv4 address", "10.77.0.1"),
        (NEAR + "leases_per_port = 0", 3, "leases_per_port", "out of bounds", "1 to"),
        (NEAR + 'package_proxy = "10.77.0.3:3128"', 3, "package_proxy", "no HTTP proxy", "http://"),
        (NEAR + 'package_proxy = "http://a:b@10.77.0.3"', 3, "package_proxy", "no HTTP proxy", "http://"),
        (NEAR + "tftp_block_size = 511", 3, "tftp_block_size", "out of bounds", "512 to 65464"),
        (NEAR + "tftp_block_size = 65465", 3, "tftp_block_size", "out of bounds", "512 to 65464"),
        (NEAR + "identify_by = 'name'", 3, "identify_by", "cannot be 'name'", "client-id"),
        (NEAR + "options = 5", 3, "options", "wrong type, int", "[subnet.options]"),
        (NEAR + "[subnet.options]\n\nmtu = 1", 5, "mtu", "whole number from 68", "write it like 9000"),
        (NEAR + "[subnet.options]\n'53' = 1", 4, "53", "part of the protocol", "leave it out"),
        (NEAR + "[subnet.options]\nnonsense = 1", 4, "nonsense", "is no option", "ntp-servers"),
        (NEAR + "[subnet.options]\nrouters = '10.77.0.1'", 4, "routers", "cannot be set here", "the key gateway"),
        (NEAR + "[subnet.options]\nmtu = 1.5", 4, "mtu", "wrong type, float", "write"),
        (NEAR + "options = { mtu = 1 }", 3, "mtu", "whole number", "9000"),
        (NEAR + FAR + "[subnet.options]\nmtu = 1", 7, "mtu", "whole number", "9000"),
        (
            NEAR + "[subnet.options]\nmtu = 9000\n" + FAR + "[subnet.options]\nmtu = 1",
            9, "mtu", "whole number", "9000",
        ),
        (
            NEAR + "ntp = ['10.77.0.2']\n[subnet.options]\nntp-servers = '10.77.0.3'",
            3, "ntp", "ntp-servers among the options", "one of the two",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text, line, key, says, right):
    error = refused(text)
    assert error.message.startswith(f"qrm.toml:{line}: "), error.message
    assert says in error.message
    assert right in error.hint
    assert error.field == key


def complain(section, key, wrong, right, index):
    return ConfigError("config-invalid", f"{index}: {wrong}", right, key or "")


def test_a_network_that_an_interface_is_in_is_not_behind_relays():
    sections = parse(NEAR + FAR, "qrm.toml").subnet
    check_networks(sections, {"br0": IPv4Interface("10.77.0.1/24")}, complain)
    with pytest.raises(ConfigError) as caught:
        check_networks(sections, {"br0": IPv4Interface("10.78.0.1/16")}, complain)
    assert caught.value.message == "1: 10.78.0.0/24 is where br0 is, which has 10.78.0.1/16"


def test_a_range_outside_the_subnet_names_both():
    off = '[[subnet]]\ninterface = "br1"\nmode = "off"\nranges = ["10.1.0.1-10.1.0.2"]\n'
    sections = parse(off + NEAR + 'ranges = ["10.77.0.50-10.77.1.5"]\n', "qrm.toml").subnet
    with pytest.raises(ConfigError) as caught:
        check_networks(sections, {"br0": IPv4Interface("10.77.0.1/24")}, complain)
    assert caught.value.message == "1: 10.77.0.50-10.77.1.5 is outside 10.77.0.0/24"
    assert "10.77.0.1/24" in caught.value.hint
    check_networks(sections, {"br0": IPv4Interface("10.77.0.1/16")}, complain)
