"""SSH from the lab's network to the systems deployed in it."""

from collections.abc import Sequence
from pathlib import Path

from appliance.lab.process import run

USER = "root"


async def make_key(path: Path) -> str:
    """Make a key pair without passphrase at ``path`` unless it is there; returns the public key's line."""
    public = path.with_name(path.name + ".pub")
    if not public.exists():
        (await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)])).check("making a key")
    return public.read_text().strip()


def known_hosts(address: str, host_keys: Sequence[str]) -> str:
    """Lines of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) that accept exactly these keys.  Pure."""
    return "".join(f"{address} {' '.join(key.split()[:2])}\n" for key in host_keys)


def strict_argv(key: Path, hosts: Path, address: str, command: str) -> list[str]:
    """Run ``command`` there; refuses a host whose key is not in ``hosts``, asks nothing.  Pure."""
    check = ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={hosts}", "-o", "BatchMode=yes"]
    return ["ssh", *_common(key), *check, f"{USER}@{address}", command]


def trusting_argv(key: Path, address: str, command: Sequence[str]) -> list[str]:
    """Log in without checking the host key: in the lab's own network nobody can stand between.  Pure."""
    check = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    return ["ssh", *_common(key), *check, f"{USER}@{address}", *command]


def _common(key: Path) -> list[str]:
    """The user's own configuration and known hosts stay out of it."""
    return [
        *("-F", "/dev/null", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "GlobalKnownHostsFile=/dev/null"),
        *("-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10"),
    ]
