"""A root file system to run from memory: the demo image's files in a squashfs, to be preloaded by an appliance."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT_AT = 50 << 20
"""Bytes from the begin of the demo's disk to its root file system (image-builder/builder/disk.py)."""
SQUASHED = "-comp zstd -Xcompression-level 3 -noappend -quiet -no-progress -no-xattrs -e boot"
NAME = "live"


def made(demo: Path) -> Path:
    """A directory to preload, in the cache beside the demo's, which it is made of once. Needs root, for owners."""
    kept = demo.with_name(f"test-live-{demo.name.rpartition('-')[2]}")
    if kept.is_dir():
        return kept
    with tempfile.TemporaryDirectory(prefix="qrm-live-", dir="/var/tmp") as scratch:
        into, tree = Path(scratch) / "made", Path(scratch) / "tree"
        into.mkdir()
        tree.mkdir()
        root = _root(demo / "image.raw.zst", Path(scratch))
        _run("debugfs", "-R", f"rdump / {tree}", root)
        _run("mksquashfs", tree, into / "image.squashfs", *SQUASHED.split())
        (into / "image.json").write_text(json.dumps({"name": NAME, "description": "", "format": "squashfs"}) + "\n")
        shutil.copytree(into, kept.with_suffix(".part"), dirs_exist_ok=True)
    kept.with_suffix(".part").rename(kept)
    return kept


def _root(packed: Path, scratch: Path) -> Path:
    disk, root = scratch / "disk", scratch / "root.ext4"
    _run("zstd", "-dq", packed, "-o", disk)
    with disk.open("rb") as source, root.open("wb") as target:
        source.seek(ROOT_AT)
        shutil.copyfileobj(source, target, 1 << 20)
    disk.unlink()
    return root


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, capture_output=True)
