"""An appliance's network in the guest: its units, its state directory, and a neighbour with a DHCP server.

``python3 -m tests.guest.inside.own_network begin|apply KIND|confirm|state``: for the host, which may take power away
in between. ``begin`` is what a start of the appliance does; where there is a confirmed network already, it is kept.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from appliance.networking.edit import with_interface
from appliance.networking.layout import Interface, Layout
from appliance.privileged import durable
from appliance.privileged.client import Privileged
from appliance.privileged.verb import Verb
from appliance.privileged.verbs.network import Apply, Confirm, NetworkStatus, Status

SOURCE = Path("/qrm/systemd")
UNITS = Path("/run/systemd/system")
STATE, NETWORKS = Path("/state"), Path("/etc/systemd/network")
CALLED = ("appliance-helper.socket", "appliance-helper.service", "appliance-network-revert.timer",
          "appliance-network-revert-now.service")  # fmt: skip
TRIAL_SECONDS = 3600
"""In the place of 60: the guest's processor is emulated and may be busy. ``elapse`` ends a trial."""
PATIENCE_SECONDS = 120
MACS = tuple(f"52:54:00:67:00:{number:02x}" for number in (1, 2, 3))
OURS, THEIRS = "198.51.100.5", "198.51.100.2"
FIXED = Layout(
    (
        Interface("nic0", mac=MACS[0], method="static", addresses=(f"{OURS}/24",), roles=("management",)),
        Interface("nic1", mac=MACS[1]),
        Interface("nic2", mac=MACS[2]),
    )
)
PROGRAM = """#!/bin/sh
export PYTHONPATH=/opt/qrm-python:/qrm PYTHONPYCACHEPREFIX=/run/qrm-pycache
exec python3 -m appliance "$@"
"""


def changes() -> dict[str, tuple[Layout, str]]:
    """Each kind of change, from FIXED: what it leads to, and the link that has the address then."""
    bridge = with_interface(FIXED, Interface("br0", "bridge", ports=("nic0",)))
    return {
        "address": (_moved("198.51.100.6/24"), "nic0"),
        "dhcp": (with_interface(FIXED, Interface("nic0", mac=MACS[0], method="dhcp", roles=("management",))), "nic0"),
        "bridge": (bridge, "br0"),
        "bond": (with_interface(FIXED, Interface("bond0", "bond", ports=("nic0", "nic1"))), "bond0"),
        "vlan": (with_interface(FIXED, Interface("nic0.42", "vlan", parent="nic0", tag=42, method="static",
                                                 addresses=("203.0.113.5/24",))), "nic0.42"),
        "all": (with_interface(with_interface(bridge, Interface("bond0", "bond", ports=("nic1", "nic2"))),
                               Interface("bond0.42", "vlan", parent="bond0", tag=42)), "br0"),
    }  # fmt: skip


def _moved(address: str) -> Layout:
    wanted = msgspec.structs.replace(FIXED.interfaces[0], addresses=(address,))
    return with_interface(FIXED, wanted)


def run(*argv: str, check: bool = True) -> str:
    """Output of a program."""
    ended = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert ended.returncode == 0 or not check, f"{' '.join(argv)}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def until(holds: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a state."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what}: {run('ip', '-br', 'address')}{run('networkctl', 'list', check=False)}"
        time.sleep(0.2)


def helper(verb: Verb[object]) -> object:
    """Ask the privileged helper."""
    return asyncio.run(Privileged().call(verb))


def status() -> NetworkStatus:
    """How the networks are."""
    found = helper(Status())
    assert isinstance(found, NetworkStatus)
    return found


def addresses(link: str) -> set[str]:
    """Global IPv4 addresses of a link; none where it is not there."""
    text = run("ip", "-json", "-4", "address", "show", "dev", link, check=False)
    found = json.loads(text) if text.strip() else []
    return {each["local"] for of in found for each in of.get("addr_info", []) if each["scope"] == "global"}


def links() -> set[str]:
    """Names of all links."""
    return {each["ifname"] for each in json.loads(run("ip", "-json", "link", "show")) if "ifname" in each}


def install() -> None:
    """Units as the appliance has them, with the source tree in the place of the installed program."""
    program = Path("/run/qrm-program")
    program.write_text(PROGRAM)
    program.chmod(0o755)
    for name in CALLED:
        text = (SOURCE / name).read_text().replace("/opt/qrm/bin/qrm", str(program))
        (UNITS / name).write_text(text.replace("OnActiveSec=60", f"OnActiveSec={TRIAL_SECONDS}"))
    if not run("getent", "passwd", "appliance", check=False):
        run("useradd", "--system", "appliance")
    run("systemctl", "daemon-reload")


