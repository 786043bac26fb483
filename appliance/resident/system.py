"""This system: who it is, and how it is shut down."""

import socket
import subprocess
from pathlib import Path

ACTIONS = ("reboot", "poweroff")


def boot_id() -> str:
    """A new one for every boot (proc_sys_kernel(5))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def hostname() -> str:
    """As the kernel has it."""
    return socket.gethostname()


def host_keys(directory: Path) -> list[str]:
    """Public SSH host keys, type and key without the comment, in the order of their files' names."""
    keys = (path.read_text(errors="replace").split() for path in sorted(directory.glob("ssh_host_*_key.pub")))
    return [" ".join(key[:2]) for key in keys if len(key) >= 2]


def shut_down(action: str) -> str:
    """Start a `reboot` or `poweroff`; returns "" once it is on its way, else what went wrong."""
    assert action in ACTIONS
    errors = []
    for argv in (["systemctl", action], [action], [action, "-f"]):
        error = _run(argv)
        if not error:
            return ""
        errors.append(error)
    return "; ".join(errors)


def _run(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    except OSError as error:
        return f"{argv[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"{argv[0]}: no end after 60 s"
    return "" if done.returncode == 0 else f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}"
