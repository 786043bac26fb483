"""How much memory there is, and in which modules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .dmi import Structure, memory_modules


def read_memory(structures: Sequence[Structure]) -> dict[str, Any]:
    """`memory` of an inventory: what is installed, and where that is not said, what the kernel has."""
    modules = memory_modules(structures)
    installed = sum(module["bytes"] for module in modules)
    return {"bytes": installed or total(Path("/proc/meminfo").read_text()), "modules": modules}


def total(meminfo: str) -> int:
    """MemTotal of /proc/meminfo in bytes (pure). Raises ValueError."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    raise ValueError("/proc/meminfo has no MemTotal")