def elapse() -> None:
    """The time is over: the timer is the same, with less to wait, and starts what it starts."""
    timer = UNITS / "appliance-network-revert.timer"
    text = timer.read_text()
    timer.write_text(text.replace(f"OnActiveSec={TRIAL_SECONDS}", "OnActiveSec=1"))
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", timer.name)
    until(lambda: not (STATE / "etc" / "qrm" / "network.pending").exists(), "the change is taken back")
    timer.write_text(text)
    run("systemctl", "daemon-reload")


def begin() -> None:
    """As a start of the appliance: state mounted, what was not confirmed taken back, NICs named, networkd started."""
    UNITS.mkdir(parents=True, exist_ok=True)
    install()
    place = STATE / "etc" / "systemd" / "network"
    place.mkdir(parents=True, exist_ok=True)
    if not NETWORKS.is_mount():
        run("mount", "--bind", str(place), str(NETWORKS))
    run("systemctl", "stop", "systemd-networkd.socket", "systemd-networkd.service")
    kept = STATE / "etc" / "qrm" / "network.json"
    if not kept.exists():
        # As the helper writes it: power is cut soon afterwards, and a file without its content would be ours.
        durable.write(kept, msgspec.json.encode({"layout": FIXED}).decode(), 0o600)
    neighbour()
    run("/run/qrm-program", "helper", "settle")
    run("systemctl", "start", "systemd-networkd.socket", "systemd-networkd.service", "appliance-helper.socket")


def neighbour() -> None:
    """Another computer on the hub: answers pings, and gives addresses by DHCP."""
    if "other" in run("ip", "netns", "list"):
        return
    run("ip", "netns", "add", "other")
    run("ip", "link", "set", "eth3", "netns", "other")
    run("ip", "-n", "other", "address", "add", f"{THEIRS}/24", "dev", "eth3")
    run("ip", "-n", "other", "link", "set", "eth3", "up")
    run("ip", "-n", "other", "link", "set", "lo", "up")
    run("ip", "netns", "exec", "other", "dnsmasq", "--no-resolv", "--no-hosts", "--port=0", "--interface=eth3",
        "--dhcp-range=198.51.100.100,198.51.100.120", "--dhcp-leasefile=/run/other.leases", "--pid-file=/run/other.pid",
        "--conf-file=/dev/null", "--user=root")  # fmt: skip


def end() -> None:
    """The guest as it was."""
    run("systemctl", "stop", *CALLED, check=False)
    run("systemctl", "stop", "systemd-networkd.socket", "systemd-networkd.service")
    run("umount", str(NETWORKS))
    for name in links():
        if name.startswith(("br0", "bond0", "nic0.")):
            run("ip", "link", "delete", name, check=False)
    for number in range(3):
        if f"nic{number}" in links():
            run("ip", "link", "set", "dev", f"nic{number}", "down")
            run("ip", "address", "flush", "dev", f"nic{number}")
            run("ip", "link", "set", "dev", f"nic{number}", "name", f"eth{number}")
    pid = Path("/run/other.pid")
    run("kill", pid.read_text().strip(), check=False)
    run("ip", "-n", "other", "link", "set", "eth3", "netns", "1")
    run("ip", "netns", "delete", "other")
    run("nft", "delete", "table", "inet", "qrm", check=False)
    for name in CALLED:
        (UNITS / name).unlink(missing_ok=True)
    run("rm", "-rf", str(STATE / "etc"))
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "systemd-networkd.service")


def reaches(address: str) -> bool:
    """Whether the neighbour reaches an address of ours."""
    argv = ["ip", "netns", "exec", "other", "ping", "-c", "1", "-w", "2", address]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def is_fixed() -> bool:
    """Whether all is as it was confirmed, as far as the neighbour can see, and in the kernel."""
    made = {name for name in links() if name.startswith(("br0", "bond0", "nic0."))}
    return addresses("nic0") == {OURS} and not made and reaches(OURS)


def main() -> None:
    """For the host."""
    match sys.argv[1:]:
        case ["begin"]:
            begin()
        case ["apply", kind]:
            layout, link = changes()[kind]
            helper(Apply(layout))
            until(lambda: addresses(link) or kind == "vlan", f"{kind} is on")
        case ["confirm"]:
            helper(Confirm())
        case ["state"]:
            until(lambda: addresses("nic0") or addresses("br0"), "an address")
            found = status()
            why = found.reverted.why if found.reverted else ""
            said = {"trying": found.trial is not None, "fixed": is_fixed(), "links": sorted(links()), "why": why}
            sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
