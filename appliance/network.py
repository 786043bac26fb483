"""The computer's own network interfaces, asked from the kernel each time, through iproute2's JSON."""

from contextlib import suppress
from ipaddress import IPv4Interface
from pathlib import Path

import msgspec

from appliance.command import run
from appliance.errors import ApplianceError


class _Address(msgspec.Struct):
    local: str = ""
    prefixlen: int = 0
    scope: str = ""
    family: str = ""


class _Link(msgspec.Struct):
    ifname: str
    addr_info: list[_Address] = []


def interface_address(name: str) -> IPv4Interface:
    """The first global IPv4 address of an interface, with its prefix.

    Raises ApplianceError ``interface-missing`` or ``interface-without-address``.
    """
    links = msgspec.json.decode(run(["ip", "-json", "address", "show"]), type=list[_Link])
    found = next((link for link in links if link.ifname == name), None)
    if found is None:
        hint = "this computer has " + ", ".join(sorted(link.ifname for link in links))
        raise ApplianceError("interface-missing", f"[[subnet]] {name}: there is no such interface", hint)
    for address in found.addr_info:
        if address.family == "inet" and address.scope == "global":
            return IPv4Interface(f"{address.local}/{address.prefixlen}")
    hint = f"give it one, for example: ip address add 10.77.0.1/24 dev {name}"
    raise ApplianceError("interface-without-address", f"[[subnet]] {name} has no IPv4 address", hint)


def hardware_address(interface: str, address: str, table: Path = Path("/proc/net/arp")) -> str:
    """The hardware address behind an IPv4 address where the kernel has resolved it lately; empty where it has not."""
    with suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            words = line.split()  # address, kind, flags, hardware address, mask, interface (proc_net_arp)
            if len(words) == 6 and (words[0], words[5]) == (address, interface) and words[2] != "0x0":
                return words[3].lower()
    return ""
