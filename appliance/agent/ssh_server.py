"""The SSH server of a rescue: keys only, root only, host keys of this boot only."""

import os
import select
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .errors import StepFailed
from .run import ProgramFailed, run

CONFIGURATION = """\
# Of this rescue, written by the agent.
Port 22
{host_keys}
AuthorizedKeysFile {directory}/authorized_keys
PidFile {directory}/sshd.pid
PermitRootLogin prohibit-password
AllowUsers root
AuthenticationMethods publickey
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
HostbasedAuthentication no
PermitUserEnvironment no
UsePAM no
X11Forwarding no
PrintMotd no
LoginGraceTime 60
MaxAuthTries 6
Subsystem sftp internal-sftp
"""
SEPARATION = Path("/run/sshd")
"""Where it locks its unprivileged half in; sshd(8) wants it there."""
STOP_SECONDS = 10.0
KINDS = ("ed25519", "ecdsa")
KEPT_TYPES = frozenset({"proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "overlay", "efivarfs", "squashfs"})
"""File systems of the stack itself; every other one was mounted by the user of the rescue."""


def authorized(keys: Sequence[str]) -> str:
    """The content of authorized_keys (sshd(8)) (pure). Raises StepFailed `bad-params` for what is no key."""
    for key in keys:
        words = key.split()
        if len(words) < 2 or not key.isprintable() or not words[0].startswith(("ssh-", "ecdsa-", "sk-")):
            raise StepFailed("bad-params", "an SSH key is not one line with a public key")
    if not keys:
        raise StepFailed("bad-params", "there is no SSH key")
    return "".join(f"{key.strip()}\n" for key in keys)


def start_server(directory: Path, keys: str) -> list[str]:
    """Start it with files in `directory`, which is emptied first; the public host keys. Raises ProgramFailed."""
    stop_server(directory)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    SEPARATION.mkdir(mode=0o755, exist_ok=True)
    (directory / "authorized_keys").write_text(keys)
    host_keys = [_host_key(directory, kind) for kind in KINDS]
    settings = directory / "sshd_config"
    named = "\n".join(f"HostKey {directory}/host_{kind}" for kind in KINDS)
    settings.write_text(CONFIGURATION.format(directory=directory, host_keys=named))
    # By its whole name: it starts itself again for each connection.
    run([shutil.which("sshd") or "/usr/sbin/sshd", "-f", str(settings)], timeout=60)
    return host_keys


def stop_server(directory: Path) -> None:
    """End the server that was started with these files, and wait until its port is free; who is logged in stays."""
    with suppress(OSError, ValueError):
        process = os.pidfd_open(int((directory / "sshd.pid").read_text()))
        try:
            signal.pidfd_send_signal(process, signal.SIGTERM)
            select.select([process], [], [], STOP_SECONDS)
        finally:
            os.close(process)


def _host_key(directory: Path, kind: str) -> str:
    path = directory / f"host_{kind}"
    run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", str(path)], timeout=120)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def end_everything(mounted: Sequence[str]) -> None:
    """End what users run, and write out and take away what they `mounted`: the machine restarts next."""
    with suppress(ProgramFailed):
        run(["busybox", "killall5", "-9"], timeout=30)  # all but the agent's own session
    for place in mounted:
        with suppress(ProgramFailed):
            run(["umount", "-r", place], timeout=60)


def foreign_mounts(table: str) -> list[str]:
    """Where users mounted something, the innermost first (pure); `table` is /proc/self/mounts (proc(5))."""
    lines = [line.split() for line in table.splitlines()]
    places = [words[1] for words in lines if len(words) > 2 and words[2] not in KEPT_TYPES and words[1] != "/"]
    return [place.encode().decode("unicode_escape") for place in reversed(places)]
