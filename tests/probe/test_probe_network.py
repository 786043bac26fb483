"""The real ``qrm probe`` in a network with the real daemon, and with what goes wrong in networks."""

import signal
import subprocess
import sys

import pytest
from daemon_namespace import REPOSITORY
from probe_world import ADDRESS, PROGRAMS, SERVER, Dnsmasq, Host, add_port, mac_of, of, statuses

FOREIGN = "10.77.0.2"
NEEDY = ("tftp", "http", "dns", "mtu")
"""Checks that need an address of one's own."""
SECONDS = ("--timeout", "3")


@pytest.fixture
def other(namespace):
    """Another computer on the bridge, with an address of its own."""
    made = Host(namespace, "port2", add_port(namespace, "port2"), f"{FOREIGN}/24")
    yield made
    made.close()


@pytest.fixture
def serve(other, tmp_path):
    """Starts DHCP servers on the other computer."""
    started = []

    def start(*options):
        started.append(Dnsmasq(other, tmp_path, *options))

    yield start
    for each in started:
        each.close()


ADDRESSES = ("--port=0", "--dhcp-range=10.77.0.150,10.77.0.160,255.255.255.0,600")


def test_a_network_in_order(host, served):
    status, findings, said = host.probe(*SECONDS)
    assert [each for each in findings if each["status"] not in ("ok", "skipped")] == []
    assert status == 0
    assert {each["details"]["file"] for each in of(findings, "tftp")} == set(PROGRAMS)
    assert {each["details"]["blksize"] for each in of(findings, "tftp")} == {1468}
    fetched = [each["details"]["url"].rpartition("/")[2] for each in of(findings, "http")]
    assert fetched == ["snponly.efi", "snponly-arm64.efi", "start.ipxe", "vmlinuz", "initrd"]
    assert all(each["details"]["seconds"] < 1 for each in of(findings, "offers"))
    assert len(of(findings, "offers")) == 7
    assert of(findings, "mtu")[0]["details"]["mtu"] == 1500
    assert "appliance.lab.test, both ways" in of(findings, "dns")[-1]["text"]
    assert [each["text"] for each in of(findings, "address")][-1] == "no gateway is offered"
    assert "checking dhcp" in said


def test_nothing_is_left_of_a_probe_on_the_appliance(host, served):
    """No address is taken, nobody is enlisted, and nobody was seen."""
    host.probe(*SECONDS)
    served.end(signal.SIGTERM)
    count = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); "
    asked = (
        count
        + "print(*(d.execute(f'select count(*) from {t}').fetchone()[0] for t in ('machines', 'leases', 'sightings')))"
    )
    found = subprocess.run([sys.executable, "-c", asked, served.path / "state" / "store.db"], capture_output=True)
    assert found.stdout.split() == [b"0", b"0", b"0"], found.stderr


def test_a_foreign_dhcp_server_is_named(host, served, serve, other):
    serve(*ADDRESSES, "--dhcp-boot=pxelinux.0", "--dhcp-option=option:domain-name,evil\x1b[2J.test")
    status, findings, _ = host.probe(*SECONDS, "dhcp", "offers")
    assert status == 1
    ours, foreign = sorted(of(findings, "dhcp"), key=lambda each: each["status"] == "failed")
    assert (ours["status"], ours["details"]["server"]) == ("ok", SERVER)
    mac = mac_of(other, "eth0")
    assert foreign["details"] | {"server": FOREIGN, "mac": mac, "boot_files": ["pxelinux.0"]} == foreign["details"]
    assert foreign["details"]["address"].startswith("10.77.0.1")
    assert "foreign DHCP server" in foreign["text"]
    assert mac in foreign["hint"]
    assert statuses(findings, "offers") == {"ok"}


