"""The agent's way onto the network, in a namespace with a DHCP server of somebody else's."""

import subprocess
import sys
from pathlib import Path

from agent_bench import REPOSITORY

SCRIPT = """#!/bin/sh
case "$1" in bound|renew) ip -4 addr replace "$ip/$mask" dev "$interface";; esac
"""
INSIDE = """
import sys
from pathlib import Path
from appliance.agent import network
from appliance.agent.screen import Screen

class Shown(Exception):
    pass

class Once(Screen):
    def trouble(self, error):
        print("trouble:", error.message)
        raise Shown

network.SCRIPT = sys.argv[1]
network.LINK_PAUSE = 0.0
network._macs = lambda: {"vb": Path("/sys/class/net/vb/address").read_text().strip()}
try:
    print("link:", network.bring_up(None, Once([]), lambda seconds: None).address)
except Shown:
    pass
"""
COMMON = "ip link set lo up; ip link add va type veth peer name vb; ip addr add 10.9.0.1/24 dev va; "
SERVER = (
    "dnsmasq --no-daemon --port=0 --interface=va --bind-interfaces --dhcp-range=10.9.0.10,10.9.0.20,1h"
    " --dhcp-leasefile={leases} --pid-file={pid} & "
)


def run_inside(directory: Path, before: str, after: str = "") -> str:
    script = directory / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    program = directory / "inside.py"
    program.write_text(INSIDE)
    server = SERVER.format(leases=directory / "leases", pid=directory / "pid")
    shell = f"{COMMON}{before.replace('SERVER', server)}; {sys.executable} {program} {script}{after}"
    argv = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c"]
    done = subprocess.run(
        [*argv, f"mount -t sysfs sysfs /sys; {shell}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        timeout=60,
    )
    return done.stdout + done.stderr


class TestNetwork:
    def test_an_address(self, tmp_path: Path) -> None:
        assert "link: 10.9.0." in run_inside(tmp_path, "ip link set va up; SERVER true")

    def test_no_server(self, tmp_path: Path) -> None:
        assert "trouble: no DHCP server answers on vb" in run_inside(tmp_path, "ip link set va up")

    def test_no_link(self, tmp_path: Path) -> None:
        assert "trouble: no link on vb" in run_inside(tmp_path, "true")
