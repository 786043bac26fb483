"""Files with public SSH keys, as commands take them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def key_option(name: str, *, required: bool = False, whom: str = "") -> Callable[[F], F]:
    """An option for files of keys; the command is given ``key_files``."""
    text = f"File with public keys that may log in{' ' if whom else ''}{whom}; may be given several times."
    return click.option(name, "key_files", multiple=True, required=required, type=_FILE, help=text)


def keys_in(files: Iterable[Path]) -> list[str]:
    """Every line of the files that is not empty."""
    return [line for file in files for line in file.read_text(errors="replace").splitlines() if line.strip()]
