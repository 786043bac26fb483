"""Puts the state of a backup together beside the present one, for the next start of the daemon to bring in."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from appliance.backup import recipes, staging
from appliance.backup.contents import Contents, Passphrase, read, read_manifest
from appliance.backup.incoming import ASIDE, NEW, OFFERED, WHOLE, directory
from appliance.backup.unpacked import Unpacking, adopt, adopt_key, check_schema, check_unpacked, make_ready
from appliance.backup.uploads import place
from appliance.on_disk import sync
from appliance.state import write_whole, writing


@dataclass(frozen=True, slots=True)
class Prepared:
    """A state that comes in at the next start."""

    contents: Contents
    missing: list[str]
    """Images and kernels whose content will not be there."""


def prepare(state_dir: Path, backup: Path, passphrase: Passphrase, now: float) -> Prepared:
    """Put the whole state of a backup together, check it, and have it brought in at the next start. Blocks.

    Raises ApplianceError as ``contents.read`` does, ``backup-newer``, ``backup-damaged``, ``restore-no-room``,
    ``state-unwritable``: then nothing has changed.
    """
    contents = read_manifest(backup, passphrase)
    check_schema(contents.header, backup.name)
    base = directory(state_dir)
    new = base / NEW
    try:
        with writing(new):
            _clear(base)
            new.mkdir(mode=0o700)
            _put_together(state_dir, backup, passphrase, new, now)
            write_whole(base / ASIDE, _free_name(state_dir, now).encode())
            sync(new)
            new.rename(base / WHOLE)
            sync(base)
    finally:
        shutil.rmtree(new, ignore_errors=True)  # what is whole has another name by then
    return Prepared(contents, _missing(base / WHOLE, contents))


def _clear(base: Path) -> None:
    """Take back what an earlier call left, or had ready: first its name, which is what a start looks for."""
    shutil.rmtree(base / NEW, ignore_errors=True)
    if (base / WHOLE).is_dir():
        (base / WHOLE).rename(base / NEW)
        shutil.rmtree(base / NEW, ignore_errors=True)


def _put_together(state_dir: Path, backup: Path, passphrase: Passphrase, new: Path, now: float) -> None:
    unpacked = read(backup, passphrase, Unpacking(new))
    check_unpacked(new, unpacked.header, backup.name)
    make_ready(new, unpacked.header, now)
    adopt(new, state_dir, unpacked.manifest.uploads)
    adopt_key(new, state_dir)
    recipes.adopt(new, state_dir, unpacked)
    (new / staging.CONFIG).rename(new / OFFERED)


def _missing(new: Path, contents: Contents) -> list[str]:
    lost = [each for each in contents.manifest.uploads if not place(new, each.member).is_file()]
    return list(dict.fromkeys(f"{each.kind} {each.name}" for each in lost))


def _free_name(state_dir: Path, now: float) -> str:
    name = made = f"before-restore-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}"
    number = 1
    while (state_dir / name).exists():
        number += 1
        name = f"{made}-{number}"
    return name