def test_a_proxy_beside_another_server_is_right(host, daemon, serve):
    for name in PROGRAMS:
        (daemon.path / "programs" / name).write_bytes(b"program" * 1000)
    daemon.configure('ranges = ["10.77.0.50-10.77.0.99"]', 'mode = "proxy"')
    daemon.start()
    serve(*ADDRESSES, "--dhcp-option=option:router,10.77.0.9", f"--dhcp-option=option:dns-server,{SERVER}")
    status, findings, _ = host.probe(*SECONDS)
    proxy = next(each for each in of(findings, "dhcp") if each["details"].get("appliance"))
    assert proxy["details"]["proxy"]
    assert f"{SERVER} names undionly.kpxe on UDP port 4011, as a proxy has to" in [each["text"] for each in findings]
    assert statuses(findings, "dhcp") == statuses(findings, "offers") == statuses(findings, "tftp") == {"ok"}
    assert statuses(findings, "dns") == {"ok"}
    assert status == 1
    assert [each["text"] for each in of(findings, "address") if each["status"] == "failed"] == [
        "the gateway 10.77.0.9, which DHCP offers, does not answer"
    ]


def test_nobody_answers(host):
    status, findings, _ = host.probe("--timeout", "1")
    assert status == 3
    assert statuses(findings, "dhcp") == {"failed"}
    assert statuses(findings, "tftp") == {"skipped"}


def test_an_appliance_that_offers_nothing_is_reached_by_its_address(host, daemon):
    daemon.configure('ranges = ["10.77.0.50-10.77.0.99"]', 'mode = "reservations"')
    daemon.start()
    status, findings, _ = host.probe("--timeout", "1", "--server", SERVER)
    assert status == 1
    assert statuses(findings, "mtu") == statuses(findings, "http") == {"ok"}
    assert of(findings, "http")[0]["details"]["url"] == f"http://{SERVER}/boot/start.ipxe"
    assert "no DHCP server answered" in of(findings, "dhcp")[0]["text"]


def test_tftp_that_is_switched_off(host, daemon):
    daemon.configure("[boot]", "[tftp]\nenabled = false\n[boot]")
    daemon.start()
    status, findings, _ = host.probe(*SECONDS, "tftp")
    assert status == 1
    assert {each["text"].partition(": ")[2] for each in findings} == {"nothing listens on UDP port 69"}


def test_tftp_that_a_firewall_swallows(host, daemon, namespace):
    daemon.configure("[boot]", "[tftp]\nenabled = false\n[boot]")
    daemon.start()
    silent = namespace.popen("socat", "-u", "UDP-RECV:69", "OPEN:/dev/null")
    try:
        _, findings, _ = host.probe(*SECONDS, "tftp")
    finally:
        silent.terminate()
        silent.wait()
    assert {each["text"].partition(": ")[2] for each in findings} == {"no answer"}
    assert "UDP 69" in findings[0]["hint"]


def test_a_boot_file_that_is_missing(host, served):
    (served.path / "programs" / "snponly.efi").unlink()
    status, findings, _ = host.probe(*SECONDS, "tftp", "http")
    assert status == 1
    failed = {each["text"] for each in findings if each["status"] == "failed"}
    assert failed == {
        f"snponly.efi from {SERVER}: the server does not have it",
        f"http://{SERVER}/boot/snponly.efi: HTTP status 404",
    }


def test_a_path_that_loses_large_packets(host, served, namespace):
    namespace.run("ip", "link", "set", "br0", "mtu", "1500")
    namespace.run("ip", "link", "set", "port0", "mtu", "1300")
    namespace.run("ip", "link", "set", "br0", "mtu", "1500")
    status, findings, _ = host.probe(*SECONDS, "mtu", "tftp")
    (path,) = of(findings, "mtu")
    assert status == 1
    assert path["status"] == "failed"
    # A bridge port passes the MTU, the Ethernet header and a VLAN tag: 4 bytes more.
    assert 1300 <= path["details"]["mtu"] <= 1304
    assert path["details"]["largest_tftp_block"] == path["details"]["mtu"] - 32
    stalled = of(findings, "tftp")[0]
    assert stalled["status"] == "failed"
    assert "the transfer began and then stopped" in stalled["text"]


