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
from dataclasses import dataclass
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
OURS, THEIRS, ELSEWHERE = "198.51.100.5", "198.51.100.2", "198.51.100.3"
FIXED = Layout(
    (
        Interface(
            "nic0",
            mac=MACS[0],
            method="static",
            addresses=(f"{OURS}/24",),
            gateway=THEIRS,
            dns=(THEIRS,),
            roles=("management",),
        ),
        Interface("nic1", mac=MACS[1]),
        Interface("nic2", mac=MACS[2]),
    )
)
PROGRAM = """#!/bin/sh
export PYTHONPATH=/opt/qrm-python:/qrm PYTHONPYCACHEPREFIX=/run/qrm-pycache
exec python3 -m appliance "$@"
"""


@dataclass(frozen=True)
class Change:
    """What FIXED is changed to, and whether the kernel has it so."""

    layout: Layout
    is_on: Callable[[], bool]


def changes() -> dict[str, Change]:
    """Each kind of change, from FIXED."""
    bridge = with_interface(FIXED, Interface("br0", "bridge", ports=("nic0",)))
    bond = with_interface(FIXED, Interface("bond0", "bond", ports=("nic0", "nic1")))
    vlan = Interface("nic0.42", "vlan", parent="nic0", tag=42, method="static", addresses=("203.0.113.5/24",))
    every = with_interface(bridge, Interface("bond0", "bond", ports=("nic1", "nic2")))
    every = with_interface(every, Interface("bond0.42", "vlan", parent="bond0", tag=42))
    served = Interface("nic1", mac=MACS[1], method="static", addresses=("192.0.2.1/24",), roles=("provisioning",))
    asked = Interface("nic0", mac=MACS[0], method="dhcp", roles=("management",))
    return {
        "address": Change(_changed(addresses=("198.51.100.6/24",)), lambda: addresses("nic0") == {"198.51.100.6"}),
        "dhcp": Change(with_interface(FIXED, asked), lambda: addresses("nic0") not in (set(), {OURS})),
        "gateway": Change(_changed(gateway=ELSEWHERE), lambda: gateways() == [ELSEWHERE]),
        "dns": Change(_changed(dns=(ELSEWHERE,)), lambda: name_servers("nic0") == [ELSEWHERE]),
        "nat": Change(
            msgspec.structs.replace(with_interface(FIXED, served), nat=True),
            lambda: translates() and addresses("nic1") == {"192.0.2.1"},
        ),
        "bridge": Change(bridge, lambda: _is_at("br0")),
        "bond": Change(bond, lambda: _is_at("bond0")),
        "vlan": Change(with_interface(FIXED, vlan), lambda: addresses("nic0.42") == {"203.0.113.5"}),
        "all": Change(every, lambda: _is_at("br0") and "bond0.42" in links()),
    }


def _changed(**fields: object) -> Layout:
    return with_interface(FIXED, msgspec.structs.replace(FIXED.interfaces[0], **fields))


def _is_at(link: str) -> bool:
    return addresses(link) == {OURS} and reaches(OURS)


def run(*argv: str, check: bool = True) -> str:
    """Output of a program."""
    ended = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert ended.returncode == 0 or not check, f"{' '.join(argv)}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def until(holds: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a state."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what}: {run('ip', '-br', 'address')}{run('journalctl', '-n', '60')}"
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


def gateways() -> list[str]:
    """Routers to everywhere else."""
    return [each["gateway"] for each in json.loads(run("ip", "-json", "-4", "route", "show", "default"))]


def name_servers(link: str) -> list[str]:
    """As systemd-resolved has them of a link."""
    return run("resolvectl", "dns", link).partition(":")[2].split()


def translates() -> bool:
    """Whether machines reach everything else through the appliance."""
    forwards = Path("/proc/sys/net/ipv4/conf/nic1/forwarding").read_text().strip() == "1"
    return forwards and "masquerade" in run("nft", "list", "ruleset")


def plug_out(name: str) -> None:
    """Take a network card out of the running computer."""
    (Path("/sys/class/net", name, "device").resolve().parent / "remove").write_text("1")
    until(lambda: name not in links(), f"{name} is gone")


def plug_in() -> None:
    """Put what was taken out where it was."""
    before = links()
    Path("/sys/bus/pci/rescan").write_text("1")
    until(lambda: links() - before, "a card came")


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
    routed = gateways() == [THEIRS] and name_servers("nic0") == [THEIRS] and not translates()
    return addresses("nic0") == {OURS} and not addresses("nic1") and routed and not made and reaches(OURS)


def main() -> None:
    """For the host."""
    match sys.argv[1:]:
        case ["begin"]:
            begin()
        case ["apply", kind]:
            change = changes()[kind]
            helper(Apply(change.layout))
            until(change.is_on, f"{kind} is on")
        case ["confirm"]:
            helper(Confirm())
        case ["state"]:
            until(is_fixed, "the confirmed network")
            found = status()
            why = found.reverted.why if found.reverted else ""
            said = {"trying": found.trial is not None, "links": sorted(links()), "why": why}
            sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
