"""The helper's side of LVM, with an LVM of paper: what it looks up, what it refuses, and what LVM's words mean."""

from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ApplianceError
from appliance.privileged.lvm import groups
from appliance.privileged.verb import Verb
from appliance.privileged.verbs.lvm import Report
from appliance.privileged.verbs.lvm_fill import Fill
from appliance.privileged.verbs.lvm_fill_file import FillFile
from appliance.privileged.verbs.lvm_pools import BackUp, ExtendPool, GrowPool, Part, Retire
from appliance.privileged.verbs.lvm_repair import Examine, Repair
from appliance.privileged.verbs.lvm_tags import POOL
from appliance.privileged.verbs.lvm_volumes import Clear, Copy, Create, Delete, Grow, Rename, Replace, StandIn, Wake
from tests.privileged.lvm_box import MIB, ONE, TWO, Box
from tests.privileged.paper_computer import serving
from tests.privileged.paper_lvm import failed


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def every(group: str, key: str = ONE) -> list[Verb[Any]]:
    """All that change something in a pool."""
    volume = [
        Fill(group, key), Grow(group, key, 16 * MIB), StandIn(group, key, key), Rename(group, key, "web2"),
        Copy(group, key, TWO, "web2", 8 * MIB, 1), FillFile(group, key, key),
    ]  # fmt: skip
    return [*volume, *of_group(group), Replace(group, key), Delete(group, key), Clear(group, key)]


def of_group(group: str) -> list[Verb[Any]]:
    return [
        Create(group, TWO, "web2", 8 * MIB, 1), Wake(group), GrowPool(group, MIB), BackUp(group, "2026-11-22"),
        Examine(group), Repair(group, "other"), Retire(group, "other"), ExtendPool(group, Part("C")),
    ]  # fmt: skip


async def test_a_group_that_has_no_tag_of_ours_is_left_alone(box: Box) -> None:
    box.lvm.put("other", f"v-{ONE}", 8 * MIB, {f"qrm.id={ONE}", "qrm.name=web1"})
    for named in (box.other.uuid, "other", "qrm", "", "../qrm", "--yes"):
        for verb in every(named):
            await box.refused("pool-missing", verb)


async def test_a_group_is_ours_by_its_uuid_not_by_its_name(box: Box) -> None:
    box.lvm.groups["qrm-2"] = box.lvm.groups.pop("qrm")
    box.lvm.groups["qrm"] = box.lvm.groups.pop("other")
    await box.made()
    assert not box.other.logical
    assert f"v-{ONE}" in box.ours.logical


async def test_two_groups_with_one_uuid_are_neither(box: Box) -> None:
    box.other.uuid = box.ours.uuid
    box.other.tags = {POOL}
    await box.refused("pool-missing", Wake(box.ours.uuid))


@pytest.mark.parametrize("tags", [set(), {"qrm.name=web1"}, {f"qrm.id={TWO}"}, {"qrm.state=making"}])
async def test_a_volume_that_has_no_tag_of_ours_is_left_alone(box: Box, tags: set[str]) -> None:
    foreign = box.lvm.put("qrm", f"v-{ONE}", 8 * MIB, tags)
    for verb in every(box.ours.uuid)[:5]:
        await box.refused("volume-unknown", verb)
    for verb in (Replace(box.ours.uuid, ONE), Delete(box.ours.uuid, ONE), Clear(box.ours.uuid, ONE)):
        await box.do(verb)
    await box.refused("volume-id-taken", Create(box.ours.uuid, ONE, "web1", 8 * MIB, 1))
    assert box.lvm.ran == []
    assert box.ours.logical[f"v-{ONE}"] is foreign


