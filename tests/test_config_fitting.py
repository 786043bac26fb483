"""A configuration on networks that it was not written for: what fits is served, the rest is set aside."""

from ipaddress import IPv4Interface

from appliance.config import parse
from appliance.config_fitting import fit

CONFIG = parse(
    """
[[subnet]]
interface = "nic1"
ranges = ["10.77.0.50-10.77.0.99"]
[[subnet]]
interface = "nic2"
[[subnet]]
interface = "nic3"
mode = "off"
[[subnet]]
network = "10.99.0.0/24"
relays = ["10.99.0.1"]
[site]
domain = "lab.test"
""",
    "qrm.toml",
)
NIC1, NIC2 = IPv4Interface("10.77.0.1/24"), IPv4Interface("10.78.0.1/24")


def keys(of):
    return [each.key for each in of.config.subnet]


def test_all_of_it_where_all_fits():
    found = fit(CONFIG, {"lo": None, "nic1": NIC1, "nic2": NIC2})
    assert keys(found) == ["nic1", "nic2", "nic3", "10.99.0.0/24"]
    assert (found.aside, found.interfaces) == ((), {"nic1": NIC1, "nic2": NIC2})
    assert found.config.site == CONFIG.site
    assert found.written == CONFIG


def test_what_does_not_fit_takes_only_what_is_heard_there_along():
    found = fit(CONFIG, {"nic2": NIC2})
    assert keys(found) == ["nic2", "nic3"], "what is off needs no network"
    assert [each.subnet for each in found.aside] == ["nic1", "10.99.0.0/24"]
    assert found.interfaces == {"nic2": NIC2}


def test_relays_are_heard_where_they_were_meant_to_be():
    """Not on the first interface that is left."""
    elsewhere = IPv4Interface("10.88.0.1/24")
    found = fit(CONFIG, {"nic1": elsewhere, "nic2": NIC2})
    assert keys(found) == ["nic2", "nic3", "10.99.0.0/24"]
    assert found.config.subnet[-1].interface == "nic1"
    assert found.interfaces == {"nic1": elsewhere, "nic2": NIC2}


def test_nothing_fits_and_nothing_is_there():
    found = fit(CONFIG, {})
    assert (keys(found), len(found.aside), found.interfaces) == (["nic3"], 3, {})
    assert fit(parse("", ""), {}).aside == ()
