"""A restore that a running daemon prepares and the next start of it brings in, by its own user, in its own directory.

``incoming/`` in the state directory holds all of it. ``new`` is a state that is put together; renamed to ``whole`` it
takes the place of the present one at the next start, before anything is opened. Everything of the old state moves to
``before-restore-TIME`` then; ``whole`` becomes ``placing``, and what is in it moves to where the old state was. Each
step is the rename of one name, and each can be begun again: killed anywhere, the next start goes on. Until the rename
to ``whole`` the old state is what it was; from then on the new one comes, whatever happens.
"""

import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from appliance.errors import NotFound
from appliance.last_run import NAME as RUNNING
from appliance.on_disk import sync
from appliance.reserve import NAME as RESERVE
from appliance.state import writing

DIRECTORY = "incoming"
DOWNLOAD = "download-"
"""What the names of backups begin with that are made to be sent; one that a kill left goes at the next start."""
UPLOADED = "backup.qrmstate"
"""The backup that was uploaded, until it is restored or removed."""
OFFERED = "offered.toml"
"""In the state directory: the configuration file of the backup that was restored, until somebody decides about it."""
OFFERED_NETWORK = "offered-network.json"
"""The same of the networks of the appliance that the backup is of."""
NEW, WHOLE, ASIDE = "new", "whole", "aside"
_PLACING = "placing"
_BEFORE = re.compile(r"before-restore-[0-9]{8}T[0-9]{6}Z(-[0-9]+)?")
_STAYS = {DIRECTORY, "lock", RESERVE, RUNNING}
"""What belongs to the directory and to no state in it."""


def directory(state_dir: Path) -> Path:
    """Where uploads are put; made where missing."""
    made = state_dir / DIRECTORY
    with writing(made):
        made.mkdir(mode=0o700, exist_ok=True)
    return made


def uploaded(state_dir: Path) -> Path | None:
    """The backup that waits for a decision, if there is one."""
    found = state_dir / DIRECTORY / UPLOADED
    return found if found.is_file() else None


def forget_upload(state_dir: Path) -> None:
    """Remove it; none is no error."""
    (state_dir / DIRECTORY / UPLOADED).unlink(missing_ok=True)


def bring_in(state_dir: Path) -> str:
    """Before a start: let a state that was prepared take its place, or go on with that. Blocks.

    The name of the directory with the old state; empty where there was nothing to do. Raises ApplianceError
    ``state-unwritable``: the next start goes on.
    """
    base = state_dir / DIRECTORY
    if not base.is_dir():
        return ""
    with writing(base):
        for left in (*base.glob("*.part"), *base.glob(f"{DOWNLOAD}*")):
            left.unlink()
        if (base / WHOLE).is_dir():
            _take_away(state_dir, base)
        if not (base / _PLACING).is_dir():
            shutil.rmtree(base / NEW, ignore_errors=True)
            return ""
        return _put_in(state_dir, base)


def _take_away(state_dir: Path, base: Path) -> None:
    """Everything of the old state, into its directory; from then on it is the turn of the new one."""
    aside = state_dir / _name_of_aside(base)
    aside.mkdir(mode=0o700, exist_ok=True)
    _move(_names(state_dir), state_dir, aside)
    (base / WHOLE).rename(base / _PLACING)
    sync(base)


def _put_in(state_dir: Path, base: Path) -> str:
    name, placing = _name_of_aside(base), base / _PLACING
    _move([each.name for each in placing.iterdir()], placing, state_dir)
    # What was uploaded goes before the directory that says that there is something to do.
    (base / UPLOADED).unlink(missing_ok=True)
    placing.rmdir()
    sync(base)
    return name


def _name_of_aside(base: Path) -> str:
    """As it was settled before the first rename; a damaged note must not lead out of the directory."""
    with suppress(FileNotFoundError):
        name = (base / ASIDE).read_text().strip()
        if _BEFORE.fullmatch(name):
            return name
    return "before-restore-19700101T000000Z"


def _names(state_dir: Path) -> list[str]:
    return [each.name for each in state_dir.iterdir() if each.name not in _STAYS and not _BEFORE.fullmatch(each.name)]


def _move(names: Iterable[str], source: Path, target: Path) -> None:
    for name in names:
        (source / name).rename(target / name)
    sync(target)
    sync(source)


def old_states(state_dir: Path) -> list[str]:
    """Names of the states that restores took the place of, newest first."""
    found = [each.name for each in state_dir.iterdir() if _BEFORE.fullmatch(each.name) and each.is_dir()]
    return sorted(found, reverse=True)


def remove_old_state(state_dir: Path, name: str) -> None:
    """Remove one of them, for good. Raises NotFound, and ApplianceError ``state-unwritable``."""
    if name not in old_states(state_dir):
        raise NotFound("old-state-unknown", f"there is no old state {name[:80]!r}", "load the list anew")
    with writing(state_dir / name):
        shutil.rmtree(state_dir / name)


def offered_configuration(state_dir: Path) -> str | None:
    """The configuration file of the backup that was restored last, until it was taken or dismissed."""
    with suppress(FileNotFoundError):
        return (state_dir / OFFERED).read_text(errors="replace")
    return None


def offered_network(state_dir: Path) -> str | None:
    """The networks of the backup that was restored last, as the API takes them, until that was decided too."""
    with suppress(FileNotFoundError):
        return (state_dir / OFFERED_NETWORK).read_text(errors="replace")
    return None


def forget_configuration(state_dir: Path) -> None:
    """It is in force now."""
    (state_dir / OFFERED).unlink(missing_ok=True)


def sweep_downloads(state_dir: Path, before: float) -> None:
    """Remove backups that were made to be sent before this moment (Unix time), and never were."""
    for left in (state_dir / DIRECTORY).glob(f"{DOWNLOAD}*"):
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < before:
                left.unlink()


def dismiss_configuration(state_dir: Path) -> None:
    """Nobody wants them."""
    (state_dir / OFFERED).unlink(missing_ok=True)
    (state_dir / OFFERED_NETWORK).unlink(missing_ok=True)


def room_taken(path: Path) -> int:
    """Bytes of the files below a directory, each counted once however many names it has there."""
    found = [each.lstat() for each in path.rglob("*") if each.is_file()]
    return sum({each.st_ino: each.st_blocks * 512 for each in found}.values())


def refuse_without(found: Path | None) -> Path:
    """The uploaded backup; raises NotFound where there is none."""
    if found is None:
        raise NotFound("backup-missing", "no backup was uploaded", "upload the file that `qrm state backup` made")
    return found
