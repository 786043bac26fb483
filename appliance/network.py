"""The computer's own network interfaces, asked from the kernel each time, through iproute2's JSON."""

from ipaddress import IPv4Interface

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
