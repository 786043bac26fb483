"""DHCP options as users write them: each kind read into octets that scapy reads, and what cannot be is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import DHCP

from appliance.dhcp_options import KEYS, NAMES, OURS, OptionError, has_default_route, normal_name, read_options


def read(name, value):
    ((code, octets),) = read_options({name: value}, of_subnet=False).items()
    return code, octets


@pytest.mark.parametrize(
    ("name", "value", "code", "octets"),
    [
        ("mtu", "9000", 26, b"\x23\x28"),
        ("time-offset", "-3600", 2, b"\xff\xff\xf1\xf0"),
        ("ip-forwarding", "true", 19, b"\x01"),
        ("default-ttl", "64", 23, b"\x40"),
        ("ntp-servers", "10.0.0.1, 10.0.0.2", 42, b"\x0a\x00\x00\x01\x0a\x00\x00\x02"),
        ("swap-server", "10.0.0.1", 16, b"\x0a\x00\x00\x01"),
        ("tftp-server-name", "phones", 66, b"phones"),
        ("domain-search", "a.b,c", 119, b"\x01a\x01b\x00\x01c\x00"),
        ("static-routes", "10.0.0.0/8 via 10.0.0.1", 121, b"\x08\x0a\x0a\x00\x00\x01"),
        ("static-routes", "192.168.4.0/23 via 10.0.0.1", 121, b"\x17\xc0\xa8\x04\x0a\x00\x00\x01"),
        ("vendor-information", "01:04:c0:a8:00:01", 43, b"\x01\x04\xc0\xa8\x00\x01"),
        ("42", "10.0.0.1", 42, b"\x0a\x00\x00\x01"),
        ("224", "0x0a:4d", 224, b"\x0a\x4d"),
        ("224", "any text", 224, b"any text"),
        ("pxelinux-reboot-time", "30", 211, b"\x00\x00\x00\x1e"),
    ],
)
def test_each_kind_is_read(name, value, code, octets):
    assert read(name, value) == (code, octets)


def test_scapy_reads_what_we_write():
    code, octets = read("ntp-servers", "10.0.0.1, 10.0.0.2")
    (option, *_) = DHCP(bytes([code, len(octets)]) + octets + b"\xff").options
    assert option == ("NTP_server", "10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("mtu", "67", "whole number from 68 to 65535"),
        ("mtu", "a", "whole number"),
        ("ip-forwarding", "yes", "neither true nor false"),
        ("ntp-servers", "10.0.0.1 10.0.0.2", "not an IPv4 address"),
        ("ntp-servers", "", "is empty"),
        ("tftp-server-name", "ph\x00ne", "printable"),
        ("domain-search", "a..b", "not a domain"),
        ("domain-search", f"{'a' * 64}.b", "not a domain"),
        ("static-routes", "10.0.0.0/8 10.0.0.1", "NETWORK via ROUTER"),
        ("static-routes", "10.0.0.1/8 via 10.0.0.1", "not a network"),
        ("vendor-information", "0xzz", "not hexadecimal"),
        ("224", "0x" + "00" * 1025, "has 1025 octets"),
        ("nonsense", "1", "is no option"),
        ("256", "1", "is no option"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(name, value, says):
    with pytest.raises(OptionError, match=says) as caught:
        read(name, value)
    assert caught.value.right


@pytest.mark.parametrize("code", sorted(OURS))
def test_what_is_ours_is_refused(code):
    with pytest.raises(OptionError, match="cannot be set"):
        read(str(code), "x")


@pytest.mark.parametrize("code", sorted(KEYS))
def test_a_subnet_has_other_keys_for_some(code):
    name, example = next((name, kind.example) for name, (number, kind) in NAMES.items() if number == code)
    with pytest.raises(OptionError, match="cannot be set here"):
        read_options({name: example}, of_subnet=True)
    assert read_options({name: example}, of_subnet=False)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_takes_its_own_example(name):
    code, kind = NAMES[name]
    assert read(name, kind.example)[0] == code
    assert normal_name(str(code)) == name


def test_one_option_stands_once():
    with pytest.raises(OptionError, match="stands here already"):
        read_options({"mtu": "1400", "26": "1400"}, of_subnet=True)


@given(st.dictionaries(st.text(max_size=20) | st.sampled_from(sorted(NAMES)), st.text(max_size=60), max_size=4))
def test_nothing_else_is_raised(given_options):
    try:
        found = read_options(given_options, of_subnet=False)
    except OptionError:
        return
    assert all(1 <= len(octets) <= 1024 for octets in found.values())


@pytest.mark.parametrize(
    "prefix", ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/23", "10.1.2.0/24", "10.1.2.0/25", "10.0.0.1/32"]
)
def test_a_route_to_everywhere_is_found_behind_others_and_nowhere_else(prefix):
    _, others = read("static-routes", f"{prefix} via 10.0.0.0")
    _, everywhere = read("static-routes", f"{prefix} via 10.0.0.0, default via 10.0.0.1")
    assert not has_default_route(others)
    assert has_default_route(everywhere)
