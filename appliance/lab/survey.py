"""Looking at the computer for ``requirements``."""

import os
import shutil
from pathlib import Path

from appliance.lab.namespace import unshare_argv
from appliance.lab.process import run
from appliance.lab.requirements import FILES, PROGRAMS, TUN, Host

_SYSCTL = Path("/proc/sys")


async def survey(directory: Path) -> Host:
    """What this computer has; ``directory`` is on the file system where the lab's files will be."""
    programs = frozenset(name for name in PROGRAMS if shutil.which(name))
    return Host(
        programs=programs,
        files=frozenset(path for path in FILES if path.exists()),
        tun=_tun(),
        root=os.getuid() == 0,
        max_user_namespaces=_sysctl("user/max_user_namespaces"),
        unprivileged_userns_clone=_sysctl("kernel/unprivileged_userns_clone"),
        apparmor_restricts_userns=_sysctl("kernel/apparmor_restrict_unprivileged_userns"),
        namespace_error=await _try_namespaces() if {"unshare", "setpriv"} <= programs else "",
        available_memory_mib=_available_memory_mib(),
        free_disk_mib=_free_disk_mib(directory),
        kvm=os.access("/dev/kvm", os.R_OK | os.W_OK),
    )


def _tun() -> str:
    if not TUN.exists():
        return "missing"
    return "ok" if os.access(TUN, os.R_OK | os.W_OK) else "denied"


def _sysctl(name: str) -> int | None:
    try:
        return int((_SYSCTL / name).read_text())
    except (OSError, ValueError):
        return None


async def _try_namespaces() -> str:
    """Make the namespaces of a lab once, for nothing: what sysctls promise, a container may still refuse."""
    finished = await run(unshare_argv(["true"], root=os.getuid() == 0))
    return "" if finished.status == 0 else finished.stderr.strip()[-300:]


def _available_memory_mib() -> int:
    meminfo = Path("/proc/meminfo").read_text()
    fields = dict(line.split(":", 1) for line in meminfo.splitlines())
    return int(fields["MemAvailable"].split()[0]) // 1024


def _free_disk_mib(directory: Path) -> int:
    """Free space where ``directory`` is or will be."""
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free >> 20
