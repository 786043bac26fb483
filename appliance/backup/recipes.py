"""Recipes that users brought, of which the store knows nothing: into a backup, and back out of it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from appliance.backup import format as layout
from appliance.backup.contents import Contents
from appliance.errors import Invalid
from appliance.machine import check_name
from appliance.reconcile.recipes import OWN


def texts(state_dir: Path) -> Iterator[tuple[str, bytes]]:
    """The name of each as a member, and what is in it. One that is removed in this moment is left out."""
    for path in sorted((state_dir / OWN).glob("*.toml")):
        with suppress(FileNotFoundError, Invalid):
            yield f"{layout.RECIPES}{check_name(path.stem)}.toml", path.read_bytes()


def adopt(directory: Path, old: Path, contents: Contents) -> None:
    """Keep those that are here where the backup has none: an older version left them out."""
    if any(each.name.startswith(layout.RECIPES) for each in contents.manifest.members):
        return
    for path in sorted((old / OWN).glob("*.toml")):
        with suppress(OSError):
            (directory / OWN).mkdir(mode=0o700, exist_ok=True)
            os.link(path, directory / OWN / path.name)
