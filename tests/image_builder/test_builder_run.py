"""What people are told when something is missing or fails, and the sources of packages."""

import errno
import os
from pathlib import Path

import pytest
from builder import mmdebstrap, run
from builder.errors import BuildError


def test_missing_programs_are_named_by_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "search_path", lambda: "/nonexistent")
    with pytest.raises(BuildError, match=r"apt-get install mtools squashfs-tools$"):
        run.require(["mksquashfs", "mcopy", "mmd"])


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("mksquashfs: No space left on device", "disk is full"),
        ("E: Failed to fetch http://deb.debian.org/x Could not connect", "http://deb.debian.org/x"),
        ("newuidmap: write to uid_map failed", "/etc/subuid"),
        ("something else", "status 7"),
    ],
)
def test_causes_are_recognised(output: str, said: str) -> None:
    assert said in str(run.failure("tool", 7, output))


def test_a_failing_program_shows_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"sh failed with status 3(?s:.)*the reason"):
        run.run(["sh", "-c", "echo the reason; exit 3"], tmp_path / "log")


def test_a_full_disk_is_explained() -> None:
    assert "disk is full" in str(run.explained(OSError(errno.ENOSPC, "No space")))


def test_the_mirror_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QRM_DEBIAN_MIRROR", "http://mirror.test/debian/")
    assert [line.split()[1] for line in mmdebstrap.sources().splitlines()] == [
        "http://mirror.test/debian",
        "http://mirror.test/debian",
        "http://mirror.test/debian-security",
    ]


def test_only_the_newest_of_each_package_is_kept(tmp_path: Path) -> None:
    for time, name in enumerate(("tool_1%3a1.0-1_amd64.deb", "tool_1%3a1.1-1_amd64.deb", "other_2_all.deb")):
        path = tmp_path / name
        path.touch()
        os.utime(path, (time, time))
    mmdebstrap.drop_superseded(tmp_path)
    assert mmdebstrap.versions(tmp_path, ["tool"]) == {"tool": "1:1.1-1"}
    assert len(list(tmp_path.iterdir())) == 2
