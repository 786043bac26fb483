"""Programs of Debian 13 on whatever Debian tests run: as the appliance has them, unpacked and never installed."""

import os
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
from builder import tools

from appliance.errors import ApplianceError
from appliance.filesystem.ext4 import check_version

CACHE = Path(os.environ.get("QRM_CACHE") or Path.home() / ".cache/qrm")


@cache
def has_them() -> bool:
    """Whether this computer's own are new enough."""
    said = subprocess.run(["mke2fs", "-V"], capture_output=True, text=True, check=False).stderr
    try:
        check_version(said)
    except ApplianceError:
        return False
    return True


def first_in_path(monkeypatch: pytest.MonkeyPatch, into: Path) -> None:
    """Those of file systems, for as long as the test goes on."""
    if has_them():
        return
    tree, place = tools.build(CACHE), into / "debian-13"
    place.mkdir()
    for name in ("mke2fs", "e2fsck", "debugfs"):
        words = shlex.join(map(str, tools.program(tree, f"usr/sbin/{name}")))
        (place / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
