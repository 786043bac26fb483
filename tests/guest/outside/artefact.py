"""What the guest is made from: the built system, and the source tree as it is now."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).parents[3]
LEFT_OUT = (".*", "node_modules", "build", "... __pycache__", "... *.pyc")
"""What no test in the guest reads; a pattern after three dots holds at any depth (mksquashfs(1))."""


def built() -> Path:
    """The directory of the guest's system, built now if it is not there; progress goes to standard error.

    QRM_GUEST_SYSTEM names another one, for whoever works on the guest and has no patience for every change.
    """
    if given := os.environ.get("QRM_GUEST_SYSTEM"):
        return Path(given)
    argv = [sys.executable, str(PROJECT / "image-builder" / "build"), "guest"]
    made = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    return Path(json.loads(made.stdout)["guest"])


def squash_source(into: IO[bytes]) -> None:
    """The project's files at this moment, as a file system for the guest."""
    command: list[str | Path] = [
        "mksquashfs",
        PROJECT,
        path_of(into),
        "-noappend",
        "-quiet",
        "-no-progress",
        "-comp",
        "lz4",
    ]
    command += ["-all-root", "-wildcards", "-e", *LEFT_OUT]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, pass_fds=[into.fileno()])


def nameless(size: int = 0) -> IO[bytes]:
    """A sparse file of ``size`` bytes without a name: it is gone with whoever has it open, however those end."""
    file = tempfile.TemporaryFile(dir=os.environ.get("TMPDIR", "/var/tmp"))  # noqa: SIM115
    file.truncate(size)
    return file


def path_of(file: IO[bytes]) -> Path:
    """How a program that inherits the open file calls it (proc_pid_fd(5))."""
    return Path(f"/proc/self/fd/{file.fileno()}")