async def test_copies_say_what_is_in_them_as_the_original_does(box: Box) -> None:
    """A file system of our own stays one in a clone, and in what a volume is rolled back to."""
    await box.made()
    found = box.ours.logical[f"v-{ONE}"]
    found.tags.add("qrm.filesystem=ext4")
    await box.do(Copy(box.ours.uuid, ONE, TWO, "kept", 8 * MIB, 1795000001, read_only=True))
    assert "qrm.filesystem=ext4" in box.ours.logical[f"v-{TWO}"].tags
    found.tags.discard("qrm.filesystem=ext4")  # somebody has written to its blocks since
    for verb in (StandIn(box.ours.uuid, ONE, TWO), Replace(box.ours.uuid, ONE)):
        await box.do(verb)
    assert "qrm.filesystem=ext4" in box.ours.logical[f"v-{ONE}"].tags


async def test_what_is_no_id_name_or_size_is_refused(box: Box) -> None:
    await box.made()
    group = box.ours.uuid
    for key in ("", "../x", "A" * 16, "--yes", f"{ONE} "):
        *of_it, copy = every(group, key)[:5]
        for verb in of_it:
            await box.refused("volume-id", verb)
        await box.refused("volume-unknown", copy)
        await box.refused("volume-id", Copy(group, ONE, key, "web2", 8 * MIB, 1))
        await box.refused("volume-id", Create(group, key, "web2", MIB, 1))
    for name in ("", "a b", "-y", "x,qrm.id=1", "@tag"):
        await box.refused("volume-name", Create(group, TWO, name, MIB, 1))
        await box.refused("volume-name", Copy(group, ONE, TWO, name, 8 * MIB, 1))
        await box.refused("volume-name", Rename(group, ONE, name))
    for size in (0, -1, 1 << 60):
        await box.refused("volume-size", Create(group, TWO, "web2", size, 1))
        await box.refused("volume-size", Grow(group, ONE, size))
    await box.refused("name-taken", Create(group, TWO, "web1", MIB, 1))


async def test_only_what_is_not_active_is_activated_and_only_ours(box: Box) -> None:
    await box.made()
    await box.made(TWO, "web2")
    box.ours.logical[f"v-{ONE}"].active = False
    box.ours.logical[f"v-{TWO}"].suspended = True
    foreign = box.lvm.put("qrm", "root", 8 * MIB, set())
    foreign.active = False
    lost = box.lvm.put("qrm", "v-00000000000000cc", 8 * MIB, {"qrm.id=00000000000000cc"})
    lost.active, lost.health = False, "partial"
    box.lvm.ran.clear()
    await box.do(Wake(box.ours.uuid))
    assert box.lvm.ran[0] == f"lvchange --yes --refresh qrm/v-{TWO}"
    assert f"qrm/v-{ONE}" in box.lvm.ran[1]
    assert not foreign.active
    assert not lost.active
    box.lvm.ran.clear()
    await box.do(Wake(box.ours.uuid))
    assert box.lvm.ran == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Logical volume qrm/v-000000000000001a contains a filesystem in use.", "volume-in-use"),
        ("Logical volume qrm/v-000000000000001a is used by another device.", "volume-in-use"),
        ('Volume group "qrm" has insufficient free space (3 extents): 4 required.', "pool-too-small"),
        ("Insufficient suitable allocatable extents for logical volume x: 3 more required", "pool-too-small"),
        ("Cannot create new thin volume, free space in thin pool qrm/pool reached threshold.", "pool-filling"),
        ("Error writing device /dev/sdx at 4096 length 512.", "storage-failed"),
    ],
)
async def test_lvms_words_reach_whoever_asked(box: Box, words: str, code: str) -> None:
    await box.made()
    box.lvm.said["lvremove"] = failed(words)
    with pytest.raises(ApplianceError, match=words.replace("(", ".").replace(")", ".")) as caught:
        await box.do(Delete(box.ours.uuid, ONE))
    assert caught.value.code == code
    assert caught.value.hint


async def test_the_report_goes_through_the_socket(box: Box, tmp_path: Path) -> None:
    await box.made()
    async with serving(tmp_path, box.on) as helper:
        found = await helper.call(Report())
    assert found == await groups(box.on)
    assert found[0].whole(ONE) is not None
