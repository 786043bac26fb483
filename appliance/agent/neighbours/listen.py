"""Listening for LLDP on all network cards, for a bounded time."""

import socket
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from .lldp import ETHERTYPE, Neighbour, decode

SECONDS = 65.0
"""Switches speak every 30 seconds, unless somebody has set them otherwise: twice that, and some more."""
MOST = 8
"""Neighbours of one card that are told: behind a hub, or a switch that hands LLDP on, there may be many."""
GROUPS = ("01:80:c2:00:00:0e", "01:80:c2:00:00:03", "01:80:c2:00:00:00")
"""Where LLDP goes (IEEE 802.1AB, 7.1): the nearest bridge of any kind; a card drops what it was not told of."""
LONGEST_FRAME = 2048
_SOL_PACKET, _ADD_MEMBERSHIP, _MULTICAST = 263, 1, 0

Heard = dict[tuple[str, str, str], Neighbour]
"""By name of our card, chassis and port."""


def listen(
    cards: Iterable[str], seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
) -> list[dict[str, Any]]:
    """What was heard within ``seconds`` on these cards, sooner when each has told; raises OSError without rights."""
    names, heard = set(cards), Heard()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE)) as ear:
        for name in names:
            _join(ear, name)
        end = clock() + seconds
        while names - {card for card, _, _ in heard} and (left := end - clock()) > 0:
            ear.settimeout(left)
            with suppress(TimeoutError):
                frame, (card, *_) = ear.recvfrom(LONGEST_FRAME)
                note(heard, names, card, frame)
    return told(heard)


def note(heard: Heard, names: set[str], card: str, frame: bytes) -> None:
    """Take one frame; a farewell takes back what was heard (pure)."""
    neighbour = decode(frame) if card in names else None
    if neighbour is None:
        return
    key = card, neighbour.chassis, neighbour.port
    if neighbour.seconds == 0:
        heard.pop(key, None)
    elif key in heard or sum(each[0] == card for each in heard) < MOST:
        heard[key] = neighbour


def told(heard: Heard) -> list[dict[str, Any]]:
    """As the inventory has it (pure)."""
    return [
        {
            "nic": card,
            "chassis": each.chassis,
            "port": each.port,
            "port_description": each.port_text,
            "system": each.system,
            "description": each.system_text,
            "address": each.address,
            "vlan": each.vlan,
        }
        for (card, _, _), each in sorted(heard.items())
    ]


def _join(ear: socket.socket, name: str) -> None:
    with suppress(OSError):  # a card that is gone meanwhile, or takes no more groups
        index = socket.if_nametoindex(name)
        for group in GROUPS:
            octets = bytes.fromhex(group.replace(":", ""))
            request = struct.pack("iHH8s", index, _MULTICAST, len(octets), octets)
            ear.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, request)
