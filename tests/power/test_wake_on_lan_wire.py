"""Magic packets on real links, as sleeping network cards see them: Ethernet broadcasts, on every network of ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

INSIDE = r"""
import asyncio, json, socket, subprocess, sys, time
from ipaddress import IPv4Interface
from appliance.power.driver import Target
from appliance.power.wake_on_lan import WakeOnLan, magic_packet

MAC = "52:54:00:12:34:56"
OURS = {"a0": IPv4Interface("10.77.0.1/24"), "b0": IPv4Interface("10.77.0.2/24")}

def ip(*words):
    subprocess.run(["ip", *words], check=True)

def up():
    said = subprocess.run(["ip", "-json", "link", "show"], check=True, capture_output=True).stdout
    return {link["ifname"] for link in json.loads(said) if link["operstate"] == "UP"}

def card(name):
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    made.bind((name, 0))
    made.settimeout(20)
    return made

def frames(card):
    found = []
    while len(found) < 3:
        frame = card.recv(4096)
        if magic_packet(MAC) in frame:
            found.append({"to": frame[:6].hex(":"), "from": frame[26:30].hex("."), "port": frame[36:38].hex()})
    return found

for near, far in (("a0", "a1"), ("b0", "b1")):
    ip("link", "add", near, "type", "veth", "peer", "name", far)
    ip("address", "add", str(OURS[near]), "dev", near)
    for name in (near, far):
        ip("link", "set", name, "up")
while not {"a0", "b0"} <= up():
    time.sleep(0.01)
cards = [card("a1"), card("b1")]
asyncio.run(WakeOnLan(Target("web1", (MAC,), None, OURS), "", 9).on())
print(json.dumps([frames(each) for each in cards]))
"""


def test_two_networks_with_one_prefix_each_get_theirs():
    """The routing table knows one way to 10.77.0.255; the machine may be on the other."""
    argv = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", INSIDE]
    root = Path(__file__).parents[2]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=root, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    for found, source in ((first, "0a.4d.00.01"), (second, "0a.4d.00.02")):
        assert found == [{"to": "ff:ff:ff:ff:ff:ff", "from": source, "port": "0009"}] * 3
