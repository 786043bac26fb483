"""The kernel's NFS server in the guest: an export to one address, mounted by version 4.2, and gone again."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.guest
EXPORT = "127.0.0.1:"


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def exported(tmp_path: Path) -> Iterator[Path]:
    """A directory of its own file system, which nfsd can tell from others by its number."""
    served = tmp_path / "served"
    served.mkdir()
    run("mount", "-t", "tmpfs", "none", str(served))
    run("systemctl", "start", "nfs-server")
    run("exportfs", "-o", "rw,no_root_squash,fsid=1,no_subtree_check", f"{EXPORT}{served}")
    yield served
    run("exportfs", "-u", f"{EXPORT}{served}")
    run("systemctl", "stop", "nfs-server")
    run("umount", str(served))


def test_what_is_exported_is_mounted_and_written(exported: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    run("mount", "-t", "nfs", "-o", "vers=4.2", f"{EXPORT}{exported}", str(mounted))
    try:
        (mounted / "etc").mkdir()
        assert (exported / "etc").is_dir()
        assert "vers=4.2" in run("findmnt", "--noheadings", "--output", "OPTIONS", str(mounted))
    finally:
        run("umount", str(mounted))
