"""Every wrong seed is refused with file, line, key and what would be right; nothing else is raised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import config
from appliance.networking.check import check as check_layout
from appliance.networking.edit import first_layout
from appliance.setup import seed
from appliance.setup.configuration import RESOLVER, configuration, rules
from appliance.setup.layout import layout
from appliance.setup.seed import EXAMPLE, SeedError, parse
from appliance.setup.summary import lines

HASH = "$argon2id$v=19$m=65536,t=3,p=4$yZYahOoRyb2Pqr33ZUVDxw$XzJcO/orb3oja/avNkaY7Xruzp6XBj/3xjUhOKqRB3M"
TWO = """\
[account]
name = "eva"
password_hash = "HASH"

[site]
host_name = "boot"
domain = "rack.example"
time_zone = "Europe/Vienna"
time_servers = ["ntp.example.com", "192.0.2.9"]

[management]
nic = "52:54:00:AA:00:01"
address = "192.0.2.10/24"
gateway = "192.0.2.1"
dns = ["192.0.2.1"]

[provisioning]
nic = "nic1"
address = "10.77.0.1/24"
ranges = ["10.77.0.50-10.77.0.99", "10.77.0.120-10.77.0.130"]
nat = true
package_proxy = "http://10.77.0.3:3128"

[storage]
data_disks = ["WD-1", "0x5002538f"]
""".replace("HASH", HASH)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuTLVbhy3jUWqeSsBzZxTHfDGDCvGhsJZbgbCmCDyGE ada@laptop"
ONE = """\
[management]
nic = "nic0"
address = "192.0.2.10/24"
gateway = "192.0.2.1"

