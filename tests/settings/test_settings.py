"""What a change of the settings means: words, the new text of the file, and what cannot be."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest

from appliance.config import parse
from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.networking.layout import Interface, Layout
from appliance.privileged.verbs.configuration import Configured, HostName, TimeServers, TimeZone
from appliance.privileged.verbs.network import NetworkStatus, Seen
from appliance.settings import general, subnets
from appliance.settings.present import Present, present

FILE = """\
# By hand.
[site]
domain = "lab.test"

[[subnet]]
interface = "nic1"   # the rack
ranges = ["10.77.0.50-10.77.0.60"]
mode = "authoritative"

[web]
listen = ["0.0.0.0:8443"]
hosts = ["appliance.lab.test", "appliance", "boot.example.com"]
"""
ZONES = frozenset({"UTC", "Europe/Vienna"})


def seen(name: str, *addresses: str) -> Seen:
    return Seen(name, "", True, True, 1000, "e1000e", addresses)


def nic(name: str, address: str = "", method: str = "static") -> Interface:
    return Interface(name, method=method, addresses=(address,) if address else (), roles=("provisioning",))


def made(text: str = FILE, *more: Interface, nat: bool = False, **on: str) -> Present:
    """nic1 is served; ``more`` and ``on`` are further interfaces and the addresses that they have."""
    layout = Layout((Interface("nic0", roles=("management",)), nic("nic1", "10.77.0.1/24"), *more), nat=nat)
    live = (seen("nic0", "192.0.2.5/24"), seen("nic1", "fd00::1/64", "10.77.0.1/24"))
    status = NetworkStatus(layout, None, None, (*live, *(seen(name, each) for name, each in on.items())))
    return present(Configured(text, "appliance", "UTC", ()), status)


def refused(of: Present, **wanted: object) -> ApplianceError:
    with pytest.raises(ApplianceError) as caught:
        general.changed(of, replace(general.general(of), **wanted), ZONES)
    return caught.value


def test_names_change_in_the_file_and_by_the_helper() -> None:
    of = made()
    wanted = replace(general.general(of), host_name="boot", domain="hall.test", time_zone="Europe/Vienna")
    change = general.changed(of, wanted, ZONES)
    assert change.verbs == (HostName("boot"), TimeZone("Europe/Vienna"))
    after = parse(change.after, "x")
    assert after.site.domain == "hall.test"
    assert after.web.hosts == ("boot.hall.test", "boot", "boot.example.com")
    assert "# By hand.\n" in change.after
    assert "   # the rack\n" in change.after
    assert '-domain = "lab.test"\n+domain = "hall.test"' in change.difference
    assert change.lines[0] == "Host name: boot instead of appliance."
    assert any("under lab.test no more" in line for line in change.lines)
    assert change.begins_anew


def test_time_servers_change_without_the_file() -> None:
    of = made()
    change = general.changed(of, replace(general.general(of), time_servers=("ntp.example.com",)), ZONES)
    assert (change.verbs, change.begins_anew) == ((TimeServers(("ntp.example.com",)),), False)
    assert change.lines == ("Time servers: ntp.example.com instead of none.",)
    assert general.changed(of, general.general(of), ZONES).lines == ()


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"host_name": "a.b"}, "host_name"),
        ({"domain": "-"}, "domain"),
        ({"time_zone": "Europe/Graz"}, "time_zone"),
        ({"time_servers": ("a b",)}, "time_servers"),
        ({"time_servers": ("fe80::1%x\nserver evil",)}, "time_servers"),
        ({"forwarders": ("dns.example.com",)}, "forwarders"),
        ({"forwarders": ("9.9.9.9",) * 9}, "forwarders"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(wanted: dict[str, object], field: str) -> None:
    assert refused(made(), **wanted).field == field


def test_the_version_is_that_of_all_of_it() -> None:
    of = made()
    versions = {of.version, made(FILE + "\n").version}
    versions |= {replace(of, configured=Configured(FILE, "boot", "UTC", ())).version}
    assert len(versions) == 3


# -- subnets


def test_keys_of_a_subnet_change_one_by_one() -> None:
    change = subnets.changed(
        made(), "nic1", {"lease_seconds": 600, "ntp": ("10.77.0.1",), "mode": None, "identify_by": "mac"}
    )
    assert change.after == FILE.replace('mode = "authoritative"\n', 'lease_seconds = 600\nntp = ["10.77.0.1"]\n')
    assert change.was == {"lease_seconds": 3600, "ntp": [], "mode": "authoritative"}
    assert change.becomes == {"lease_seconds": 600, "ntp": ("10.77.0.1",), "mode": None}
    assert change.lines[0] == "Lease time in seconds: 600 instead of 3600."


def test_what_holds_by_itself_is_not_written() -> None:
    wanted = {"lease_seconds": 3600, "gateway": "", "ntp": (), "package_proxy": "", "tftp_block_size": 1468}
    assert subnets.changed(made(), "nic1", wanted).lines == ()


@pytest.mark.parametrize(
    ("wanted", "field", "says"),
    [
        ({"ranges": ("10.78.0.50-10.78.0.60",)}, "ranges", "outside 10.77.0.0/24"),
        ({"ranges": ("10.77.0.60-10.77.0.50",)}, "ranges", "ends before it begins"),
        ({"gateway": "10.78.0.1"}, "gateway", "is outside 10.77.0.0/24"),
        ({"lease_seconds": 5}, "lease_seconds", "is out of bounds"),
        ({"package_proxy": "ftp://x"}, "package_proxy", "is no HTTP proxy"),
        ({"boot_program": "x.efi"}, "boot_program", "cannot be 'x.efi'"),
    ],
)
def test_what_does_not_fit_is_refused(wanted: subnets.Wanted, field: str, says: str) -> None:
    with pytest.raises(ApplianceError) as caught:
        subnets.changed(made(), "nic1", wanted)
    assert (caught.value.code, caught.value.field) == ("setting-invalid", field)
    assert says in caught.value.message
    assert not caught.value.message.startswith("appliance.toml")


def test_a_subnet_that_nobody_knows() -> None:
    with pytest.raises(NotFound):
        subnets.changed(made(), "nic7", {})


def test_addresses_outside_of_new_ranges() -> None:
    change = subnets.changed(made(), "nic1", {"ranges": ("10.77.0.55-10.77.0.60",)})
    leased = [IPv4Address("10.77.0.51"), IPv4Address("10.77.0.56")]
    assert subnets.outside(change, "nic1", leased) == leased[:1]


def test_a_provisioning_interface_gets_a_subnet() -> None:
    of = made(FILE, nic("br0", "10.78.0.1/24"), nic("nic3"), nat=True, br0="10.78.0.1/24")
    first, second = subnets.free(of)
    assert (first.address, first.ranges, first.gateway) == (
        IPv4Interface("10.78.0.1/24"), ("10.78.0.50-10.78.0.200",), "10.78.0.1",
    )  # fmt: skip
    assert second.address is None
    change = subnets.added(of, subnets.New("br0", ranges=first.ranges, gateway=first.gateway))
    section = parse(change.after, "x").subnet[1]
    assert (section.interface, section.ntp, section.gateway) == ("br0", ("10.78.0.1",), "10.78.0.1")
    assert change.after.startswith(FILE)
    assert change.rules == {"mode": "authoritative", "unknown_machines": "enlist"}
    assert "machines in 10.78.0.0/24 boot from the appliance" in change.lines[0]


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (subnets.New("nic1"), "subnet-there"),
        (subnets.New("nic0"), "interface-role"),
        (subnets.New("nic9"), "interface-unknown"),
        (subnets.New("nic3"), "interface-address"),
        (subnets.New("br0"), "setting-invalid"),
        (subnets.New("br0", ranges=("10.79.0.5-10.79.0.6",)), "setting-invalid"),
        (subnets.New("br0", "proxy", package_proxy="no"), "setting-invalid"),
        (subnets.New("dyn0", ranges=("10.80.0.5-10.80.0.6",)), "setting-invalid"),
    ],
)
def test_where_none_can_be(new: subnets.New, code: str) -> None:
    """``dyn0`` has its address from another DHCP server, beside which there is no giving."""
    of = made(FILE, nic("br0"), nic("nic3"), nic("dyn0", method="dhcp"), br0="10.78.0.1/24", dyn0="10.80.0.1/24")
    with pytest.raises(ApplianceError) as caught:
        subnets.added(of, new)
    assert caught.value.code == code
    if new.interface == "dyn0":
        assert caught.value.field == "mode"
    assert subnets.added(of, subnets.New("dyn0", "proxy")).lines


@pytest.mark.parametrize(
    ("address", "ranges"),
    [
        ("10.77.0.1/24", ("10.77.0.50-10.77.0.200",)),
        ("10.77.0.100/24", ("10.77.0.101-10.77.0.200",)),
        ("10.77.3.250/22", ("10.77.0.50-10.77.0.200",)),
        ("192.0.2.1/28", ("192.0.2.2-192.0.2.14",)),
        ("192.0.2.14/28", ("192.0.2.1-192.0.2.13",)),
        ("192.0.2.1/30", ("192.0.2.2-192.0.2.2",)),
    ],
)
def test_proposed_ranges_leave_us_out(address: str, ranges: tuple[str, ...]) -> None:
    assert subnets.proposed(IPv4Interface(address)) == ranges


def test_taking_a_subnet_away_says_what_is_lost() -> None:
    change = subnets.removed(made(), "nic1", 3)
    assert parse(change.after, "x").subnet == ()
    assert change.confirm == "nic1"
    assert "3 computers have an address of us there now; whoever has one keeps it" in change.lines[1]
    assert "do not network-boot" in change.lines[0]
    assert change.was["mode"] == "authoritative"


def test_a_file_that_only_hands_can_change() -> None:
    of = made('subnet = [{interface = "nic1", ranges = ["10.77.0.50-10.77.0.60"]}]\n')
    with pytest.raises(Conflict) as caught:
        subnets.changed(of, "nic1", {"lease_seconds": 600})
    assert caught.value.code == "file-form"
