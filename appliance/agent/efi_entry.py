"""The firmware's boot order: the network first, this disk after it.

Some firmware forgets entries, or has no room for one: nothing here fails a deployment, since the disk also
has the fallback loader path, and later boots come through the network anyway.
"""

import re
from dataclasses import dataclass

from .disk.model import Disk
from .disk.table import Table
from .run import ProgramFailed, run

LABEL = "qrm disk"
LOADER = r"\EFI\BOOT\BOOTX64.EFI"
_ENTRY = re.compile(r"Boot([0-9A-Fa-f]{4})\*?\s+([^\t]*)\t?(.*)")
_NETWORK = re.compile(r"/(MAC|IPv4|IPv6|Uri)\(", re.IGNORECASE)


@dataclass(frozen=True)
class BootMenu:
    """What `efibootmgr --verbose` shows. Entries are named by four hex digits."""

    current: str
    order: tuple[str, ...]
    labels: dict[str, str]
    network: frozenset[str]


def parse(text: str) -> BootMenu:
    """From efibootmgr's text (pure). The entry that this boot came through counts as network."""
    lines = text.splitlines()
    current = next((line.split()[1] for line in lines if line.startswith("BootCurrent:")), "")
    order = next((line.partition(":")[2].strip() for line in lines if line.startswith("BootOrder:")), "")
    found = [match for line in lines if (match := _ENTRY.match(line))]
    network = {match[1].upper() for match in found if _NETWORK.search(match[3])}
    labels = {match[1].upper(): match[2].strip() for match in found}
    return BootMenu(current.upper(), tuple(order.upper().split(",")) if order else (), labels, frozenset(network))


def new_order(menu: BootMenu, ours: str) -> tuple[str, ...]:
    """Network entries as they were, then `ours`, then the rest (pure)."""
    rest = [entry for entry in menu.order if entry != ours]
    first = [entry for entry in rest if entry in menu.network]
    return (*first, ours, *(entry for entry in rest if entry not in first))


def put_after_network(disk: Disk, table: Table | None) -> str:
    """Add the entry and order it; returns a note when that was not possible, else ""."""
    esp = next((partition for partition in table.partitions if partition.is_esp), None) if table else None
    if esp is None:
        return "the image has no EFI system partition; this machine starts it through the network only"
    try:
        return _put(disk, esp.number)
    except ProgramFailed as error:
        return f"firmware's boot order was left as it is: {error.message}"


def _put(disk: Disk, partition: int) -> str:
    before = parse(run(["efibootmgr", "--verbose"]))
    if not before.network:
        return "firmware shows no network entry; its boot order was left as it is"
    for number in sorted(number for number, label in before.labels.items() if label == LABEL):
        run(["efibootmgr", "--quiet", "--delete-bootnum", "--bootnum", number])
    create = ["--create-only", "--disk", str(disk.device), "--part", str(partition), "--label", LABEL]
    run(["efibootmgr", "--quiet", *create, "--loader", LOADER])
    menu = parse(run(["efibootmgr", "--verbose"]))
    ours = next((number for number, label in menu.labels.items() if label == LABEL), "")
    if not ours:
        return "firmware did not keep the boot entry of the disk"
    run(["efibootmgr", "--quiet", "--bootorder", ",".join(new_order(menu, ours))])
    return ""
