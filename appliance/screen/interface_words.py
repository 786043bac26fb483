"""Interfaces in the few words that there is room for on a terminal. Pure."""

from appliance.networking.layout import Interface, Kind, Layout
from appliance.privileged.verbs.network import Seen

KIND_WORDS: dict[Kind, str] = {"nic": "NIC", "bond": "bond", "vlan": "VLAN", "bridge": "bridge"}


def made_of(of: Interface) -> str:
    """What it is, in a word or three: a NIC is told from others by its MAC address."""
    match of.kind:
        case "nic":
            return of.mac
        case "vlan":
            return f"VLAN {of.tag} on {of.parent}"
        case _:
            return f"{of.kind} of {', '.join(of.ports) or 'nothing'}"


def cable(now: Seen | None) -> str:
    """Whether there is one, and how fast it is."""
    if now is None:
        return "not there"
    if not now.link:
        return "no cable"
    if now.speed < 1000:
        return f"{now.speed} Mbit/s" if now.speed else "cable"
    return f"{now.speed / 1000:g} Gbit/s"


def addresses(layout: Layout, of: Interface, now: Seen | None) -> str:
    """Those that it has now; or where they will come from, or who has them in its place."""
    if master := layout.master(of.name):
        return f"in {master.name}"
    if of.method == "none":
        return "none"
    if of.method == "static":
        return ", ".join(of.addresses)
    return f"{', '.join(now.addresses)} DHCP" if now and now.addresses else "none yet, DHCP"
