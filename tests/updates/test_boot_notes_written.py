"""How the boot loader's notes are written on the appliance: over the old ones, and in a second copy."""

import os
import subprocess
from pathlib import Path

import pytest

from appliance.updates.boot_choice import FRESH
from appliance.updates.grubenv import SIZE, parse, render

PROGRAM = Path(__file__).parents[2] / "image-builder/appliance/root/usr/lib/qrm/boot-notes/grub-editenv"
DROP_IN = PROGRAM.parents[2] / "systemd/system/rauc.service.d/20-boot-notes.conf"
KNOWN = {**FRESH, "machine_id": "f" * 32}
CUT = """#!/bin/sh
# Power goes before the write number $CUT_AT.
echo "$*" >>calls
if [ "$(wc -l <calls)" = "$CUT_AT" ]; then kill -9 "$PPID"; exit; fi
exec /usr/bin/dd "$@"
"""


class Esp:
    """Both copies, in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.first, self.second = directory / "grubenv", directory / "grubenv2"
        self.first.write_bytes(render(KNOWN))

    def run(self, *words: str, check: bool = True, **environment: str) -> str:
        done = subprocess.run(
            [PROGRAM, self.first, *words],
            cwd=self.directory,
            env={**os.environ, "TMPDIR": str(self.directory), **environment},
            capture_output=True,
            text=True,
            check=check,
        )
        return done.stdout


@pytest.fixture
def esp(tmp_path: Path) -> Esp:
    return Esp(tmp_path)


def test_both_copies_are_written_and_the_first_stays_where_it_is(esp: Esp) -> None:
    inode = esp.first.stat().st_ino
    esp.run("set", "B_OK=1", "ORDER=B A")
    wanted = {**KNOWN, "B_OK": "1", "ORDER": "B A"}
    assert parse(esp.first.read_bytes()) == wanted
    assert esp.second.read_bytes() == esp.first.read_bytes()
    assert (esp.first.stat().st_ino, esp.first.stat().st_size) == (inode, SIZE)
    assert "ORDER=B A" in esp.run("list").splitlines()


def test_a_power_cut_leaves_the_notes_of_before_or_after(esp: Esp) -> None:
    esp.run("set", "B_OK=0")
    stub = esp.directory / "bin" / "dd"
    stub.parent.mkdir()
    stub.write_text(CUT)
    stub.chmod(0o755)
    seen = []
    for cut in ("1", "2"):
        (esp.directory / "calls").unlink(missing_ok=True)
        esp.run("set", f"A_TRY={cut}", check=False, PATH=f"{stub.parent}:{os.environ['PATH']}", CUT_AT=cut)
        assert "notrunc" in (esp.directory / "calls").read_text()
        seen.append([parse(copy.read_bytes())["A_TRY"] for copy in (esp.first, esp.second)])
    assert seen == [["0", "0"], ["2", "0"]]


def test_what_changes_is_in_one_sector_of_a_disk() -> None:
    fullest = {**KNOWN, "A_OK": "1", "B_OK": "1", "A_TRY": "3", "B_TRY": "3", "factory_reset": "1"}
    warning = 80  # bytes of a comment that GRUB's own program puts in
    assert len(render(fullest).rstrip(b"#")) + warning < 512


def test_notes_that_are_lost_come_back_from_the_second_copy_but_no_factory_reset(esp: Esp) -> None:
    esp.run("set", "ORDER=B A", "B_OK=1", "factory_reset=1")
    esp.first.write_bytes(b"")
    assert "ORDER=B A" in esp.run("list").splitlines()
    esp.run("set", "B_TRY=0")
    assert parse(esp.first.read_bytes()) == {**KNOWN, "ORDER": "B A", "B_OK": "1"}
    assert esp.second.read_bytes() == esp.first.read_bytes()


def test_where_both_are_lost_what_runs_is_started(esp: Esp) -> None:
    esp.first.write_bytes(b"")
    esp.run("set", "A_TRY=0")
    assert parse(esp.first.read_bytes()) == {"ORDER": "A B", "A_OK": "1", "A_TRY": "0"}


def test_anything_else_is_grub_s_own_business(esp: Esp) -> None:
    esp.run("unset", "machine_id")
    assert parse(esp.first.read_bytes()) == dict(FRESH)


def test_rauc_finds_it_before_the_one_of_grub() -> None:
    (line,) = [line for line in DROP_IN.read_text().splitlines() if line.startswith("Environment=PATH=")]
    assert line.split("=", 2)[2].split(":")[0] == "/usr/lib/qrm/boot-notes"


CONF = """
[system]
compatible=x
bootloader=grub
grubenv={esp}/grubenv
data-directory={esp}
bundle-formats=verity
[slot.rootfs.0]
device={esp}/a
type=raw
bootname=A
[slot.rootfs.1]
device={esp}/b
type=raw
bootname=B
"""
MARKS = """
export DBUS_STARTER_BUS_TYPE=session
PATH={ours}:$PATH rauc -c {esp}/system.conf --override-boot-slot=A service &
for attempt in $(seq 300); do rauc status && break; sleep 0.1; done
rauc status mark-good rootfs.0 && rauc status mark-active rootfs.1
kill $!
"""


def test_rauc_itself_writes_through_it(esp: Esp) -> None:
    """Its service, on a bus of its own."""
    (esp.directory / "system.conf").write_text(CONF.format(esp=esp.directory))
    for slot in ("a", "b"):
        (esp.directory / slot).touch()
    inode = esp.first.stat().st_ino
    done = subprocess.run(
        ["dbus-run-session", "sh", "-c", MARKS.format(ours=PROGRAM.parent, esp=esp.directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert parse(esp.first.read_bytes()) == {**KNOWN, "ORDER": "B A", "B_OK": "1"}, done.stderr
    assert esp.second.read_bytes() == esp.first.read_bytes()
    assert esp.first.stat().st_ino == inode
