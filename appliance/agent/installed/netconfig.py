"""Network configuration by MAC address, in the words of whatever the image configures its network with."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ..commandline import mac_of
from ..errors import StepFailed
from ..job import Params
from .root import Root

NETWORKD = "/usr/lib/systemd/systemd-networkd"
WANTS = "/etc/systemd/system/multi-user.target.wants"
NETWORKD_UNIT = "systemd-networkd.service"
CLOUD = "/etc/cloud/cloud.cfg"
_NETWORK_OFF = re.compile(
    r"""
    ^network:[ \t]*
    (?: \{[ \t]* | (?:\#.*)?\n (?:[ \t]*(?:\#.*)?\n)* [ \t]+ )
    config:[ \t]*["']?disabled["']?[ \t]*\}?
    [ \t]*(?:\#.*)?$
    """,
    re.MULTILINE | re.VERBOSE,
)
"""In the two ways in which YAML can say it: `network: {config: disabled}`, or on two lines."""


@dataclass(frozen=True)
class Nic:
    """One network card; `mac` in lower case. All are configured by DHCP."""

    mac: str

    @property
    def tag(self) -> str:
        """A file name for it."""
        return self.mac.replace(":", "")


def nics_of(entries: Sequence[Params]) -> list[Nic]:
    """The cards that a step names. Raises StepFailed."""
    return [_nic(entry) for entry in entries]


def _nic(entry: Params) -> Nic:
    mac = mac_of(entry.text("mac"))
    if mac is None:
        raise StepFailed("bad-params", f"network: {entry.text('mac')!r} is not a MAC address")
    if entry.text("method", "dhcp") != "dhcp":
        raise StepFailed("bad-params", f"network: method {entry.text('method')!r} is unknown to this agent")
    return Nic(mac)


def write_network(root: Root, nics: Sequence[Nic], kept: str | None = None) -> str:
    """Configure `nics` and return with what: the first of WAYS that the image has, "none" without any.

    `kept` is the MAC address of the card that the root comes through, if it comes over the network.
    """
    for name, (is_there, write) in WAYS.items():
        if is_there(root):
            write(root, [nic for nic in nics if nic.mac != kept] if name in TAKE_DOWN else nics)
            return name
    return "none"


def has_cloud_init(root: Root) -> bool:
    """Whether it does at its first start what its seed says.

    Where it is switched off (docs.cloud-init.io, "How to disable cloud-init") it is as if it were not there.
    """
    here = any(root.exists(f"/usr/{place}/cloud-init") for place in ("bin", "local/bin"))
    return here and not root.exists("/etc/cloud/cloud-init.disabled")


def leaves_network(root: Root) -> bool:
    """Whether cloud-init is told to keep off the network: it ignores then what its seed says of that, as images have it
    whose network something else configures (docs.cloud-init.io, "Disabling network activity").
    """
    places = [f"{CLOUD}.d/{name}" for name in sorted(root.names(f"{CLOUD}.d")) if name.endswith(".cfg")]
    return any(_NETWORK_OFF.search(root.text(each)) for each in (CLOUD, *places))


def _cloud_init_configures(root: Root) -> bool:
    """It writes the network configuration itself, from its seed; a second one would fight it."""
    return has_cloud_init(root) and not leaves_network(root)


def _has_netplan(root: Root) -> bool:
    return root.exists("/usr/sbin/netplan") and root.exists("/etc/netplan")


def _has_enabled_networkd(root: Root) -> bool:
    return root.is_link(f"{WANTS}/{NETWORKD_UNIT}") or root.is_link(
        f"/usr/lib/systemd/system/multi-user.target.wants/{NETWORKD_UNIT}"
    )


def _has_network_manager(root: Root) -> bool:
    return root.exists("/usr/sbin/NetworkManager") or root.exists("/usr/bin/NetworkManager")


def _has_ifupdown(root: Root) -> bool:
    return root.exists("/usr/sbin/ifup") and root.exists("/etc/network")


def _has_networkd(root: Root) -> bool:
    return root.exists(NETWORKD)


def _leave_to_cloud_init(root: Root, nics: Sequence[Nic]) -> None:
    """The seed carries it: installed/cloudinit.py."""


def _write_netplan(root: Root, nics: Sequence[Nic]) -> None:
    root.write("/etc/netplan/60-qrm.yaml", netplan(nics), 0o600)


def for_cloud_init(root: Root, nics: Sequence[Nic], kept: str | None = None) -> str:
    """Its network configuration version 2, for all `nics`; `kept` as for `write_network`.

    What it writes for other programs than netplan goes by names of cards, so it has to give them those. It takes a card
    down for that, which is why the one that the root comes through keeps its name.
    """
    by_name = not _has_netplan(root)
    return netplan(nics, [nic for nic in nics if by_name and nic.mac != kept])


def netplan(nics: Sequence[Nic], named: Collection[Nic] = ()) -> str:
    """netplan(5) (pure). Those that are `named` are called so by the system."""
    lines = ["network:", "  version: 2", "  ethernets:"]
    for nic in nics:
        lines += [f"    nic{nic.tag}:", f'      match: {{macaddress: "{nic.mac}"}}', "      dhcp4: true"]
        lines += ["      dhcp-identifier: mac"]
        lines += [f"      set-name: nic{nic.tag}"] if nic in named else []
    return "\n".join([*lines, ""])


def _write_networkd(root: Root, nics: Sequence[Nic]) -> None:
    for nic in nics:
        root.write(f"/etc/systemd/network/10-qrm-{nic.tag}.network", networkd(nic))


def networkd(nic: Nic) -> str:
    """systemd.network(5) (pure). The client identifier is the MAC, so that firmware and system are one client."""
    lines = ["[Match]", f"MACAddress={nic.mac}", "", "[Network]", "DHCP=ipv4", "", "[DHCPv4]", "ClientIdentifier=mac"]
    return "\n".join([*lines, ""])


def _enable_networkd(root: Root, nics: Sequence[Nic]) -> None:
    _write_networkd(root, nics)
    root.link(f"{WANTS}/{NETWORKD_UNIT}", f"/usr/lib/systemd/system/{NETWORKD_UNIT}")


def _write_network_manager(root: Root, nics: Sequence[Nic]) -> None:
    for nic in nics:
        name = f"/etc/NetworkManager/system-connections/qrm-{nic.tag}.nmconnection"
        root.write(name, keyfile(nic), 0o600)


def keyfile(nic: Nic) -> str:
    """nm-settings-keyfile(5) (pure)."""
    lines = ["[connection]", f"id=qrm-{nic.tag}", "type=ethernet", "", "[ethernet]", f"mac-address={nic.mac}"]
    lines += ["", "[ipv4]", "method=auto", "dhcp-client-id=mac", "", "[ipv6]", "method=auto"]
    return "\n".join([*lines, ""])


def _write_ifupdown(root: Root, nics: Sequence[Nic]) -> None:
    """interfaces(5) knows cards by name only, so udev gives each a name of ours (systemd.link(5))."""
    for number, nic in enumerate(nics):
        link = f"[Match]\nMACAddress={nic.mac}\n\n[Link]\nName=lan{number}\n"
        root.write(f"/etc/systemd/network/10-qrm-{nic.tag}.link", link)
    root.write("/etc/network/interfaces", interfaces(len(nics)))


def interfaces(count: int) -> str:
    """interfaces(5) for `count` cards named lan0 and up (pure)."""
    lines = ["auto lo", "iface lo inet loopback", ""]
    for number in range(count):
        lines += [f"auto lan{number}", f"iface lan{number} inet dhcp", ""]
    return "\n".join(lines)


WAYS: dict[str, tuple[Callable[[Root], bool], Callable[[Root, Sequence[Nic]], None]]] = {
    "cloud-init": (_cloud_init_configures, _leave_to_cloud_init),
    "netplan": (_has_netplan, _write_netplan),
    "networkd": (_has_enabled_networkd, _write_networkd),
    "NetworkManager": (_has_network_manager, _write_network_manager),
    "ifupdown": (_has_ifupdown, _write_ifupdown),
    "networkd, now enabled": (_has_networkd, _enable_networkd),
}
TAKE_DOWN = ("NetworkManager", "ifupdown")
"""Ways that would take the card down for which they have words, or give it another name, and the root would be gone.

The others follow what the hand-over initrd has told systemd-networkd of it (leave.sh), which comes before their words.
"""
