"""The state partition is filled by the real script, and the power goes before any of its programs."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "image-builder/appliance/root/usr/lib/qrm/prepare-state"
PROGRAMS = ("cmp", "cp", "mkdir", "mv", "rm", "sync")
# Counts itself down; where that is over the power goes: what no sync
# has reached of what this run wrote is on the disk by its name only.
CUT = """#!/bin/sh
left=$(cat "$PAPER/left")
echo $((left - 1)) > "$PAPER/left"
if [ "$left" = 0 ]; then
    [ -e "$PAPER/synced" ] || find "$PAPER/state" -type f -cnewer "$PAPER/left-first" -exec truncate --size=0 {} +
    kill -9 $PPID
    exit 1
fi
[ NAME != sync ] || touch "$PAPER/synced"
exec /bin/NAME "$@"
"""
FACTORY = {"etc/hostname": "appliance\n", "etc/libvirt/qemu.conf": "qemu\n", "var/lib/chrony/drift": "0\n"}


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    for name, text in FACTORY.items():
        put(tmp_path / "usr/share/factory/state" / name, text)
    (tmp_path / "usr/share/factory/state/etc/localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")
    put(tmp_path / "usr/share/qrm/version", "VERSION=1\n")
    (tmp_path / "state").mkdir()
    for name in PROGRAMS:
        put(tmp_path / "bin" / name, CUT.replace("NAME", name))
    put(tmp_path / "bin/hostname", '#!/bin/sh\n[ "$1" = -F ] && cat "$2" > "$PAPER/named"\n')
    for each in (tmp_path / "bin").iterdir():
        each.chmod(0o755)
    return tmp_path


def run(paper: Path, left: int = 1000) -> bool:
    """Whether it came to its end before so many programs had run."""
    for name in ("left", "left-first"):
        (paper / name).write_text(f"{left}\n")
    (paper / "synced").unlink(missing_ok=True)
    environment = {"PATH": f"{paper / 'bin'}:{os.environ['PATH']}", "PAPER": str(paper)}
    return subprocess.run(["sh", SCRIPT, paper], env=environment, check=False).returncode == 0


def found(paper: Path) -> dict[str, str]:
    """What stands where it belongs."""
    state = paper / "state"
    files = (each for top in ("etc", "var") for each in (state / top).rglob("*") if each.is_file())
    return {str(each.relative_to(state)): each.read_text() for each in files if not each.is_symlink()}


def test_a_fresh_partition_is_filled_however_often_the_power_goes(paper: Path) -> None:
    cuts = 0
    while not run(paper, cuts):
        there = found(paper)
        assert there.items() <= FACTORY.items(), f"cut before program {cuts}"
        cuts += 1
        assert cuts < 40
    assert cuts >= 8, "the power went in between"
    assert found(paper) == FACTORY
    assert (paper / "state/etc/localtime").is_symlink()
    assert (paper / "named").read_text() == "appliance\n"
    assert {each.name for each in (paper / "state").iterdir()} == {"etc", "var", "rauc", ".filled"}


@pytest.mark.parametrize("left", range(10))
def test_another_version_brings_what_is_new_and_leaves_the_rest(paper: Path, left: int) -> None:
    assert run(paper)
    put(paper / "state/etc/hostname", "boot\n")
    (paper / "state/var/lib/chrony/drift").unlink()
    assert run(paper)
    assert "var/lib/chrony/drift" not in found(paper), "the same version has brought it once"
    put(paper / "usr/share/qrm/version", "VERSION=2\n")
    put(paper / "usr/share/factory/state/etc/chrony/conf.d/new.conf", "local\n")
    run(paper, left)
    assert found(paper)["etc/hostname"] == "boot\n"
    assert run(paper)
    assert found(paper) == {**FACTORY, "etc/hostname": "boot\n", "etc/chrony/conf.d/new.conf": "local\n"}


def test_a_partition_that_takes_nothing_more_does_for_a_start(paper: Path) -> None:
    assert run(paper)
    put(paper / "usr/share/qrm/version", "VERSION=2\n")
    put(paper / "bin/cp", "#!/bin/sh\necho cp: no space left >&2\nexit 1\n")
    (paper / "state/etc/hostname").write_text("")
    put(paper / "bin/hostname", "#!/bin/sh\nexit 1\n")
    assert run(paper)
    assert not (paper / "state/.new").exists()


def test_without_anything_there_it_fails(paper: Path) -> None:
    put(paper / "bin/cp", "#!/bin/sh\nexit 1\n")
    assert not run(paper)
