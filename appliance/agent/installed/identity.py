"""What makes one deployed system another than the next: host name, machine id, keys."""

import re
import tempfile
from pathlib import Path

from ..errors import StepFailed
from ..run import run
from .root import Root

HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.IGNORECASE)
MACHINE_ID = re.compile(r"[0-9a-f]{32}")
KEY_TYPES = ("ed25519", "ecdsa")
"""RSA is left out: making such a key takes minutes on slow machines, and nobody needs it any more."""


def write_hostname(root: Root, hostname: str) -> None:
    """Name the system (hostname(5), hosts(5)). Raises StepFailed for what cannot be a name."""
    if not HOSTNAME.fullmatch(hostname):
        raise StepFailed("bad-params", f"{hostname!r} cannot be a host name")
    root.write("/etc/hostname", f"{hostname}\n")
    root.write("/etc/hosts", hosts_with(root.text("/etc/hosts"), hostname))


def hosts_with(text: str, hostname: str) -> str:
    """An /etc/hosts in which 127.0.1.1 is `hostname`, as Debian has it, the rest as before (pure)."""
    short = hostname.partition(".")[0]
    names = hostname if short == hostname else f"{hostname} {short}"
    kept = [line for line in text.splitlines() if line.split()[:1] != ["127.0.1.1"]]
    if not kept:
        kept = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    return "\n".join([*kept, f"127.0.1.1 {names}", ""])


def write_machine_id(root: Root, machine_id: str) -> None:
    """machine-id(5). A second copy of it, D-Bus's, is linked to it where it is a file of its own."""
    if not MACHINE_ID.fullmatch(machine_id):
        raise StepFailed("bad-params", f"machine_id {machine_id!r} is not 32 hexadecimal digits")
    root.write("/etc/machine-id", f"{machine_id}\n", 0o444)
    if root.exists("/var/lib/dbus/machine-id") and not root.is_link("/var/lib/dbus/machine-id"):
        root.link("/var/lib/dbus/machine-id", "/etc/machine-id")


def write_authorized_keys(root: Root, keys: list[str]) -> None:
    """Let the holders of `keys` log in as root, besides those that the image lets in."""
    wanted = [one_line(key) for key in keys]
    if not wanted:
        return
    root.make_directory("/root", 0o700)
    root.make_directory("/root/.ssh", 0o700)
    had = root.text("/root/.ssh/authorized_keys").splitlines()
    lines = [*had, *(key for key in wanted if key not in had)]
    root.write("/root/.ssh/authorized_keys", "\n".join([*lines, ""]), 0o600)


def one_line(key: str) -> str:
    """A public key without what would make it two. Raises StepFailed."""
    key = key.strip()
    if not key.isprintable() or not key:
        raise StepFailed("bad-params", "an SSH key is not one line of printable text")
    return key


def write_host_keys(root: Root) -> list[str]:
    """New SSH host keys in place of the image's, which every other copy of it has too; returns the public ones."""
    if not root.exists("/etc/ssh"):
        return []
    for name in root.names("/etc/ssh"):
        if re.fullmatch(r"ssh_host_.*key(\.pub)?", name):
            root.remove(f"/etc/ssh/{name}")
    return [_write_host_key(root, kind) for kind in KEY_TYPES]


def _write_host_key(root: Root, kind: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "key"
        run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", str(path)])
        public = path.with_suffix(".pub").read_text().strip()
        name = f"/etc/ssh/ssh_host_{kind}_key"
        root.write(name, path.read_bytes(), 0o600)
        root.write(f"{name}.pub", f"{public}\n")
    return public


def relabel_if_needed(root: Root) -> bool:
    """Files written here carry no SELinux labels; an enforcing system repairs that at its first start.

    Whether it will: it restarts by itself once it has.
    """
    uses = re.search(r"^\s*SELINUX=(enforcing|permissive)", root.text("/etc/selinux/config"), re.MULTILINE)
    if uses:
        root.write("/.autorelabel", "")
    return bool(uses)