[provisioning]
nic = "nic0"
dhcp = "proxy"
"""
NICS = {"nic0": "52:54:00:aa:00:01", "nic1": "52:54:00:aa:00:02", "nic2": "52:54:00:aa:00:03"}


@pytest.mark.parametrize(
    "text", [EXAMPLE, TWO, ONE, '[management]\nnic = "nic0"\n'], ids=["example", "two", "one", "least"]
)
def test_good_seeds_end_in_a_configuration_and_a_network_that_are_good(text: str) -> None:
    set_up = parse(text, "seed.toml")
    read = config.parse(configuration(set_up), "appliance.toml")
    assert read.site.domain == set_up.site.domain
    assert [each.interface for each in read.subnet] == list(rules(set_up))
    if ":" not in set_up.management.nic:
        check_layout(layout(set_up, first_layout(NICS)))
    assert dict(lines(set_up))["name"].endswith(set_up.site.domain)


def test_what_the_example_says_of_a_key_is_true() -> None:
    """Every line that is commented out can be commented in."""
    uncommented = [line.removeprefix("# ") if " = " in line else line for line in EXAMPLE.splitlines()]
    text = (
        "\n".join(uncommented)
        .replace("$argon2id$v=19$...", HASH)
        .replace("ssh-ed25519 AAAA... you@laptop", KEY)
        .replace('address = "dhcp"', 'address = "192.0.2.10/24"')
    )
    set_up = parse(text, "seed.toml")
    assert set_up.account.password_hash == HASH
    assert set_up.account.ssh_keys == (KEY,)
    assert set_up.provisioning
    assert set_up.provisioning.package_proxy


def test_how_subnets_are_served_is_left_to_the_store() -> None:
    """What stands in the file users could not switch in the console."""
    set_up = parse(TWO.replace("nat = true", 'dhcp = "reservations"\nunknown_machines = "ignore"'), "seed.toml")
    (subnet,) = config.parse(configuration(set_up), "x").subnet
    assert subnet.mode is None
    assert subnet.unknown_machines is None
    assert rules(set_up) == {"nic1": {"mode": "reservations", "unknown_machines": "ignore"}}


def test_a_network_with_nat_has_us_as_its_router() -> None:
    (subnet,) = config.parse(configuration(parse(TWO, "x")), "x").subnet
    assert subnet.gateway == "10.77.0.1"
    (subnet,) = config.parse(configuration(parse(TWO.replace("nat = true", ""), "x")), "x").subnet
    assert subnet.gateway is None
    (subnet,) = config.parse(configuration(parse(ONE, "x")), "x").subnet
    assert subnet.gateway == "192.0.2.1", "machines of the one network have the router of everybody"


def test_the_layout_of_two_networks() -> None:
    made = layout(parse(TWO.replace("52:54:00:AA:00:01", "nic0"), "x"), first_layout(NICS))
    management, provisioning, other = made.interfaces
    assert (management.method, management.addresses, management.gateway) == ("static", ("192.0.2.10/24",), "192.0.2.1")
    assert management.roles == ("management",)
    assert (provisioning.addresses, provisioning.roles) == (("10.77.0.1/24",), ("provisioning", "storage"))
    assert (other.method, other.roles, other.mac) == ("none", (), NICS["nic2"])
    assert made.nat


def test_the_layout_of_one_network() -> None:
    made = layout(parse(ONE, "x"), first_layout(NICS))
    assert made.interfaces[0].roles == ("management", "provisioning", "storage")
    assert made.interfaces[0].addresses == ("192.0.2.10/24",)
    assert not made.nat


WRONG = [
    ("[managment]\n", 1, "unknown", "sections are"),
    ("[site]\n", 1, "[management] is missing", "add [management]"),
    ("[management]\n", 1, "lacks the key nic", "nic ="),
    ('[management]\nnic = "nic0"\nrole = "x"\n', 3, "role is unknown", "keys here are"),
    (f'[account]\nssh_keys = ["{KEY}", "{KEY[:40]}"]\n[management]\nnic = "nic0"\n', 2, "no such key", ".pub file"),
    ('[account]\nssh_keys = ["restrict ' + KEY + '"]\n[management]\nnic = "nic0"\n', 2, "options", "leave out"),
    ('[account]\nssh_keys = "x"\n[management]\nnic = "nic0"\n', 2, "wrong type", "list"),
    ("[management]\nnic = 1\n", 2, "wrong type", "text in quotes"),
    ('[management]\nnic = "eth 0"\n', 2, "no network interface", "MAC address"),
    ('[management]\nnic = "52:54:00"\n', 2, "not a MAC address", "52:54:00:12:34:56"),
    ('[management]\nnic = "nic0"\naddress = "192.0.2.10"\n', 3, "no prefix", "192.0.2.10/24"),
    ('[management]\nnic = "nic0"\naddress = "192.0.2.0/24"\n', 3, "no address of a computer", "dhcp"),
    ('[management]\nnic = "nic0"\naddress = "127.0.0.1/8"\n', 3, "no address of a computer", "dhcp"),
    ('[management]\nnic = "nic0"\naddress = "192.0.2.10/31"\n', 3, "no prefix that can be used", "dhcp"),
    ('[management]\nnic = "nic0"\ngateway = "192.0.2.1"\n', 3, "comes from the DHCP server", "leave it out"),
    (ONE.replace('192.0.2.1"', '10.0.0.1"'), 4, "no neighbour", "192.0.2.0/24"),
    (ONE.replace('dhcp = "proxy"', 'dhcp = "on"'), 8, "cannot be 'on'", "authoritative, proxy"),
    (ONE.replace('dhcp = "proxy"', 'address = "10.0.0.1/24"'), 8, "same interface", "leave it out"),
    (ONE.replace('dhcp = "proxy"', "nat = true"), 8, "for two networks", "leave it out"),
    (ONE.replace('dhcp = "proxy"', 'dhcp = "authoritative"'), 6, "would be no address to give", "192.0.2.0/24"),
    (ONE.replace('dhcp = "proxy"', 'ranges = ["10.0.0.1-10.0.0.9"]'), 8, "is outside 192.0.2.0/24", "192.0.2.10/24"),
    (TWO.replace("10.77.0.120", "10.77.0.90"), 20, "overlaps another range", "apart"),
    (TWO.replace("10.77.0.99", "10.77.0.40"), 20, "ends before it begins", "FIRST-LAST"),
    (TWO.replace('"10.77.0.1/24"', '"192.0.2.77/24"'), 19, "overlaps 192.0.2.0/24", "another network"),
    (TWO.replace('address = "10.77.0.1/24"\n', ""), 17, "is missing", "10.77.0.1/24"),
    (TWO.replace('"10.77.0.1/24"', '"dhcp"'), 17, "cannot be authoritative", "proxy"),
    (TWO.replace("nat = true", 'gateway = "10.78.0.1"'), 21, "outside 10.77.0.0/24", "leave it out"),
    (TWO.replace("http://10.77.0.3:3128", "10.77.0.3"), 22, "no HTTP proxy", "http://"),
    (TWO.replace("http://10.77.0.3", "http://eva:secret@10.77.0.3"), 22, "no HTTP proxy", "host and port"),
    (TWO.replace("3128", "3128000"), 22, "no HTTP proxy", "http://"),
    (TWO.replace(HASH, "correct horse battery"), 3, "no argon2id hash", "qrm seed hash"),
    (TWO.replace("m=65536", "m=4000000"), 3, "cannot be", "qrm seed hash"),
    (TWO.replace('"eva"', '"Not A Name"'), 2, "name", "a"),
    (TWO.replace('"boot"', '"boot.rack"'), 6, "no host name", "without a dot"),
    (TWO.replace("rack.example", "rack..example"), 7, "no DNS domain", "lab.test"),
    (TWO.replace("Europe/Vienna", "../etc/passwd"), 8, "no time zone", "Europe/Vienna"),
    (TWO.replace("ntp.example.com", "ntp example"), 9, "no time server", "ntp.example.com"),
    (TWO.replace("WD-1", "/dev/sda"), 25, "names no disk for sure", "serial number"),
    (TWO.replace("0x5002538f", "WD-1"), 25, "name a disk twice", "once"),
]


@pytest.mark.parametrize(("text", "line", "wrong", "right"), WRONG, ids=[each[2] for each in WRONG])
def test_wrong_seeds(text: str, line: int, wrong: str, right: str) -> None:
    with pytest.raises(SeedError) as caught:
        parse(text, "seed.toml")
    assert caught.value.message.startswith(f"seed.toml:{line}: ")
    assert wrong in caught.value.message
    assert right in caught.value.hint
    assert caught.value.code == "seed-invalid"


def test_what_is_no_toml() -> None:
    with pytest.raises(SeedError, match="line 1") as caught:
        parse("[management\n", "seed.toml")
    assert caught.value.code == "seed-syntax"


@given(st.text(max_size=200))
def test_no_text_brings_it_down(text: str) -> None:
    with pytest.raises(SeedError):
        parse(text, "seed.toml")


@given(st.text(max_size=60), st.sampled_from(["nic", "address", "gateway"]))
def test_no_value_brings_it_down(value: str, key: str) -> None:
    quoted = value.encode(errors="ignore").decode().replace("\\", "").replace('"', "").replace("\n", "")
    text = '[management]\nnic = "nic0"\naddress = "192.0.2.2/24"\n'
    text = text.replace(f"{key} = ", f'{key} = "{quoted}" #') if key != "gateway" else f'{text}gateway = "{quoted}"\n'
    try:
        made = seed.parse(text, "seed.toml")
    except SeedError:
        return
    config.parse(configuration(made), "appliance.toml")


@pytest.mark.parametrize("text", [TWO, ONE, '[management]\nnic = "nic0"\n'], ids=["dns", "no dns", "by DHCP"])
def test_machines_resolve_outside_names_as_the_appliance_itself_does(text: str) -> None:
    assert config.parse(configuration(parse(text, "x")), "x").dns.forwarders == (RESOLVER,)
