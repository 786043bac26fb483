"""What the daemon has made becomes what a volume holds: one file of its own, and no other that root could read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ApplianceError
from appliance.privileged import lvm_fill
from appliance.privileged.lvm_fill_file import PLACE
from appliance.privileged.verbs.lvm_fill_file import FillFile
from appliance.privileged.verbs.lvm_volumes import Create
from tests.privileged.lvm_box import MIB, ONE, TWO, Box

NAME = "00000000000000aa"
CONTENT = b"made by us"


@pytest.fixture(params=["thin", "thick"])
async def box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    """With a volume that is to be filled."""
    made = Box(tmp_path, thin=request.param == "thin")
    await made.do(Create(made.ours.uuid, ONE, "golden", 8 * MIB, 1795000000, read_only=True, to_fill=True))
    place(made).mkdir(parents=True)
    (place(made) / NAME).write_bytes(CONTENT)
    return made


def place(box: Box) -> Path:
    return box.on.roots.state.joinpath(*PLACE)


def filled(box: Box, name: str = NAME, kind: str = "") -> FillFile:
    return FillFile(box.ours.uuid, ONE, name, read_only=True, file_system=kind)


def tags(box: Box) -> set[str]:
    return box.ours.logical[f"v-{ONE}"].tags


async def test_it_is_no_volume_before_it_is_filled_to_its_end(box: Box) -> None:
    assert "qrm.state=making" in tags(box)
    await box.do(filled(box))
    assert "qrm.state=making" not in tags(box)
    assert not box.ours.logical[f"v-{ONE}"].writable
    assert box.lvm.path("qrm", f"v-{ONE}").read_bytes() == CONTENT + bytes(8 * MIB - len(CONTENT))
    before = list(box.lvm.ran)
    (place(box) / NAME).write_bytes(b"another")
    await box.do(filled(box))
    assert box.lvm.ran == before, "it was done"


async def test_a_file_system_is_checked_before_it_may_be_mounted(box: Box) -> None:
    box.lvm.said["e2fsck"] = ""
    await box.do(filled(box, kind="ext4"))
    device = box.lvm.path("qrm", f"v-{ONE}")
    assert f"e2fsck -f -n {device}" in box.lvm.ran
    assert "qrm.filesystem=ext4" in tags(box)


async def test_one_that_is_damaged_is_no_volume(box: Box) -> None:
    box.lvm.said["e2fsck"] = ApplianceError("program-failed", "e2fsck: Bad magic number in super-block")
    with pytest.raises(ApplianceError, match="Bad magic"):
        await box.do(filled(box, kind="ext4"))
    assert "qrm.state=making" in tags(box)
    assert "qrm.filesystem=ext4" not in tags(box)


async def test_only_file_systems_that_we_make_may_be_mounted(box: Box) -> None:
    for kind in ("xfs", "ext4 ", "EXT4", "../ext4"):
        await box.refused("file-system", filled(box, kind=kind))


@pytest.mark.parametrize("name", ["", ".", "..", "../secret", f"../{NAME}", "/etc/shadow", "x", f"{NAME}\n", "0" * 17])
async def test_no_path_is_a_name(box: Box, name: str) -> None:
    (place(box).parent / "secret").write_bytes(b"root's own")
    await box.refused("filling-missing", filled(box, name))


def _link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def _second_name(path: Path, secret: Path) -> None:
    os.link(secret, path)


def _pipe(path: Path, secret: Path) -> None:
    os.mkfifo(path)


def _directory(path: Path, secret: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("trick", [_link, _second_name, _pipe, _directory])
async def test_nothing_stands_in_for_a_file(box: Box, trick: Callable[[Path, Path], None]) -> None:
    secret, path = place(box).parent / "secret", place(box) / "00000000000000bb"
    secret.write_bytes(b"root's own")
    trick(path, secret)
    await box.refused("filling-missing", filled(box, path.name))
    assert "qrm.state=making" in tags(box)


async def test_a_file_of_somebody_else_is_not_read(box: Box) -> None:
    if os.geteuid():
        pytest.skip("only root gives files away")
    os.chown(place(box) / NAME, 12345, -1)
    await box.refused("filling-missing", filled(box))


@pytest.mark.parametrize("part", PLACE)
async def test_no_link_leads_to_the_directory(box: Box, part: str) -> None:
    at = place(box)
    while at.name != part:
        at = at.parent
    at.rename(at.with_name("elsewhere"))
    at.symlink_to("elsewhere")
    assert (place(box) / NAME).read_bytes() == CONTENT
    await box.refused("filling-missing", filled(box))


async def test_what_is_too_large_is_not_begun(box: Box) -> None:
    os.truncate(place(box) / NAME, 8 * MIB + 1)
    await box.refused("filling-too-large", filled(box))


async def test_a_volume_that_is_not_there_is_not_filled(box: Box) -> None:
    await box.refused("volume-unknown", FillFile(box.ours.uuid, TWO, NAME))


async def test_holes_are_not_read_and_nothing_of_before_shows_through(box: Box, monkeypatch: Any) -> None:
    monkeypatch.setattr(lvm_fill, "PIECE", MIB)
    with (place(box) / NAME).open("wb") as file:
        file.truncate(7 * MIB)
        file.seek(4 * MIB)
        file.write(CONTENT)
    device = box.lvm.path("qrm", f"v-{ONE}")
    device.write_bytes(b"\xaa" * (8 * MIB))
    await box.do(filled(box))
    assert device.read_bytes() == bytes(4 * MIB) + CONTENT + bytes(4 * MIB - len(CONTENT))
