"""PCI devices, from lspci."""

import re
from typing import Any

from ..run import run

_NAMED = re.compile(r"(.*?)\s*\[([0-9a-f]{4})\]")


def read_pci() -> list[dict[str, Any]]:
    """`pci` of an inventory. Raises ProgramFailed."""
    return parse_lspci(run(["lspci", "-D", "-vmm", "-nn", "-k"]))


def parse_lspci(text: str) -> list[dict[str, Any]]:
    """Devices from `lspci -D -vmm -nn -k` (pure)."""
    blocks = [_fields(block) for block in text.split("\n\n") if block.strip()]
    return [_device(fields) for fields in blocks if fields.get("Slot")]


def _device(fields: dict[str, str]) -> dict[str, Any]:
    vendor, vendor_id = named(fields.get("Vendor", ""))
    device, device_id = named(fields.get("Device", ""))
    return {
        "slot": fields["Slot"],
        "class": named(fields.get("Class", ""))[0],
        "vendor": vendor,
        "device": device,
        "vendor_id": vendor_id,
        "device_id": device_id,
        "driver": fields.get("Driver", ""),
    }


def named(text: str) -> tuple[str, str]:
    """Name and id of `Intel Corporation [8086]`; without a database of names there is only the id."""
    found = _NAMED.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":\t") for line in block.splitlines())
    return {key: value.strip() for key, _, value in pairs if value}
