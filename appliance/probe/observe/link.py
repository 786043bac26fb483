"""Our own interface: what it is, and its link taken down and up again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Interface
from time import monotonic, sleep

from appliance.command import run
from appliance.errors import ApplianceError
from appliance.probe.kinds import BY_NAME
from appliance.probe.observe.discover import first_answer
from appliance.probe.observe.wire import Wire
from appliance.probe.observed import Bounce, Interface

_CARRIER_SECONDS = 30.0
_ANSWER_SECONDS = 70.0
"""Two forward delays are 30 s by default and 60 s at most."""


def interfaces() -> list[Interface]:
    """All Ethernet interfaces that are up. Raises ApplianceError where ``ip`` is missing."""
    found = json.loads(run(["ip", "-json", "address", "show"]))
    return [_interface(each) for each in found if each.get("link_type") == "ether" and "UP" in each.get("flags", ())]


def _interface(said: dict[str, object]) -> Interface:
    infos = said.get("addr_info", ())
    assert isinstance(infos, list | tuple)
    addresses = [f"{each['local']}/{each['prefixlen']}" for each in infos if each.get("family") == "inet"]
    flags = said.get("flags", ())
    return Interface(
        name=str(said["ifname"]),
        mac=str(said["address"]),
        mtu=int(str(said["mtu"])),
        carrier="LOWER_UP" in flags if isinstance(flags, list) else False,
        addresses=tuple(map(IPv4Interface, addresses)),
    )


def bounce(interface: Interface, mac: str) -> Bounce:
    """Take the link down and up, and ask for an address until somebody answers."""
    with _down(interface.name):
        # Long enough for the switch to see it: half a second is what the slowest ports take.
        sleep(1)
    start = _carrier(interface.name)
    with Wire(interface.name) as wire:
        waited = first_answer(wire, BY_NAME["plain"], mac, start, start + _ANSWER_SECONDS)
    return Bounce(monotonic() - start if waited is None else waited, waited is not None)


@contextmanager
def _down(name: str) -> Iterator[None]:
    """The link is down inside; after it, it is up and has its routes again, whatever happened."""
    routes = _routes(name)
    run(["ip", "link", "set", "dev", name, "down"])
    try:
        yield
    finally:
        run(["ip", "link", "set", "dev", name, "up"])
        for route in routes:
            run(["ip", "-4", "route", "replace", *route.split(), "dev", name])


def _routes(name: str) -> list[str]:
    """IPv4 routes that go with the link and that the kernel does not bring back by itself."""
    lines = run(["ip", "-4", "route", "show", "dev", name]).splitlines()
    return [line.replace("linkdown", "").strip() for line in lines if "proto kernel" not in line]


def _carrier(name: str) -> float:
    """When the link came up, on the monotonic clock; raises ApplianceError when it does not."""
    end = monotonic() + _CARRIER_SECONDS
    while monotonic() < end:
        # Of netlink, not of /sys: that shows the network namespace of whoever mounted it.
        if any(each.name == name and each.carrier for each in interfaces()):
            return monotonic()
        sleep(0.02)
    raise ApplianceError("link-down", f"{name} has no link {_CARRIER_SECONDS:.0f} s after it was switched on")
