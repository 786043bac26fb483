"""Python packages for the guest: the product's own dependencies and what tests need, for Debian 13's Python."""

import sys
import tomllib
from pathlib import Path

from . import cache
from .run import run

PROJECT = cache.SOURCE.parent / "pyproject.toml"
VERSION = "3.13"
PLATFORMS = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")
"""What Debian 13 runs (PEP 600); pip takes the names literally."""


def requirements() -> list[str]:
    """The packages with their bounds, as pip reads them."""
    ours = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    lines = (cache.SOURCE / "guest" / "python.list").read_text().splitlines()
    return sorted([*ours, *(line for line in lines if line and not line.startswith("#"))])


def fetch(into: Path, log: Path) -> None:
    """Put them into the directory `into`. Raises BuildError with pip's last words."""
    run(command(into), log)


def command(into: Path) -> list[str | Path]:
    """pip's command line; nothing is compiled, so that any Python that has pip will do."""
    return [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
        *("--target", into, "--only-binary=:all:", "--implementation", "cp", "--python-version", VERSION),
        *(f"--platform={each}" for each in PLATFORMS),
        *requirements(),
    ]
