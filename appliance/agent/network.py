"""Bringing up the network interface that the machine booted from, and saying what is wrong with it."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .commandline import mac_of
from .errors import AgentError, NoNetwork
from .pauses import growing
from .run import ProgramFailed, run
from .screen import Screen

SYS_NET = Path("/sys/class/net")
SCRIPT = "/etc/udhcpc/default.script"
"""Sets address, routes and name servers from a lease; the maintenance stack brings it along."""
LINK_LOOKS, LINK_PAUSE = 40, 0.2
NO_CARD = "no network card has the address {mac} that this machine booted from"
NO_LINK = "no link on {name} ({mac})"
NO_OFFER = "no DHCP server answers on {name} ({mac})"


@dataclass(frozen=True)
class Link:
    """The way to the appliance: our address, and the MAC address of the card that has it."""

    address: str
    mac: str


def bring_up(mac: str | None, screen: Screen, pause: Callable[[float], None]) -> Link:
    """Get an address on the interface with `mac` (None: on any with a link), trying until it works."""
    for seconds in growing():
        try:
            _all_up()
            return _link(choose(mac, _macs()), pause)
        except AgentError as error:
            screen.trouble(error)
            pause(seconds)
    raise AssertionError("growing pauses do not end")


def _link(name: str, pause: Callable[[float], None]) -> Link:
    address = _address(name)
    if address is None:
        _must_have_link(name, pause)
        _lease(name)
        address = _address(name)
    mac = _macs().get(name, "")
    if address is None:
        raise NoNetwork(NO_OFFER.format(name=name, mac=mac))
    return Link(address, mac)


def choose(mac: str | None, macs: dict[str, str]) -> str:
    """The interface with `mac` among `macs` (interface -> MAC) (pure). Raises AgentError."""
    found = [name for name, address in sorted(macs.items()) if mac in (address, None)]
    if not found:
        here = ", ".join(f"{name} {address}" for name, address in sorted(macs.items())) or "no network card"
        raise NoNetwork(
            NO_CARD.format(mac=mac) + f"; there is {here}", "the maintenance stack may lack the driver of that card"
        )
    return next((name for name in found if has_link(name)), found[0]) if mac is None else found[0]


def has_link(name: str) -> bool:
    """Whether a cable with something at its other end is in."""
    with suppress(OSError):  # EINVAL while the interface is down
        return (SYS_NET / name / "carrier").read_text().strip() == "1"
    return False


def linked_cards() -> list[str]:
    """The cards that a cable with something at its other end is plugged into."""
    return [name for name in sorted(_macs()) if has_link(name)]


def _macs() -> dict[str, str]:
    """Network cards and their addresses; what is not hardware has no `device`."""
    cards = [entry for entry in sorted(SYS_NET.iterdir()) if (entry / "device").exists()]
    return {card.name: mac_of((card / "address").read_text()) or "" for card in cards}


def _all_up() -> None:
    """Cards that are down have no link to tell of."""
    for name in _macs():
        with suppress(ProgramFailed):
            run(["ip", "link", "set", "dev", name, "up"])


def _must_have_link(name: str, pause: Callable[[float], None]) -> None:
    """A card that was just switched on needs some seconds to agree with the switch."""
    for _ in range(LINK_LOOKS):
        if has_link(name):
            break
        pause(LINK_PAUSE)
    else:
        mac = _macs().get(name, "")
        raise NoNetwork(NO_LINK.format(name=name, mac=mac), "check the cable and the switch port")


def _lease(name: str) -> None:
    argv = ["busybox", "udhcpc", "-i", name, "-s", SCRIPT, "-n", "-t", "10", "-T", "1"]
    try:
        run(argv, timeout=40)  # it goes to the background with its lease and renews it
    except ProgramFailed as error:
        raise NoNetwork(
            NO_OFFER.format(name=name, mac=_macs().get(name, "")) + f" ({error.message})",
            "check that the appliance serves this subnet; a switch port may take 50 s after power-on (spanning tree)",
        ) from error


def _address(name: str) -> str | None:
    return first_address(run(["ip", "-json", "-4", "address", "show", "dev", name]))


def first_address(text: str) -> str | None:
    """The first IPv4 address in `ip -json address` (pure), without its prefix."""
    for link in json.loads(text or "[]"):
        for entry in link.get("addr_info", []):
            if entry.get("scope") == "global":
                return str(entry["local"])
    return None
