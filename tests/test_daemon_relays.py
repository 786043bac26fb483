"""The real daemon with a subnet that only a relay reaches: configured in the file, reserved by port through the API."""

import json
import subprocess
import sys

import pytest
from daemon_namespace import REPOSITORY
from test_daemon_reservations import Administrator

BEHIND = """other_servers = "ignore"
[[subnet]]
network = "10.78.0.0/24"
relays = ["10.77.0.200"]
gateway = "10.78.0.1"
ranges = ["10.78.0.50-10.78.0.99"]
[subnet.options]
mtu = 9000
ntp-servers = ["10.78.0.2", "10.78.0.3"]
"""
RELAY = """
import json, socket, sys
from scapy.layers.dhcp import BOOTP, DHCP
relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
relay.bind(("10.77.0.200", 67))
relay.settimeout(30)
circuit = sys.argv[1].encode()
information = bytes([5, 4, 10, 78, 0, 1, 1, len(circuit)]) + circuit
options = [("message-type", "discover"), ("param_req_list", [26, 42]), ("relay_agent_information", information), "end"]
head = BOOTP(chaddr=bytes.fromhex("525400000077") + bytes(10), xid=1, giaddr="10.77.0.200")
relay.sendto(bytes(head / DHCP(options=options)), ("10.77.0.1", 67))
data, source = relay.recvfrom(2048)
offer = BOOTP(data)
told = {each[0]: list(each[1:]) for each in offer[DHCP].options if isinstance(each, tuple)}
words = {name: told.get(name) for name in ("interface-mtu", "NTP_server", "router", "server_id")}
last = told["relay_agent_information"][0] == information
print(json.dumps({"from": source, "yiaddr": offer.yiaddr, "last": last, **words}))
"""


@pytest.fixture
def relay(namespace):
    """A computer at 10.77.0.200 that forwards for a client with this circuit-id; what it is answered."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    holder = namespace.popen("unshare", "--net", "sh", "-c", "echo $$; exec cat", text=True, **pipes)
    pid = holder.stdout.readline().strip()
    enter = ("nsenter", "--target", pid, "--net")
    namespace.run("ip", "link", "set", "port1", "netns", pid)
    namespace.run(*enter, "ip", "address", "add", "10.77.0.200/24", "dev", "port1")
    namespace.run(*enter, "ip", "link", "set", "port1", "up")

    def ask(circuit):
        return json.loads(namespace.run(*enter, sys.executable, "-c", RELAY, circuit))

    yield ask
    holder.stdin.close()
    holder.wait()
    holder.stdout.close()


def test_a_subnet_behind_a_relay_is_served_and_its_ports_can_be_reserved(daemon, relay):
    daemon.configure('other_servers = "ignore"\n', BEHIND)
    subprocess.run([sys.executable, "-m", "appliance", "config", "check", daemon.config], cwd=REPOSITORY, check=True)
    daemon.start()
    admin = Administrator(daemon)
    offer = relay("eth3")
    assert (offer["from"], offer["yiaddr"]) == (["10.77.0.1", 67], "10.78.0.50")
    assert (offer["interface-mtu"], offer["NTP_server"]) == ([9000], ["10.78.0.2", "10.78.0.3"])
    assert (offer["router"], offer["server_id"], offer["last"]) == (["10.78.0.1"], ["10.77.0.1"], True)

    near, far = admin.ask("GET", "/network/subnets")["items"]
    assert (near["interface"], far["interface"], far["network"]) == ("br0", "10.78.0.0/24", "10.78.0.0/24")
    assert (far["relays"], far["options"]) == (["10.77.0.200"], {"mtu": "9000", "ntp-servers": "10.78.0.2, 10.78.0.3"})

    kept = {"port": "10.77.0.200/eth3", "address": "10.78.0.9"}
    made = admin.ask("POST", "/network/reservations", 201, **kept)
    assert made["key"] == "port:10.77.0.200/eth3"
    assert relay("eth3")["yiaddr"] == "10.78.0.9"
    assert relay("eth4")["yiaddr"] == "10.78.0.50"
    said = admin.ask("POST", "/network/reservations", 409, mac="52:54:00:00:00:99", address="10.78.0.9")
    assert "10.78.0.9 is reserved for port 10.77.0.200/eth3" in json.dumps(said)
