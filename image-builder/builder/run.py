"""Runs the programs of the host that builds need, and says which package a missing one is in."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .errors import BuildError

PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "mke2fs": "e2fsprogs",
    "zstd": "zstd",
    "mformat": "mtools",
    "mmd": "mtools",
    "mcopy": "mtools",
    "newuidmap": "uidmap",
    "unshare": "util-linux",
}
LAST_LINES = 12


def require(programs: Iterable[str]) -> None:
    """Raise BuildError naming the packages of all programs that are missing."""
    missing = sorted({PACKAGES[name] for name in programs if not find(name)})
    if missing:
        raise BuildError(f"Programs are missing. Install them with: sudo apt-get install {' '.join(missing)}")


def find(name: str) -> str | None:
    """Path of a program; administrators' folders count although users' PATH may leave them out."""
    return shutil.which(name, path=search_path())


def search_path() -> str:
    """PATH with the folders that Debian keeps from ordinary users."""
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def run(command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a program with its output kept in `log`.

    Raises BuildError with the last lines of that output when it fails.
    """
    surroundings = {**os.environ, "PATH": search_path(), "LC_ALL": "C.UTF-8", **(environment or {})}
    with log.open("ab") as output:
        ended = subprocess.run(
            [str(word) for word in command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=surroundings,
        )
    if ended.returncode:
        raise failure(str(command[0]), ended.returncode, log.read_text(errors="replace"))


def failure(program: str, status: int, output: str) -> BuildError:
    """The error for a program that failed, with the likely cause when its output shows one."""
    tail = "\n".join(f"  {line}" for line in output.strip().splitlines()[-LAST_LINES:])
    return BuildError(f"{program} failed with status {status}. {likely_cause(output)}\n{tail}")


def likely_cause(output: str) -> str:
    """A sentence on what to do, from what the program said; empty when nothing is recognised."""
    if "No space left on device" in output:
        return out_of_space()
    if any(sign in output for sign in ("Could not resolve", "Could not connect", "Failed to fetch")):
        address = next((word for word in output.split() if word.startswith(("http://", "https://"))), "")
        return f"The package mirror cannot be reached: {address} Check the network, http_proxy and QRM_DEBIAN_MIRROR."
    if "newuidmap" in output or ("unshare" in output and "ermitted" in output) or "/etc/subuid" in output:
        return (
            "User namespaces are not available to this user: they need lines in /etc/subuid and /etc/subgid, "
            "the package uidmap, and a kernel that allows them. Running as root works without."
        )
    return ""


def out_of_space() -> str:
    """What to say when a disk is full."""
    return "The disk is full: builds need about 4 GB in TMPDIR (/var/tmp) and 1 GB in the cache directory."


def explained(error: OSError) -> BuildError:
    """The error for something that the operating system refused."""
    if error.errno == errno.ENOSPC:
        return BuildError(out_of_space())
    return BuildError(f"{error.filename or 'a file'}: {error.strerror}")
