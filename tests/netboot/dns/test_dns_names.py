"""Names that clients choose are made harmless; reverse zones are cut where DNS cuts them."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.dns.names import (
    clean_name,
    is_below,
    is_host_name,
    labels_of,
    reverse_address,
    reverse_name,
    reverse_zones,
    text_of,
    zone_above,
)
from appliance.netboot.dns.special import local_only_zone


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("web1", "web1"),
        ("WEB1.lab.test", "web1"),
        ("Anna's Laptop", "annas-laptop"),
        ("my_host", "my-host"),
        ("-x-", "x"),
        ("a" * 70, "a" * 63),
        ("a" * 62 + "--b", "a" * 62),
        ("münchen", "mnchen"),
        ("日本", None),
        ("<script>", "script"),
        ("web\x00\n\x1b[31m", "web31m"),
        ("", None),
        (".lab.test", None),
        ("---", None),
        ("42", None),
        ("10.0.0.1", None),
        ("wpad", None),
        ("WPAD.example", None),
        ("isatap", None),
        ("localhost", None),
        (" wpad ", None),
        ("-wpad-", None),
        ("wp'ad", None),
    ],
)
def test_clean_name(raw, clean):
    assert clean_name(raw) == clean


@given(st.text(max_size=300))
def test_whatever_is_cleaned_is_a_host_name_and_stays(raw):
    cleaned = clean_name(raw)
    assert cleaned is None or (is_host_name(cleaned) and clean_name(cleaned) == cleaned)


@pytest.mark.parametrize(
    ("network", "zones"),
    [
        ("10.77.0.0/24", ["0.77.10.in-addr.arpa"]),
        ("10.77.0.64/26", ["0.77.10.in-addr.arpa"]),
        ("10.77.0.1/32", ["0.77.10.in-addr.arpa"]),
        ("10.77.0.0/16", ["77.10.in-addr.arpa"]),
        ("10.77.4.0/23", ["4.77.10.in-addr.arpa", "5.77.10.in-addr.arpa"]),
        ("10.0.0.0/8", ["10.in-addr.arpa"]),
        ("172.16.0.0/14", [f"{n}.172.in-addr.arpa" for n in range(16, 20)]),
    ],
)
def test_reverse_zones(network, zones):
    assert reverse_zones(IPv4Network(network)) == zones


@given(st.ip_addresses(v=4), st.integers(8, 32))
def test_every_address_lies_in_a_zone_of_its_network(address, prefix):
    network = IPv4Network((address, prefix), strict=False)
    assert any(is_below(reverse_name(address), zone) for zone in reverse_zones(network))


def test_a_dot_inside_a_label_is_no_separator():
    assert text_of([b"web.lab", b"test"]) != text_of([b"web", b"lab", b"test"])
    assert not is_below(text_of([b"web.lab", b"test"]), "lab.test")
    assert zone_above(text_of([b"web.lab", b"test"]), {"lab.test"}) is None


@given(
    st.lists(st.binary(min_size=1, max_size=63) | st.sampled_from([b"\\", b"\\.", b"\\046", b"\\092046"]), max_size=4)
)
def test_every_label_is_read_as_it_was_written(labels):
    assert labels_of(text_of(labels)) == tuple(label.lower() for label in labels)


def test_is_below_needs_whole_labels():
    assert is_below("a.lab.test", "lab.test")
    assert is_below("lab.test", "lab.test")
    assert not is_below("xlab.test", "lab.test")
    assert is_below("anything", "")


@pytest.mark.parametrize("address", ["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "169.254.1.1", "127.0.0.1"])
def test_private_reverse_names_are_local(address):
    assert local_only_zone(reverse_name(IPv4Address(address)))


@pytest.mark.parametrize(
    "name", ["4.3.2.1.in-addr.arpa", "1.0.32.172.in-addr.arpa", "1.0.128.100.in-addr.arpa", "example.com", ""]
)
def test_public_names_are_not(name):
    assert local_only_zone(name) is None


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("51.0.77.10.in-addr.arpa", "10.77.0.51"),
        ("0.77.10.in-addr.arpa", None),
        ("1.51.0.77.10.in-addr.arpa", None),
        ("256.0.77.10.in-addr.arpa", None),
        ("x.0.77.10.in-addr.arpa", None),
        ("\u0665.0.77.10.in-addr.arpa", None),
        ("51.0.77.10.in-addr.test", None),
        ("", None),
    ],
)
def test_reverse_address(name, address):
    assert reverse_address(name) == (IPv4Address(address) if address else None)


def test_the_nearest_zone_above_counts():
    apexes = {"test", "lab.test"}
    assert zone_above("a.lab.test", apexes) == "lab.test"
    assert zone_above("lab.test", apexes) == "lab.test"
    assert zone_above("xlab.test", apexes) == "test"
    assert zone_above("example.com", apexes) is None
    assert zone_above("", apexes) is None
