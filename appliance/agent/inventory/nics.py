"""Network cards, from sysfs."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import AgentError
from ..run import run

SYS_NET = Path("/sys/class/net")
PCI_SLOT = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def read_nics() -> list[dict[str, Any]]:
    """`nics` of an inventory: everything that is hardware."""
    addresses: Mapping[str, list[str]] = {}
    with suppress(AgentError, ValueError):
        addresses = parse_addresses(run(["ip", "-json", "address", "show"]))
    cards = [entry for entry in sorted(SYS_NET.iterdir()) if (entry / "device").exists()]
    return [read_nic(card, addresses.get(card.name, [])) for card in cards]


def read_nic(card: Path, addresses: list[str]) -> dict[str, Any]:
    """One card from its directory in sysfs."""
    device = (card / "device").resolve()
    speed = _number(card / "speed")
    return {
        "name": card.name,
        "mac": (card / "address").read_text().strip(),
        "driver": (device / "driver").resolve().name if (device / "driver").exists() else "",
        "speed_mbps": speed if speed and 0 < speed < 0xFFFFFFFF else None,  # unknown is -1 in two widths
        "link": _number(card / "carrier") == 1,
        "pci": pci_slot(str(device)),
        "addresses": addresses,
    }


def pci_slot(device: str) -> str:
    """The slot nearest to the device in its sysfs path, "" where there is none (pure). virtio has one more level."""
    slots = [part for part in device.split("/") if PCI_SLOT.fullmatch(part)]
    return slots[-1] if slots else ""


def parse_addresses(text: str) -> dict[str, list[str]]:
    """Interface -> addresses with prefix, from `ip -json address` (pure)."""
    return {
        link["ifname"]: [f"{entry['local']}/{entry['prefixlen']}" for entry in link.get("addr_info", [])]
        for link in json.loads(text or "[]")
        if "ifname" in link
    }


def _number(path: Path) -> int | None:
    with suppress(OSError, ValueError):  # EINVAL: the card is down
        return int(path.read_text())
    return None
