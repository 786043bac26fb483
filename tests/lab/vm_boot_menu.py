"""UEFI's boot entries, read from its variables (UEFI specification 2.10, sections 3.1.1, 3.1.3 and 10.3)."""

import base64
import struct

GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
READ_VARIABLES = f'cd /sys/firmware/efi/efivars && for f in Boot*-{GLOBAL}; do echo "$f $(base64 -w0 "$f")"; done'
"""What to run in the deployed system."""

MESSAGING, MAC_ADDRESS, END = 3, 11, 0x7F


def boot_order(printed: str) -> list[str]:
    """Each entry in firmware's order: ``network`` where its device path has a MAC address, else its description."""
    variables = dict(_variable(line) for line in printed.splitlines())
    order = variables["BootOrder"]
    numbers = struct.unpack(f"<{len(order) // 2}H", order)
    return [_kind(variables[f"Boot{number:04X}"]) for number in numbers]


def _variable(line: str) -> tuple[str, bytes]:
    name, content = line.split()
    return name.partition("-")[0], base64.b64decode(content)[4:]  # the kernel puts the attributes in front


def _kind(load_option: bytes) -> str:
    (path_length,) = struct.unpack_from("<H", load_option, 4)
    end = next(at for at in range(6, len(load_option), 2) if load_option[at : at + 2] == b"\0\0")
    path = load_option[end + 2 : end + 2 + path_length]
    return "network" if (MESSAGING, MAC_ADDRESS) in _nodes(path) else load_option[6:end].decode("utf-16-le")


def _nodes(path: bytes) -> list[tuple[int, int]]:
    """Type and subtype of every node of a device path."""
    found, at = [], 0
    while path[at] != END:
        kind, subtype, length = struct.unpack_from("<BBH", path, at)
        found.append((kind, subtype))
        at += length
    return found
