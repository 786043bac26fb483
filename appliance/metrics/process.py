"""What the daemon's process takes of its computer, as the kernel says."""

import os
import resource
from pathlib import Path

_STATM = Path("/proc/self/statm")
_DESCRIPTORS = "/proc/self/fd"
_PAGE = resource.getpagesize()


def cpu_seconds() -> float:
    """Processor time since the start, in user and kernel."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory_bytes() -> int:
    """Memory that is resident (proc_pid_statm(5): the second field, in pages)."""
    return int(_STATM.read_text().split()[1]) * _PAGE


def open_descriptors() -> int:
    """Files and sockets that are open; the one that this looks with is not counted."""
    return len(os.listdir(_DESCRIPTORS)) - 1
