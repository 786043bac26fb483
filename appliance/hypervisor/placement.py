"""Which host a VM is put on. Pure, and the same for one host as for many."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from appliance.errors import Conflict


class Policy(StrEnum):
    """What decides among the hosts on which there is room."""

    LOAD = "load"
    """The one whose processors have least to do, for each of them."""
    MEMORY = "memory"
    """The one with most memory left."""
    RANDOM = "random"
    FIRST = "first"
    """The first that has room, in the order in which they are given: hosts are filled one after the other."""


@dataclass(frozen=True, slots=True)
class Room:
    """A host, as far as it matters here."""

    host: str
    cpus: int
    """Threads of its processors."""
    load: float
    """How many of them are busy."""
    memory: int
    """Bytes that are free, without what the host itself needs."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a VM takes."""

    cpus: int
    memory: int
    """Bytes."""


def place(need: Need, rooms: Sequence[Room], policy: Policy, seed: int) -> str:
    """The host for it; the same for the same ``seed``. Raises Conflict ``host-none-fits``, and why none does."""
    fitting = [each for each in rooms if not obstacle(need, each)]
    if not fitting:
        why = "; ".join(f"{each.host} {obstacle(need, each)}" for each in rooms) or "there is no host"
        hint = "make the VM smaller, or stop or move others"
        raise Conflict("host-none-fits", f"no host has room for it: {why}", hint)
    return min(fitting, key=lambda each: _RANKS[policy](each, need, seed)).host


def place_all(needs: Sequence[Need], rooms: Sequence[Room], policy: Policy, seed: int) -> tuple[str, ...]:
    """The hosts for several VMs, each placed as if those before it ran already; all of them or none.

    Raises Conflict ``host-none-fits``.
    """
    left, chosen = list(rooms), []
    for number, need in enumerate(needs):
        host = place(need, left, policy, seed + number)
        chosen.append(host)
        left = [_with(need, each) if each.host == host else each for each in left]
    return tuple(chosen)


def obstacle(need: Need, room: Room) -> str:
    """Why it does not fit, in words behind the host's name; empty where it does.

    Processors can be shared by several VMs, but one VM never has more than there are; memory is never promised twice.
    """
    if need.cpus > room.cpus:
        return f"has {room.cpus} CPUs of {need.cpus}"
    if need.memory > room.memory:
        return f"has {max(0, room.memory) >> 20} MiB of memory left of {need.memory >> 20}"
    return ""


def _with(need: Need, room: Room) -> Room:
    """As it will be; a VM that was just started is taken to be busy."""
    return replace(room, load=room.load + need.cpus, memory=room.memory - need.memory)


Rank = Callable[[Room, Need, int], tuple[float, ...]]


def _by_load(room: Room, need: Need, seed: int) -> tuple[float, ...]:
    """As it would be with the VM: small hosts feel it more."""
    return ((room.load + need.cpus) / room.cpus, _draw(room, need, seed))


def _by_memory(room: Room, need: Need, seed: int) -> tuple[float, ...]:
    return (need.memory - room.memory, _draw(room, need, seed))


def _draw(room: Room, need: Need, seed: int) -> float:
    """A number that is another one for each host and seed; it also decides between hosts that are alike."""
    return float(int.from_bytes(hashlib.sha256(f"{seed}/{room.host}".encode()).digest()[:6]))


_RANKS: Mapping[Policy, Rank] = {
    Policy.LOAD: _by_load,
    Policy.MEMORY: _by_memory,
    Policy.RANDOM: lambda room, need, seed: (_draw(room, need, seed),),
    Policy.FIRST: lambda room, need, seed: (),
}
"""What is lowest wins; of those that are equal, the first."""
