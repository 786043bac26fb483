"""The directory in which a state is put together before it takes the place of another, and that step itself.

``DIR.restoring`` holds a state that is not whole yet, and says so with a mark in it. One system call lets it and
``DIR`` take each other's place; what ``DIR.restoring`` holds then has no mark: it is the old state, and is moved to
``DIR.before-restore-TIME``. So whatever ends this in between, ``DIR`` is one of the two states, whole, and the next run
can tell how far it came. Nothing but what carries the mark is ever removed.
"""

import errno
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.backup.whole import EXCHANGE, rename
from appliance.errors import ApplianceError
from appliance.on_disk import sync
from appliance.state import state_directory, write_whole

MARK = "restoring"
"""File in a directory that a restore made and has not finished: the digest of the backup."""
CONFIG = "restoring.toml"
"""Beside it: the configuration file of the backup, until it has its place."""


def staging_of(target: Path) -> Path:
    """Where the new state is put together: beside the old one, since names change within one file system only."""
    return target.with_name(target.name + ".restoring")


def settle_earlier(target: Path, now: float) -> Path | None:
    """Clear up after a run that was killed. Where the old state is now, if it had taken its place already.

    Raises ApplianceError ``state-in-use`` while another restore runs.
    """
    staging = staging_of(target)
    if not staging.is_dir():
        return None
    with state_directory(staging):
        if not _is_ours(staging):
            return _move_aside(staging, target, now)
        _remove(staging)
        return None


def _is_ours(staging: Path) -> bool:
    """Whether nobody's state is in it: it has the mark, or was left before it got one."""
    nothing = {MARK, f"{MARK}.part", "lock"}
    return (staging / MARK).exists() or {each.name for each in staging.iterdir()} <= nothing


def _remove(staging: Path) -> None:
    """The mark goes last, or a run that is killed in here would leave what looks like somebody's state."""
    for each in [each for each in staging.iterdir() if each.name != MARK]:
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    (staging / MARK).unlink(missing_ok=True)
    staging.rmdir()


@contextmanager
def begun(target: Path, digest: str) -> Iterator[Path]:
    """A locked directory to put a state together in, of the backup with this digest; removed where that fails.

    Raises ApplianceError ``state-in-use`` while another restore runs.
    """
    staging = staging_of(target)
    with state_directory(staging):
        try:
            write_whole(staging / MARK, f"{digest}\n".encode())
            yield staging
        except BaseException:
            if staging.exists() and _is_ours(staging):
                _remove(staging)
            raise


def marked(target: Path) -> str | None:
    """The digest of the backup that was put in place here and not finished; None for any other state."""
    with suppress(FileNotFoundError):
        return (target / MARK).read_text().strip()
    return None


def put_in_place(target: Path, now: float) -> Path | None:
    """Let the new state take the place of the old one. Where the old one is now, if there was one.

    Raises ApplianceError ``state-unmovable`` where the file system cannot do that.
    """
    staging = staging_of(target)
    sync(staging)
    if not target.exists():
        staging.rename(target)
        sync(target.parent)
        return None
    # The state of another backup whose restore was never finished: a daemon may have written to it since.
    (target / MARK).unlink(missing_ok=True)
    sync(target)
    try:
        rename(staging, target, EXCHANGE)
    except OSError as error:
        raise _unmovable(target, error) from error
    sync(target.parent)
    return _move_aside(staging, target, now)


def _unmovable(target: Path, error: OSError) -> ApplianceError:
    hint = f"move {target} away by hand, then restore again"
    if error.errno == errno.EBUSY:
        hint = "it is a mount point: let state_dir be a directory below it"
    return ApplianceError("state-unmovable", f"{target} cannot be replaced at once: {error.strerror}", hint)


def _move_aside(old: Path, target: Path, now: float) -> Path:
    aside = free_name(target, now)
    old.rename(aside)
    sync(target.parent)
    return aside


def free_name(path: Path, now: float) -> Path:
    """``PATH.before-restore-TIME``, or the next name after it that nothing has."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    name, number = path.with_name(f"{path.name}.before-restore-{moment}"), 1
    while name.exists():
        number += 1
        name = path.with_name(f"{path.name}.before-restore-{moment}-{number}")
    return name


def unmark(target: Path) -> None:
    """Say that all is done."""
    (target / CONFIG).unlink(missing_ok=True)
    (target / MARK).unlink(missing_ok=True)
    sync(target)
