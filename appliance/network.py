"""The computer's own network interfaces, asked from the kernel each time, through iproute2's JSON."""

from contextlib import suppress
from ipaddress import IPv4Interface
from pathlib import Path

import msgspec

from appliance.command import run
from appliance.decoding import decoded
from appliance.networking.reached import Held


class _Address(msgspec.Struct):
    local: str = ""
    prefixlen: int = 0
    scope: str = ""
    family: str = ""
    temporary: bool = False
    deprecated: bool = False
    tentative: bool = False

    @property
    def lasts(self) -> bool:
        """Whether somebody could be told to use it (RFC 4862 section 5.5, RFC 8981 for those that are temporary)."""
        return self.scope == "global" and not (self.temporary or self.deprecated or self.tentative)


class _Link(msgspec.Struct):
    ifname: str
    addr_info: list[_Address] = []


def first_addresses() -> dict[str, IPv4Interface | None]:
    """Every interface with its first global IPv4 address, if it has one; raises ApplianceError."""
    links = decoded(run(["ip", "-json", "address", "show"]), list[_Link])
    return {link.ifname: _first(link) for link in links}


def _first(link: _Link) -> IPv4Interface | None:
    for each in link.addr_info:
        if each.family == "inet" and each.scope == "global":
            return IPv4Interface(f"{each.local}/{each.prefixlen}")
    return None


def held() -> list[Held]:
    """The addresses of all interfaces that others may use for a while; raises ApplianceError."""
    links = decoded(run(["ip", "-json", "address", "show", "up"]), list[_Link])
    return [Held(link.ifname, each.local) for link in links for each in link.addr_info if each.lasts]


def hardware_address(interface: str, address: str, table: Path = Path("/proc/net/arp")) -> str:
    """The hardware address behind an IPv4 address where the kernel has resolved it lately; empty where it has not."""
    with suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            words = line.split()  # address, kind, flags, hardware address, mask, interface (proc_net_arp)
            if len(words) == 6 and (words[0], words[5]) == (address, interface) and words[2] != "0x0":
                return words[3].lower()
    return ""
