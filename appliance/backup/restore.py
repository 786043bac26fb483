"""Brings a state back: everything is put together and checked beside the old state, then takes its place at once."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from appliance import config
from appliance.backup import recipes, staging, uploads
from appliance.backup.configfile import place, with_state_dir
from appliance.backup.contents import Contents, Passphrase, read, read_manifest
from appliance.backup.format import Upload
from appliance.backup.unpacked import Unpacking, adopt, adopt_key, check_schema, check_unpacked, give_to, make_ready
from appliance.errors import ApplianceError
from appliance.state import state_directory, writing


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be restored, and where."""

    backup: Path
    config: Path
    passphrase: Passphrase
    now: float
    state_dir: Path | None = None
    """None: as the configuration file says."""
    replace_config: bool = False
    """Whether a configuration file that is there gives way to that of the backup."""

    @property
    def wants_config(self) -> bool:
        """Whether the configuration of the backup is to be written."""
        return self.replace_config or not self.config.exists()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, to be told."""

    contents: Contents
    state_dir: Path
    aside: Path | None
    """Where the state is now that was there before."""
    config_written: bool
    config_aside: Path | None
    missing: list[str]
    """Images and kernels whose content is not here."""
    resumed: bool
    """Whether an earlier run had put it in place already."""


def restore(order: Order) -> Outcome:
    """Restore a backup. Until the new state is whole and checked, nothing of the old one is touched.

    Raises ApplianceError as ``contents.read`` does, ``backup-newer``, ``restore-no-room``, ``state-in-use`` while a
    daemon or another restore runs, ``state-unmovable``, ``state-unwritable``, or what is wrong with a configuration.
    """
    contents = read_manifest(order.backup, order.passphrase)
    check_schema(contents.header, str(order.backup))
    target = _target(order, contents)
    _check_allowed(target)
    with ExitStack() as held, writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            held.enter_context(state_directory(target))
        aside = staging.settle_earlier(target, order.now)
        resumed = staging.marked(target) == contents.digest
        if not resumed:
            new = held.enter_context(staging.begun(target, contents.digest))
            _put_together(order, contents, target, new)
            aside = staging.put_in_place(target, order.now)
        return _finished(order, contents, target, aside, resumed)


def _target(order: Order, contents: Contents) -> Path:
    """The state directory, by its real name: a link to it stays a link."""
    if order.state_dir is not None:
        return order.state_dir.resolve()
    if order.wants_config:
        return Path(contents.manifest.state_dir).resolve()
    return config.load(order.config).site.state_dir.resolve()


def _check_allowed(target: Path) -> None:
    """The directory around the state is root's as a rule; said before a long backup is read."""
    around = next(each for each in target.parents if each.exists())
    if not os.access(around, os.W_OK):
        raise ApplianceError("not-allowed", f"you may not write to {around}", "run this as root")


def _put_together(order: Order, contents: Contents, target: Path, new: Path) -> None:
    """The whole new state, in the staging directory ``new``."""
    name = str(order.backup)
    unpacked = read(order.backup, order.passphrase, Unpacking(new))
    if unpacked.digest != contents.digest:
        raise ApplianceError("backup-changed", f"{name} changed while it was read", "try again")
    check_unpacked(new, contents.header, name)
    if order.wants_config:
        # Before anything is touched: a configuration that the daemon refuses would be found out too late.
        _config_text(new, order, target)
    make_ready(new, contents.header, order.now)
    adopt(new, target, contents.manifest.uploads)
    adopt_key(new, target)
    recipes.adopt(new, target, contents)
    if target.exists():
        give_to(new, target.stat())


def _config_text(directory: Path, order: Order, target: Path) -> str:
    text = (directory / staging.CONFIG).read_text(errors="replace")
    return with_state_dir(text, target, f"the configuration in {order.backup}")


def _finished(order: Order, contents: Contents, target: Path, aside: Path | None, resumed: bool) -> Outcome:
    written = order.wants_config and (target / staging.CONFIG).exists()
    kept = place(order.config, _config_text(target, order, target), order.now) if written else None
    staging.unmark(target)
    return Outcome(contents, target, aside, written, kept, _missing(target, contents.manifest.uploads), resumed)


def _missing(target: Path, named: Sequence[Upload]) -> list[str]:
    lost = [each for each in named if not uploads.place(target, each.member).is_file()]
    return list(dict.fromkeys(f"{each.kind} {each.name}" for each in lost))
