"""The Python packages of the appliance: pinned by hash, for its own Python; fetched by pip as it is set up here."""

import importlib.util
import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from . import cache
from .errors import BuildError
from .run import run

LOCK = cache.SOURCE / "appliance" / "requirements.lock"
PROJECT = cache.SOURCE.parent / "pyproject.toml"
EXTRAS = ("probe",)
PYTHON = "3.13"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
HEADER = """\
# Python packages of the appliance, for Python {python} on x86-64. Made from pyproject.toml by
#   image-builder/build lock
# which takes the newest versions that its bounds allow.
"""


def target() -> list[str]:
    """pip's options for the appliance's Python instead of the one that runs pip: wheels only, nothing is compiled."""
    platforms = (word for platform in PLATFORMS for word in ("--platform", platform))
    return ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, *platforms]


def make(scratch: Path) -> Path:
    """Write the lock file anew and return its path. Raises BuildError, also when pip is missing."""
    report = scratch / "report.json"
    wanted = requirements(PROJECT.read_text())
    _pip(
        ["install", "--dry-run", "--ignore-installed", "--target", scratch / "none", "--report", report, *wanted],
        scratch,
    )
    LOCK.write_text(locked(json.loads(report.read_text())))
    return LOCK


def fetch(into: Path, scratch: Path) -> None:
    """Unpack the locked packages into `into`, each checked against its hash. Raises BuildError."""
    _pip(["install", "--no-deps", "--no-compile", "--require-hashes", "--target", into, "--requirement", LOCK], scratch)


def _pip(arguments: Sequence[str | Path], scratch: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        raise BuildError(f"{sys.executable} has no pip. Use the Python of the project: make image.")
    command, *rest = arguments
    base = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check"]
    run([*base, *target(), *rest], scratch / "pip.log")


def requirements(project: str) -> list[str]:
    """What `pyproject.toml` asks for at run time, with the extras that the appliance has."""
    table = tomllib.loads(project)["project"]
    return [*table["dependencies"], *(one for extra in EXTRAS for one in table["optional-dependencies"][extra])]


def locked(report: dict[str, list[dict[str, dict[str, object]]]]) -> str:
    """A requirements file with hashes, from pip's installation report (its version 1)."""
    return HEADER.format(python=PYTHON) + "".join(sorted(_line(one) for one in report["install"]))


def _line(one: dict[str, dict[str, object]]) -> str:
    archive = one["download_info"]["archive_info"]
    assert isinstance(archive, dict)
    name = str(one["metadata"]["name"]).lower().replace("_", "-")
    return f"{name}=={one['metadata']['version']} --hash=sha256:{archive['hashes']['sha256']}\n"
