"""The kernel's NFS server in the guest: an export to one address, mounted by version 4.2, and gone again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.inside.programs import run

pytestmark = pytest.mark.guest
EXPORT = "127.0.0.1:"


@pytest.fixture
def exported(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, as the root of what the server has: it has no number that nfsd could tell it by."""
    served = tmp_path / "served"
    served.mkdir()
    run("mount", "-t", "tmpfs", "none", str(served))
    run("systemctl", "start", "nfs-server")
    run("exportfs", "-o", "rw,no_root_squash,fsid=0,no_subtree_check", f"{EXPORT}{served}")
    yield served
    run("exportfs", "-u", f"{EXPORT}{served}")
    run("systemctl", "stop", "nfs-server")
    run("umount", str(served))


def test_what_is_exported_is_mounted_and_written(exported: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    run("mount", "-t", "nfs", "-o", "vers=4.2", f"{EXPORT}/", str(mounted))
    try:
        (mounted / "etc").mkdir()
        assert (exported / "etc").is_dir()
        assert "vers=4.2" in run("findmnt", "--noheadings", "--output", "OPTIONS", str(mounted))
    finally:
        run("umount", str(mounted))