def test_a_router_that_says_that_packets_are_too_large(host, other):
    other.run("ip", "link", "add", "far", "mtu", "1300", "type", "veth", "peer", "name", "far-peer", "mtu", "1300")
    other.run("ip", "address", "add", "10.78.0.1/30", "dev", "far")
    other.run("ip", "link", "set", "far", "up")
    other.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    beyond = Host(other, "far", "far-peer", "10.78.0.2/30")
    try:
        beyond.run("ip", "route", "add", "default", "via", "10.78.0.1")
        host.run("ip", "route", "add", "10.78.0.0/30", "via", FOREIGN)
        status, (path,), _ = host.probe("--timeout", "1", "--server", "10.78.0.2", "mtu")
    finally:
        beyond.close()
    assert (status, path["status"], path["details"]["mtu"]) == (1, "failed", 1300)
    assert path["details"]["told_by"] == FOREIGN


def test_switches_are_heard_without_promiscuous_mode(host):
    """A card drops what switches say unless it is told to take it; the pairs of this test would pass everything."""
    process = host.popen_probe("--timeout", "30", "stp")
    assert "listening" in process.stderr.readline()
    while "01:80:c2:00:00:00" not in host.run("ip", "maddress", "show", "dev", "eth0"):
        assert process.poll() is None
    assert "promiscuity 0" in host.run("ip", "-details", "link", "show", "dev", "eth0")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 1


def test_a_bridge_with_spanning_tree(host, served, namespace):
    namespace.run("ip", "link", "set", "br0", "type", "bridge", "hello_time", "100", "forward_delay", "200")
    namespace.run("ip", "link", "set", "br0", "type", "bridge", "stp_state", "1")
    status, findings, _ = host.probe("--timeout", "4", "stp")
    (seen,) = findings
    assert (status, seen["status"]) == (0, "warning")
    assert (seen["details"]["forward_delay"], seen["details"]["version"]) == (2.0, 0)
    assert seen["details"]["bridge"] == mac_of(namespace, "br0")
    assert "machines wait 4 s" in seen["text"]


def test_a_bounced_link_tells_how_long_the_switch_waits(host, served, namespace):
    host.run("ip", "route", "add", "192.0.2.0/24", "via", SERVER, "dev", "eth0")
    quick = host.probe("--timeout", "1", "--bounce-link", "stp")
    assert (quick[0], [each["status"] for each in quick[1]]) == (0, ["ok"])
    assert "192.0.2.0/24 via 10.77.0.1" in host.run("ip", "route")
    namespace.run("ip", "link", "set", "br0", "type", "bridge", "hello_time", "100", "forward_delay", "200")
    namespace.run("ip", "link", "set", "br0", "type", "bridge", "stp_state", "1")
    _, findings, _ = host.probe("--timeout", "3", "--bounce-link", "stp")
    measured = findings[-1]
    assert measured["status"] == "warning"
    assert "portfast is likely missing" in measured["text"]
    assert measured["details"]["seconds"] >= 4


def test_an_address_that_somebody_else_has_too(host, served, other):
    other.run("ip", "address", "add", f"{SERVER}/24", "dev", "eth0")
    status, findings, _ = host.probe(*SECONDS, "address")
    assert status == 1
    assert "duplicate address" in findings[0]["text"]
    assert len(findings[0]["details"]["macs"]) == 2


def test_without_an_address_of_its_own(host, served):
    host.run("ip", "address", "del", ADDRESS, "dev", "eth0")
    status, findings, _ = host.probe(*SECONDS)
    assert status == 0
    assert {each["check"] for each in findings if each["status"] == "skipped"} == {*NEEDY, "address"}
    assert [each for each in findings if each["status"] not in ("ok", "skipped")] == []
    assert "ip address add 10.77.0." in of(findings, "tftp")[0]["hint"]
    assert statuses(findings, "offers") == {"ok"}


def test_a_user_without_rights_is_told_the_command(host):
    argv = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sys.executable, "-m", "appliance")
    process = host.popen(*argv, "probe", "--timeout", "1", cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "(probe-no-privilege)" in said
    assert "run: sudo /" in said
    assert "probe --timeout 1" in said


def test_control_c_prints_what_is_known(host, served):
    process = host.popen_probe("--timeout", "2")
    said = ""
    while "checking mtu" not in said and "checking address" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    out, rest = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "is the appliance" in out
    assert "Traceback" not in said + rest
    assert "stopped before the end" in rest
