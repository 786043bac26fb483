"""What SMBIOS tells of management controllers: types 38 (IPMI) and 42 (host interfaces, Redfish among them)."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .dmi import Structure, first

IPMI_DEVICE, HOST_INTERFACE = 38, 42
REDFISH_OVER_IP = 0x04
_PORT, _NAME_LENGTH, _NAME = 84, 90, 91
"""Offsets in the data of a Redfish over IP record (DSP0270, table 5)."""
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,98}[A-Za-z0-9])?")


def ipmi_version(structures: Sequence[Structure]) -> str | None:
    """The IPMI version, such as `2.0` (DSP0134, 7.39); None where there is no such controller."""
    device = first(structures, IPMI_DEVICE)
    if device is None:
        return None
    said = device.byte(0x05)
    return f"{said >> 4}.{said & 0x0F}"


def redfish_service(structures: Sequence[Structure]) -> dict[str, Any] | None:
    """Host name and port of a Redfish service; None where none is told of.

    Its address here is that of a link inside this computer (DSP0270, 6), which nobody else can reach.
    """
    for structure in structures:
        if structure.type == HOST_INTERFACE:
            for kind, data in protocols(structure.data):
                if kind == REDFISH_OVER_IP:
                    return _service(data)
    return None


def protocols(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The protocol records of a host interface (DSP0134, 7.43), up to the first that is not whole."""
    at = 6 + (data[5] if len(data) > 5 else 0)
    left = data[at] if at < len(data) else 0
    at += 1
    while left and at + 2 <= len(data):
        kind, length = data[at], data[at + 1]
        record = data[at + 2 : at + 2 + length]
        if len(record) < length:
            return
        yield kind, record
        at += 2 + length
        left -= 1


def _service(data: bytes) -> dict[str, Any]:
    port = int.from_bytes(data[_PORT : _PORT + 2], "little")
    length = data[_NAME_LENGTH] if len(data) > _NAME_LENGTH else 0
    name = data[_NAME : _NAME + length].rstrip(b"\0").decode("ascii", "replace")
    return {"host_name": name if _HOST_NAME.fullmatch(name) else "", "port": port or None}
