"""A root on a disk by iSCSI: open-iscsi logs in with CHAP, for as long as the root is open and no longer.

The secret is in files for root only, which are overwritten before they are removed, in the daemon that is ended, and in
the kernel until the session ends. No argument has it.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..disk import block
from ..disk.content import probe
from ..disk.growing import grow_filesystem
from ..disk.table import Partition
from ..errors import StepFailed
from ..installed.root import Root
from ..run import ProgramFailed, Running, leave_running, run
from .given import IscsiRoot
from .mounting import ending, mounted

LISTENS = "@ISCSIADM_ABSTRACT_NAMESPACE"
"""The daemon's socket, as /proc/net/unix shows it."""
LOOKS, PAUSE = 100, 0.2
"""How often, and after how many seconds, something is looked for again that comes soon or not at all."""
LOGGING_IN = 120.0
SECTOR = 512
"""Bytes in what /sys counts disks by, whatever theirs are."""
SETTINGS = """\
node.startup = manual
node.session.auth.authmethod = CHAP
node.session.auth.username = {user}
node.session.auth.password = {secret}
node.session.initial_login_retry_max = 4
node.session.timeo.replacement_timeout = 120
node.conn[0].timeo.login_timeout = 15
node.conn[0].timeo.logout_timeout = 15
node.conn[0].timeo.noop_out_interval = 5
node.conn[0].timeo.noop_out_timeout = 15
"""
"""A line that is broken for two minutes ends in an I/O error, which fails the step (open-iscsi's README)."""


@contextmanager
def opened(root: IscsiRoot, initiator: "Initiator", point: Path) -> Iterator[Root]:
    """The root, grown to its disk and mounted writable at `point`. Raises StepFailed, OSError."""
    with ending(initiator.end):
        initiator.log_in(root)
        device = initiator.disk(root)
        try:
            grow_filesystem(device, "ext4")
        except ProgramFailed as error:
            raise StepFailed("root-unusable", f"the root on {root}: {error.message}") from error
        with mounted("ext4", "rw", str(device), point) as tree:
            yield tree


@dataclass(frozen=True)
class Session:
    """One session of the kernel's, in its directory `at`: with whom, where that is, and where it really leads."""

    at: Path
    target: str
    portal: str
    leads: str


class Initiator:
    """open-iscsi of this computer, used for one session at a time. `at` is where the computer's files begin."""

    def __init__(self, pause: Callable[[float], None], at: Path = Path("/")) -> None:
        self._pause, self._at = pause, at
        self._settings = at / "etc/iscsi/iscsid.conf"
        self._daemon: Running | None = None

    def log_in(self, root: IscsiRoot) -> None:
        """Have one session with the target, and no others. Raises StepFailed."""
        try:
            with suppress(ProgramFailed):  # built in, or missing, which the daemon says
                run(["modprobe", "-q", "-a", "iscsi_tcp", "sd_mod"])
            self._start(root)
            self._log_out()
            self._node(root.target, root.portal, "--op", "new")
            self._node(root.target, root.portal, "--login")
        except ProgramFailed as error:
            raise StepFailed("root-unreachable", f"the root {root} does not come by iSCSI: {error.message}") from error

    def disk(self, root: IscsiRoot) -> Path:
        """The disk of the session that has the root: others may hold the same file system. Raises StepFailed."""
        held = self.sessions()
        if [(session.target, session.leads) for session in held] != [(root.target, root.portal)]:
            led = ", ".join(f"{session.target} at {session.leads}" for session in held) or "nowhere"
            raise StepFailed("root-unreachable", f"the session with {root} leads to {led}")
        self._until(lambda: self._disks(held[0]))
        block.settle()
        found = [device for device, size in self._disks(held[0]).items() if _is_meant(device, size, root)]
        if len(found) != 1:
            text = f"{len(found)} disks of {root} hold an ext4 file system with UUID={root.uuid}"
            raise StepFailed("root-unusable", text)
        return found[0]

    def end(self) -> None:
        """Log out of everything and forget the secret; safe where nothing was begun. Raises ProgramFailed.

        A session that stays is what it raises for: by then the daemon and the secret are gone all the same.
        """
        with suppress(ProgramFailed):
            if self._listens():
                self._log_out()
        self._stop()
        self._forget()
        if left := self.sessions():
            raise ProgramFailed(f"the session with {left[0].target} at {left[0].portal} does not end")

    def sessions(self) -> list[Session]:
        """Those of open-iscsi itself: adapters that have sessions of their own are on a bus."""
        found = sorted((self._at / "sys/class/iscsi_session").glob("session*"))
        return [_session(path) for path in found if "/platform/" in f"{path.resolve()}/"]

    def _start(self, root: IscsiRoot) -> None:
        for name in ("etc/iscsi", "run/lock/iscsi", "var/lib/iscsi"):
            (self._at / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for stale in (self._at / "run/lock/iscsi").iterdir():  # of an iscsiadm that was given up
            stale.unlink()
        _write(self._settings.with_name("initiatorname.iscsi"), f"InitiatorName={root.initiator}\n")
        _write(self._settings, SETTINGS.format(user=root.user, secret=root.secret))
        self._daemon = leave_running(["iscsid", "--foreground", "--no-pid-file"])
        if not self._until(self._listens):
            raise ProgramFailed("iscsid: it does not come up")

    def _stop(self) -> None:
        """End the daemon, also one that an agent before this one has left."""
        if self._listens():
            with suppress(ProgramFailed):
                run(["iscsiadm", "--killiscsid=0"])
            self._until(lambda: not self._listens())
        if self._daemon:
            self._daemon.kill()
            self._daemon.wait()
        self._daemon = None

    def _log_out(self) -> None:
        for session in self.sessions():  # the daemon speaks of what it has a record of
            self._node(session.target, session.portal, "--op", "new")
            self._node(session.target, session.portal, "--logout")

    def _node(self, target: str, portal: str, *words: str) -> None:
        run(["iscsiadm", "--mode", "node", "--targetname", target, "--portal", portal, *words], timeout=LOGGING_IN)

    def _disks(self, session: Session) -> dict[Path, int]:
        """The devices of the session's disks, with their bytes."""
        sizes = session.at.glob("device/target*/*/block/*/size")
        return {self._at / "dev" / path.parent.name: int(path.read_text()) * SECTOR for path in sizes}

    def _listens(self) -> bool:
        return LISTENS in (self._at / "proc/net/unix").read_text()

    def _until(self, holds: Callable[[], object]) -> bool:
        for _ in range(LOOKS):
            if holds():
                return True
            self._pause(PAUSE)
        return False

    def _forget(self) -> None:
        records = self._at / "var/lib/iscsi"
        for path in [self._settings, *records.rglob("*")]:
            if path.is_file() and not path.is_symlink():
                _shred(path)


def _session(path: Path) -> Session:
    number = path.name.removeprefix("session")
    line = path.parents[1] / "iscsi_connection" / f"connection{number}:0"
    portal, leads = (f"{_said(line / f'{kind}address')}:{_said(line / f'{kind}port')}" for kind in ("persistent_", ""))
    return Session(path, _said(path / "targetname"), portal, leads)


def _said(path: Path) -> str:
    """A line that is broken has no other end."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _is_meant(device: Path, size: int, root: IscsiRoot) -> bool:
    inside = probe(device, Partition(0, 0, size))
    return inside.type == "ext4" and inside.uuid.lower() == root.uuid


def _write(path: Path, text: str) -> None:
    """A new file for root only."""
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)


def _shred(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
