"""The lab's directory: disks, logs, sockets, the daemon's state; readable for its owner only.

Every lab holds a lock on its directory for as long as anything of it lives. A directory that nobody has locked was
left behind by a lab that was killed; the next start removes it.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ApplianceError

LOCK = "lock"


@dataclass(frozen=True, slots=True)
class LabDirectory:
    """Where the files of one lab are. ``kept`` means the user named it, and it stays when the lab ends."""

    path: Path
    kept: bool = False

    @property
    def name(self) -> str:
        """What the lab is called in ``qrm lab list``."""
        return self.path.name

    @property
    def plan(self) -> Path:
        """The plan as JSON, read by the inside."""
        return self.path / "plan.json"

    @property
    def card(self) -> Path:
        """What ``qrm lab list`` shows, as JSON; there only while the lab runs."""
        return self.path / "lab.json"

    @property
    def control(self) -> Path:
        """Socket on which the inside takes orders."""
        return self.path / "control"

    @property
    def notify(self) -> Path:
        """Socket on which the daemon says that it is ready."""
        return self.path / "notify"

    @property
    def config(self) -> Path:
        """The daemon's configuration file."""
        return self.path / "appliance.toml"

    @property
    def daemon_state(self) -> Path:
        """The daemon's ``state_dir``."""
        return self.path / "state"

    @property
    def daemon_log(self) -> Path:
        """What the daemon says."""
        return self.path / "daemon.log"

    @property
    def inside_log(self) -> Path:
        """What the lab's first process says; empty when all is well."""
        return self.path / "inside.log"

    @property
    def temporary(self) -> Path:
        """``TMPDIR`` of everything in the lab, so that no temporary file outlives it."""
        return self.path / "tmp"

    @property
    def ssh_key(self) -> Path:
        """Private key for the deployed systems; the public one is beside it with ``.pub``."""
        return self.path / "ssh-key"

    @property
    def controller_key(self) -> Path:
        """Key and certificate of the management controller, PEM."""
        return self.path / "controller.pem"

    @property
    def controller_password(self) -> Path:
        """The password of the management controller."""
        return self.path / "controller-password"

    def clear_sockets(self) -> None:
        """Take away what an earlier lab in a kept directory left in the way."""
        for path in (self.control, self.notify, *self.path.glob("*.console")):
            path.unlink(missing_ok=True)

    def console(self, machine: str) -> Path:
        """Socket of the machine's serial console."""
        return self.path / f"{machine}.console"

    def serial_log(self, machine: str) -> Path:
        """What the machine said on its serial port."""
        return self.path / f"{machine}.serial.log"

    def qemu_log(self, machine: str) -> Path:
        """What QEMU itself said."""
        return self.path / f"{machine}.qemu.log"


def default_base() -> Path:
    """The directory of all labs of this user.

    Below /var/tmp and not in XDG_RUNTIME_DIR or /tmp: those are often in memory, and disks of machines would
    fill it. TMPDIR is honoured.
    """
    return Path(os.environ.get("TMPDIR", "/var/tmp")) / f"qrm-lab-{os.getuid()}"  # noqa: S108 - checked by _own


def _own(base: Path) -> None:
    """Make ``base`` ours alone; raises ``lab-directory`` when somebody else made it first."""
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = base.lstat()
    if base.is_symlink() or not base.is_dir() or status.st_uid != os.getuid():
        raise ApplianceError("lab-directory", f"{base} belongs to somebody else", "set TMPDIR to a directory of yours")
    base.chmod(0o700)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def try_lock(directory: Path) -> int | None:
    """Descriptor that holds the lab's lock until every copy of it is closed; None when somebody has it."""
    descriptor = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def create(base: Path) -> tuple[LabDirectory, int]:
    """A new directory below ``base`` and its lock, after removing what killed labs left there."""
    _own(base)
    with _locked(base / ".lock"):
        sweep(base)
        path = base / secrets.token_hex(3)
        path.mkdir(mode=0o700)
        return LabDirectory(path), _must_lock(path)


def open_kept(path: Path) -> tuple[LabDirectory, int]:
    """The directory that the user named, made if missing, and its lock.

    Raises ``lab-running`` when it is in use, and ``lab-directory`` when it holds files that are no lab's: it becomes
    private, which must not happen to /srv or to somebody's home.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_labs(path):
        hint = "name a new or an empty directory, or one in which a lab was before"
        raise ApplianceError("lab-directory", f"{path} holds files that no lab made", hint)
    path.chmod(0o700)
    return LabDirectory(path.resolve(), kept=True), _must_lock(path)


def _is_labs(path: Path) -> bool:
    """Whether there is nothing in the directory, or what a lab left there; a lab locks first, and then plans."""
    return LabDirectory(path).plan.is_file() or {entry.name for entry in path.iterdir()} <= {LOCK}


def _must_lock(path: Path) -> int:
    descriptor = try_lock(path)
    if descriptor is None:
        raise ApplianceError("lab-running", f"a lab is running in {path}", "stop it first, or name another directory")
    return descriptor


def sweep(base: Path) -> list[Path]:
    """Remove the directories of labs that no longer run; the caller holds the lock of ``base``."""
    removed = []
    for path in (entry for entry in base.iterdir() if entry.is_dir() and not entry.is_symlink()):
        descriptor = try_lock(path)
        if descriptor is not None:
            shutil.rmtree(path)
            os.close(descriptor)
            removed.append(path)
    return removed


def remove(directory: LabDirectory) -> None:
    """Remove the files of a lab that has ended, or only its card when the user keeps the directory."""
    if directory.kept:
        directory.clear_sockets()
        directory.card.unlink(missing_ok=True)
    else:
        shutil.rmtree(directory.path, ignore_errors=True)


def running(base: Path) -> list[LabDirectory]:
    """The labs below ``base`` that run now."""
    if not base.is_dir():
        return []
    found = (LabDirectory(path) for path in sorted(base.iterdir()) if path.is_dir())
    return [directory for directory in found if directory.card.exists() and _is_locked(directory.path)]


def _is_locked(path: Path) -> bool:
    descriptor = try_lock(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
