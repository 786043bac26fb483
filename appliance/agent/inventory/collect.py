"""The whole inventory in one value. See "Inventory" in ARCHITECTURE.md."""

import os
from collections.abc import Callable
from typing import Any

from .. import VERSION
from ..errors import AgentError
from ..hardware import Hardware
from . import bmc, cpu, dmi, firmware, memory, nics, pci
from .disks import read_disk_entries


def collect(hardware: Hardware, boot_mac: str | None) -> dict[str, Any]:
    """The inventory. What cannot be read is empty, with the reason in `notes`: never a reason to stop."""
    notes: list[str] = []
    tables = attempt("dmi", dmi.read_structures, notes)
    return {
        "firmware": hardware.firmware(),
        "secure_boot": attempt("secure boot", firmware.read_secure_boot, notes),
        "boot_mac": boot_mac,
        **dmi.sections(tables or []),
        "cpu": attempt("cpu", cpu.read_cpu, notes) or {},
        "memory": attempt("memory", lambda: memory.read_memory(tables or []), notes) or {},
        "disks": attempt("disks", lambda: read_disk_entries(hardware.disks(), notes), notes) or [],
        "nics": attempt("nics", nics.read_nics, notes) or [],
        "pci": attempt("pci", pci.read_pci, notes) or [],
        "bmc": attempt("bmc", lambda: bmc.read_bmc(tables or [], notes), notes),
        "kernel": os.uname().release,
        "agent": VERSION,
        "notes": notes,
    }


def attempt(what: str, read: Callable[[], Any], notes: list[str]) -> Any:
    """What `read` returns; None and a note when it fails, in whatever way hardware makes readers fail."""
    try:
        return read()
    except AgentError as error:
        notes.append(f"{what}: {error.message}")
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        notes.append(f"{what}: {type(error).__name__}: {error}")
    return None
