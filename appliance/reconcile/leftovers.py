"""Files in a directory of uploads that the store does not name, after a crash or beside a store that was restored."""

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

log = logging.getLogger(__name__)

ASIDE = "unnamed"
"""Directory beside the uploads; nothing in it is ever removed or replaced by us."""
_OURS = re.compile(r"[0-9]+(\.vmlinuz|\.initrd|\.modules)?|[0-9a-f]{64}\.iso")


@dataclass(frozen=True, slots=True)
class Aside:
    """What is kept aside in one directory."""

    directory: Path
    files: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.files} file{'' if self.files == 1 else 's'} of {self.bytes} bytes in {self.directory}"


def clear(directory: Path, named: Collection[str], doomed: Collection[str]) -> Aside | None:
    """Remove what was cut off and the files in ``doomed``; move what is not in ``named`` aside.

    A store that was lost or restored names less than there is, and gives the same numbers again. Returns what is
    aside by now, None when nothing is. What cannot be done is logged: it must not keep the appliance from starting.
    """
    try:
        for path in directory.glob("*.part/"):
            if not path.is_symlink():
                rmtree(path, ignore_errors=True)
        for path in [each for each in directory.iterdir() if each.is_file() and not each.is_symlink()]:
            if path.suffix == ".part" or path.name in doomed:
                remove(path)
            elif _OURS.fullmatch(path.name) and path.name not in named:
                _set_aside(path)
        kept = [each for each in _listed(directory / ASIDE) if each.is_file()]
        return Aside(directory / ASIDE, len(kept), sum(each.stat().st_size for each in kept)) if kept else None
    except OSError as error:
        log.warning("%s could not be looked through: %s", directory, error.strerror)
        return None


def remove(path: Path) -> None:
    """Free the space of a file that is to go; it stays when that fails, which is logged."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s is left over and could not be removed: %s", path, error.strerror)


def _set_aside(path: Path) -> None:
    try:
        (path.parent / ASIDE).mkdir(mode=0o700, exist_ok=True)
        path.rename(_free_name(path.parent / ASIDE, path.name))
    except OSError as error:
        log.warning("%s belongs to nothing that the state knows and could not be moved: %s", path, error.strerror)


def _free_name(directory: Path, name: str) -> Path:
    """A name in the directory that nothing has yet."""
    path, number = directory / name, 1
    while path.exists():
        number += 1
        path = directory / f"{name}-{number}"
    return path


def _listed(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []
