"""The rules that follow from roles: as text, as nft(8) takes it, and with packets through a kernel."""

import contextlib
import json
import select
import subprocess

import pytest
from layouts import DHCP, TWO, nic

from appliance.networking.edit import replace
from appliance.networking.firewall import Ports, ruleset
from appliance.networking.layout import Interface, Layout

EVERYTHING = Layout(
    (
        *TWO.interfaces,
        nic(2, method="dhcp", roles=("storage",)),
        Interface("vms0", "bridge", roles=("vms",)),
    ),
    nat=True,
)


def rules(layout, ports=None):
    return [line.strip() for line in ruleset(layout, ports or Ports()).splitlines()]


def test_each_role_opens_its_own_ports_on_its_own_interfaces():
    found = rules(EVERYTHING)
    assert 'iifname { "nic0" } tcp dport { 22, 8443 } accept' in found
    assert 'iifname { "nic1" } udp dport { 53, 67, 69, 123, 4011 } accept' in found
    assert 'iifname { "nic1" } tcp dport { 53, 80, 443 } accept' in found
    assert 'iifname { "nic2" } tcp dport { 2049, 3260 } accept' in found
    assert 'iifname { "nic2" } udp sport 67 udp dport 68 accept' in found
    assert not any("vms0" in line for line in found)


def test_the_ports_are_those_of_the_configuration():
    found = rules(TWO, Ports(console=(443, 9443), boot=8080, control=8444, dns=5353))
    assert 'iifname { "nic0" } tcp dport { 22, 443, 9443 } accept' in found
    assert 'iifname { "nic1" } tcp dport { 5353, 8080, 8444 } accept' in found


def test_what_is_open_is_cut_where_management_was():
    found = rules(TWO)
    cut = 'iifname != { "nic0" } tcp dport { 22, 8443 } drop'
    assert found.index('iifname "lo" accept') < found.index(cut) < found.index("ct state established,related accept")
    both = rules(TWO, Ports(console=(443, 8443)))
    assert cut in both, "on 443 machines are controlled on the other network"


def test_nothing_goes_through_without_nat():
    assert not any("oifname" in line or "masquerade" in line for line in rules(TWO))
    assert 'iifname { "nic1" } oifname { "nic0" } masquerade' in rules(EVERYTHING)


def test_one_network_for_everything_has_nothing_to_translate():
    one = Layout((nic(0, method="dhcp", roles=("management", "provisioning")),), nat=True)
    assert not any("masquerade" in line for line in rules(one))


@pytest.fixture
def in_namespace():
    """Runs a command in a network namespace of its own, with pairs of cables nic0-out0, nic1-out1."""
    name = "qrmfw"
    subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    subprocess.run(["ip", "netns", "add", name], check=True)

    def run(*argv, given=None, check=True):
        argv = ["ip", "netns", "exec", name, *argv]
        return subprocess.run(argv, input=given, check=check, capture_output=True, text=True, timeout=30).stdout

    yield run
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.root
def test_nft_takes_the_rules_again_and_again_and_keeps_those_of_others(in_namespace):
    in_namespace("nft", "add", "table", "inet", "theirs")
    for layout in (TWO, EVERYTHING, DHCP):
        for _ in range(2):
            in_namespace("nft", "-f", "-", given=ruleset(layout, Ports()))
        listed = json.loads(in_namespace("nft", "-j", "list", "ruleset"))["nftables"]
        tables = [each["table"]["name"] for each in listed if "table" in each]
        assert sorted(tables) == ["qrm", "theirs"]
        chains = {each["chain"]["name"]: each["chain"].get("policy") for each in listed if "chain" in each}
        assert chains["input"] == chains["forward"] == "drop"
        assert ("outward" in chains) == layout.nat


@pytest.mark.root
def test_packets_come_in_by_the_role_of_the_network_that_they_come_from(in_namespace):
    """Two neighbours in namespaces of their own: one on the management network, one on the provisioning network."""
    layout = replace(
        TWO,
        interfaces=tuple(
            replace(each, addresses=(f"198.18.{number}.1/24",), gateway="")
            for number, each in enumerate(TWO.interfaces)
        ),
    )
    with contextlib.ExitStack() as put_away:
        for number in range(2):
            neighbour(in_namespace, number, put_away)
        in_namespace("nft", "-f", "-", given=ruleset(layout, Ports()))
        for port in (22, 8443, 80, 443, 53):
            listener = subprocess.Popen(
                ["ip", "netns", "exec", "qrmfw", "socat", f"TCP-LISTEN:{port},fork,reuseaddr", "SYSTEM:true"]
            )
            put_away.callback(lambda each=listener: (each.kill(), each.wait()))
            while f":{port} " not in in_namespace("ss", "-ltn"):
                continue
        assert [port for port in (22, 8443, 80, 443, 53) if reaches(0, port)] == [22, 8443]
        assert [port for port in (22, 8443, 80, 443, 53) if reaches(1, port)] == [80, 443, 53]


@pytest.mark.root
def test_a_connection_that_is_open_ends_where_management_was(in_namespace):
    """And goes on once the change is taken back: TCP repeats what was dropped."""
    here, there = (nic(number, method="static", addresses=(f"198.18.{number}.1/24",)) for number in range(2))
    managed = Layout((replace(here, roles=("management",)), replace(there, roles=("provisioning",))))
    moved = Layout((here, replace(there, roles=("management", "provisioning"))))
    with contextlib.ExitStack() as put_away:
        for number in range(2):
            neighbour(in_namespace, number, put_away)
        in_namespace("nft", "-f", "-", given=ruleset(managed, Ports()))
        started(["ip", "netns", "exec", "qrmfw", "socat", "TCP-LISTEN:8443,reuseaddr", "EXEC:cat"], put_away)
        while ":8443 " not in in_namespace("ss", "-ltn"):
            continue
        talk = started(["ip", "netns", "exec", "qrmfw0", "socat", "-", "TCP:198.18.0.1:8443"], put_away)
        assert echoed(talk, "before\n") == "before\n"
        in_namespace("nft", "-f", "-", given=ruleset(moved, Ports()))
        assert echoed(talk, "meanwhile\n", seconds=1.0) == ""
        in_namespace("nft", "-f", "-", given=ruleset(managed, Ports()))
        assert echoed(talk, "") == "meanwhile\n"


def started(argv, put_away):
    made = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    put_away.callback(lambda: (made.kill(), made.communicate()))
    return made


def echoed(talk, said, seconds=30.0):
    """What comes back; nothing where nothing does in that time."""
    talk.stdin.write(said)
    return talk.stdout.readline() if select.select([talk.stdout], [], [], seconds)[0] else ""


def neighbour(in_namespace, number, put_away):
    name = f"qrmfw{number}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    put_away.callback(lambda: subprocess.run(["ip", "netns", "delete", name], check=True))
    in_namespace("ip", "link", "add", f"nic{number}", "type", "veth", "peer", "name", "out", "netns", name)
    in_namespace("ip", "address", "add", f"198.18.{number}.1/24", "dev", f"nic{number}")
    in_namespace("ip", "link", "set", f"nic{number}", "up")
    for words in (["address", "add", f"198.18.{number}.2/24", "dev", "out"], ["link", "set", "out", "up"]):
        subprocess.run(["ip", "-n", name, *words], check=True)


def reaches(number, port):
    argv = ["ip", "netns", "exec", f"qrmfw{number}", "socat", "-u", "/dev/null",
            f"TCP:198.18.{number}.1:{port},connect-timeout=0.5"]  # fmt: skip
    return subprocess.run(argv, capture_output=True, timeout=20, check=False).returncode == 0
