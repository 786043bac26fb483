"""Processors, from /proc/cpuinfo."""

import os
from pathlib import Path
from typing import Any

MAXIMUM = Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")


def read_cpu() -> dict[str, Any]:
    """`cpu` of an inventory."""
    said = parse(Path("/proc/cpuinfo").read_text())
    mhz = int(MAXIMUM.read_text()) // 1000 if MAXIMUM.exists() else said["mhz"]
    return {**said, "mhz": mhz, "architecture": os.uname().machine}


def parse(text: str) -> dict[str, Any]:
    """Model, sockets, cores, threads, speed and flags (pure).

    Virtual machines may leave out the ids of sockets and cores, arm64 always does: each thread counts as a
    core then, all in one socket.
    """
    threads = [_fields(block) for block in text.split("\n\n") if "processor" in block]
    sockets = {thread.get("physical id", "0") for thread in threads}
    cores = {(thread.get("physical id", "0"), thread.get("core id", thread.get("processor"))) for thread in threads}
    one = threads[0] if threads else {}
    return {
        "model": one.get("model name") or one.get("Model") or one.get("CPU part", ""),
        "sockets": len(sockets),
        "cores": len(cores),
        "threads": len(threads),
        "mhz": max((int(float(thread.get("cpu MHz") or 0)) for thread in threads), default=0) or None,
        "flags": sorted((one.get("flags") or one.get("Features") or "").split()),
    }


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {key.strip(): " ".join(value.split()) for key, _, value in pairs if key.strip()}
