"""Archives, as an independent reader (cpio) sees them."""

import subprocess
from pathlib import Path

from builder import cpio

ENTRIES = [
    cpio.directory("dev"),
    cpio.program("init", b"#!/bin/sh\n"),
    cpio.plain("a/odd-length", b"12345"),
    cpio.link("sh", "busybox"),
    cpio.character_device("dev/console", 5, 1),
]


def test_cpio_lists_what_went_in() -> None:
    said = subprocess.run(["cpio", "-tvn", "--quiet"], input=cpio.archive(ENTRIES), capture_output=True, check=True)
    lines = said.stdout.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx", "crw-------"]
    assert lines[3].endswith("sh -> busybox")
    assert "5,   1" in lines[4]


def test_content_survives(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    data = cpio.archive([cpio.plain("a/odd-length", b"12345"), cpio.plain("after", b"x")])
    subprocess.run(["cpio", "-i", "--quiet"], input=data, cwd=tmp_path, check=True)
    assert (tmp_path / "a/odd-length").read_bytes() == b"12345"
    assert (tmp_path / "after").read_bytes() == b"x"


def test_archives_can_follow_each_other() -> None:
    # The daemon appends the agent as a second archive: the kernel wants each to begin on four bytes.
    assert len(cpio.archive(ENTRIES)) % 4 == 0
