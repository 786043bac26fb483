"""Whom an address is kept for, as users say it and as it is told them. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal

from appliance.errors import Conflict, Invalid
from appliance.lease import BY_PORT, BY_UUID, Lease, parse_relay_port
from appliance.machine import Machine, meaningful_uuid, parse_mac

By = Literal["mac", "uuid", "port"]


def owner_of(mac: str, uuid: str, port: str) -> str:
    """The owner of a reservation, of which exactly one of the three is given; raises Invalid."""
    given = [name for name, value in (("mac", mac), ("uuid", uuid), ("port", port)) if value.strip()]
    if len(given) != 1:
        text = "a reservation is for one interface, one board, or one port of a relay"
        hint = "give one of MAC address, UUID and port, and leave the others empty"
        raise Invalid("reservation-owner", text, hint, given[1] if given else "mac")
    if uuid.strip():
        return f"{BY_UUID}{_uuid(uuid)}"
    return f"{BY_PORT}{_port(port)}" if port.strip() else parse_mac(mac)


def _uuid(text: str) -> str:
    found = meaningful_uuid(text)
    if found is None:
        hint = "write it as 4c4c4544-0042-3510-8052-b4c04f4e3432; a placeholder that many boards have is none"
        raise Invalid("uuid-invalid", f"{text.strip()[:60]!r} is the UUID of no board", hint, "uuid")
    return found


def _port(text: str) -> str:
    try:
        return parse_relay_port(text)
    except ValueError as error:
        hint = "write RELAY/CIRCUIT: the relay's address or remote-id, and its circuit-id, as in 10.78.0.1/eth3"
        raise Invalid("port-invalid", str(error), hint, "port") from error


def parse_owner(text: str) -> str:
    """The owner of a reservation by its key, as lists show it; raises Invalid."""
    if text.startswith(BY_UUID):
        return f"{BY_UUID}{_uuid(text.removeprefix(BY_UUID))}"
    if text.startswith(BY_PORT):
        return f"{BY_PORT}{_port(text.removeprefix(BY_PORT))}"
    return parse_mac(text)


def kind_of(owner: str) -> By:
    """What the owner is known by."""
    return "uuid" if owner.startswith(BY_UUID) else "port" if owner.startswith(BY_PORT) else "mac"


def bare(owner: str) -> str:
    """The MAC address, UUID or port itself."""
    return owner if kind_of(owner) == "mac" else owner.partition(":")[2]


def said(owner: str) -> str:
    """The owner in the middle of a sentence."""
    return {"mac": "{}", "uuid": "the board {}", "port": "port {}"}[kind_of(owner)].format(bare(owner))


def check_owner(owner: str, every: Iterable[Machine]) -> None:
    """Raise Conflict where a machine has its own reservation by what it would be known by here."""
    kind, word = kind_of(owner), bare(owner)
    for machine in every:
        if kind == "mac" and word in machine.macs:
            hint = f"reserve it there: qrm machines set {machine.name} --address ADDRESS"
            raise Conflict("mac-of-machine", f"{word} is an interface of {machine.name}", hint, "mac")
        if kind == "uuid" and word == machine.uuid and machine.reserved_address:
            text = f"{word} is {machine.name}, for which {machine.reserved_address} is reserved"
            hint = f"a machine has one reserved address: take that away first, or change it at {machine.name}"
            raise Conflict("uuid-of-machine", text, hint, "uuid")


def check_no_board(machine: Machine, kept: Iterable[str]) -> None:
    """Raise Conflict where an address is reserved for the board of a machine, by its UUID; ``kept``: all owners."""
    if machine.uuid and f"{BY_UUID}{machine.uuid}" in kept:
        text = f"an address is reserved for the board of {machine.name}, by its UUID {machine.uuid}"
        raise Conflict("uuid-reserved", text, "give that reservation up first", "reserved_address")


def interfaces_of(owner: str, every: Iterable[Machine], leases: Sequence[Lease]) -> list[str]:
    """The interfaces that may hold the owner's address already: the owner's own, as far as we know them."""
    word = bare(owner)
    match kind_of(owner):
        case "mac":
            return [word]
        case "uuid":
            return [mac for machine in every if machine.uuid == word for mac in machine.macs]
        case "port":
            return [lease.mac for lease in leases if lease.port == word]
