"""Trees of Debian packages through mmdebstrap, as root or in a user namespace."""

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .run import require, run

SUITE = "trixie"
MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
COMPONENTS = "main non-free-firmware"
ARCHIVES = "/var/cache/apt/archives"


@dataclass(frozen=True)
class Recipe:
    """A tree to make, and shell commands to run on it.

    `variant`: mmdebstrap's; `extract` unpacks without running any package's scripts. `hooks`: run outside the
    tree with its path as $1, or mmdebstrap's special ones; this is how results get out. `environment`: what all of
    its programs find in theirs, beside what is there.
    """

    variant: str
    packages: Sequence[str]
    hooks: Sequence[str]
    setup: Sequence[str] = ()
    options: Sequence[str] = field(default=())
    environment: Mapping[str, str] = field(default_factory=dict)


def sources() -> str:
    """Package sources: Debian's, or the mirror in QRM_DEBIAN_MIRROR (its -security tree beside it)."""
    mirror = os.environ.get("QRM_DEBIAN_MIRROR", MIRROR).rstrip("/")
    security = SECURITY if mirror == MIRROR else mirror + "-security"
    pairs = ((mirror, SUITE), (mirror, f"{SUITE}-updates"), (security, f"{SUITE}-security"))
    return "".join(f"deb {address} {suite} {COMPONENTS}\n" for address, suite in pairs)


def make(recipe: Recipe, archives: Path, scratch: Path) -> None:
    """Make the tree in `scratch`, run its hooks, and forget it; downloaded packages are kept in `archives`.

    Raises BuildError.
    """
    require(["mmdebstrap"] if os.getuid() == 0 else ["mmdebstrap", "newuidmap"])
    archives.mkdir(parents=True, exist_ok=True)
    listing = scratch / "sources.list"
    listing.write_text(sources())
    surroundings = {**recipe.environment, "TMPDIR": str(scratch)}
    run(command(recipe, archives, listing), scratch / "mmdebstrap.log", surroundings)
    drop_superseded(archives)


def command(recipe: Recipe, archives: Path, listing: Path) -> list[str]:
    """The command line of mmdebstrap."""
    kept = shlex.quote(str(archives))
    # With nothing configured there is nothing to customize: the last hooks of that variant come earlier.
    moment = "extract" if recipe.variant == "extract" else "customize"
    return [
        "mmdebstrap",
        f"--mode={'root' if os.getuid() == 0 else 'unshare'}",
        f"--variant={recipe.variant}",
        "--skip=download/empty,essential/unlink,cleanup/apt",
        '--setup-hook=mkdir -p "$1"' + ARCHIVES,
        f"--setup-hook=sync-in {kept} {ARCHIVES}",
        *(f"--setup-hook={hook}" for hook in recipe.setup),
        f"--include={','.join(recipe.packages)}",
        *recipe.options,
        f"--{moment}-hook=sync-out {ARCHIVES} {kept}",
        *(f"--{moment}-hook={hook}" for hook in recipe.hooks),
        "--format=null",
        SUITE,
        "/dev/null",
        str(listing),
    ]


def drop_superseded(archives: Path) -> None:
    """Of every package keep only the newest file, so that the cache does not grow for ever."""
    newest: dict[str, Path] = {}
    for path in sorted(archives.glob("*.deb"), key=lambda file: file.stat().st_mtime):
        name = path.name.partition("_")[0]
        if name in newest:
            newest[name].unlink()
        newest[name] = path


def versions(archives: Path, installed: Iterable[str]) -> dict[str, str]:
    """Package name -> version of the installed ones, from names of package files (colons stand as %3a)."""
    parts = (path.stem.split("_") for path in archives.glob("*.deb"))
    known = {part[0]: part[1].replace("%3a", ":") for part in parts}
    return {name: known[name] for name in sorted(installed) if name in known}
