"""What interfaces the computer has, asked of the kernel through iproute2's JSON and sysfs."""

import re
from pathlib import Path

import msgspec

from appliance.decoding import decoded
from appliance.networking.layout import Layout
from appliance.privileged.computer import Computer
from appliance.privileged.verbs.network import Seen

_ETHERNET = "ether"


class _Address(msgspec.Struct):
    local: str = ""
    prefixlen: int = 0
    scope: str = ""


class _Link(msgspec.Struct):
    ifname: str
    link_type: str = ""
    address: str = ""
    permaddr: str = ""
    flags: list[str] = []
    addr_info: list[_Address] = []


async def look(on: Computer, layout: Layout) -> tuple[Seen, ...]:
    """Every NIC, in the order of their slots, and what else is in the layout; cables of virtual machines are not."""
    links = decoded(await on.run(["ip", "-json", "address", "show"]), list[_Link])
    found = [_seen(on.roots.sys, each) for each in links if each.link_type == _ETHERNET]
    wanted = [each for each in found if each.is_nic or layout.named(each.name)]
    return tuple(sorted(wanted, key=lambda each: (not each.is_nic, _slot(on.roots.sys, each.name))))


def _seen(sys: Path, link: _Link) -> Seen:
    place = sys / "class" / "net" / link.ifname
    speed = _read(place / "speed")
    return Seen(
        name=link.ifname,
        # The kernel says the first address only where the present one is another, as in a bond (ip-link(8)).
        mac=link.permaddr or link.address,
        is_nic=(place / "device").exists(),
        link="LOWER_UP" in link.flags,
        speed=int(speed) if speed.isdecimal() else 0,  # -1 without a cable
        driver=_named(place / "device" / "driver"),
        addresses=tuple(f"{each.local}/{each.prefixlen}" for each in link.addr_info if each.scope == "global"),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # the kernel refuses the speed of an interface that is down
        return ""


def _named(link: Path) -> str:
    return link.resolve().name if link.exists() else ""


def _slot(sys: Path, name: str) -> list[tuple[int, str]]:
    """The path of the device, such that port 10 comes after port 9."""
    path = str((sys / "class" / "net" / name).resolve())
    words = re.findall(r"[0-9a-f]+|[^0-9a-f]+", path.rpartition("/net/")[0] or path)
    return [(int(word, 16) if re.fullmatch("[0-9a-f]+", word) else -1, word) for word in words]
