"""Pools of LVM are made, adopted, extended, grown and retired, with an LVM of paper; and copies of LVM's notes."""

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ApplianceError
from appliance.privileged.lvm import groups
from appliance.privileged.thin_layout import LEAST, MOST_METADATA, thin_layout
from appliance.privileged.verbs.lvm import THIN_POOL_NAME
from appliance.privileged.verbs.lvm_pools import Adopt, BackUp, ExtendPool, GrowPool, MakePool, Part, Retire
from appliance.privileged.verbs.lvm_repair import Examine
from appliance.privileged.verbs.lvm_tags import POOL, THIN_POOL
from appliance.privileged.verbs.lvm_volumes import Delete
from tests.privileged import paper_lvm
from tests.privileged.lvm_box import DISKS, MIB, ONE, Box
from tests.privileged.paper_lvm import failed


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.fixture
def thick(tmp_path: Path) -> Box:
    return Box(tmp_path, thin=False)


async def test_a_pool_of_disks_that_were_agreed_to(box: Box) -> None:
    holds = ("sdb1: xfs 'old'",)
    box.lvm.said["lsblk"] = json.dumps(DISKS).replace("/srv", "")
    parts = (Part("0xb", holds=(*holds, "sdb2: ext4")), Part("C"))
    await box.do(MakePool("images", parts))
    assert box.lvm.ran[:4] == [
        box.lvm.ran[0],
        "wipefs --all /dev/sdb1 /dev/sdb2 /dev/sdb",
        "wipefs --all /dev/sdc",
        "vgcreate --yes --metadatasize 16m images /dev/sdb /dev/sdc",
    ]
    made = box.lvm.groups["images"]
    assert made.tags == {POOL}
    assert made.logical[THIN_POOL_NAME].tags == {THIN_POOL}
    assert 0 < made.free < made.size / 8, "what is left lets data and metadata grow"
    ran = len(box.lvm.ran)
    await box.do(MakePool("images", parts))
    assert [each for each in box.lvm.ran[ran:] if not each.startswith("lsblk")] == [], "it is there already"


@pytest.mark.parametrize("cut", ["vgcreate", "lvcreate", "vgchange"])
async def test_a_pool_that_was_cut_off_when_it_was_made_is_finished(box: Box, cut: str) -> None:
    verb = MakePool("images", (Part("C"),))
    box.lvm.said[cut] = failed("the power went")
    with pytest.raises(ApplianceError):
        await box.do(verb)
    assert all(each.name != "images" or not each.is_pool for each in await groups(box.on))
    del box.lvm.said[cut]
    await box.do(verb)
    assert [(each.is_pool, each.thin_pool is not None) for each in await groups(box.on) if each.name == "images"] == [
        (True, True)
    ]


async def test_half_a_thin_pool_is_made_anew(box: Box) -> None:
    box.lvm.put("other", THIN_POOL_NAME, 8 * MIB, {THIN_POOL})
    await box.do(Adopt(box.other.uuid, "other"))
    assert box.other.logical[THIN_POOL_NAME].kind == "thin-pool"


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (Part("OWN"), "disk-own"),
        (Part("OWN", "p-state", ("sda5: ext4",)), "disk-own"),
        (Part("B"), "disk-busy"),
        (Part("B", "p-busy", ("sdb2: ext4",)), "disk-busy"),
        (Part("B", "p-none"), "disk-unknown"),
        (Part("C", "p-old"), "disk-unknown"),
        (Part("/dev/sdc"), "disk-unknown"),
        (Part(""), "disk-unknown"),
        (Part("D"), "disk-changed"),
        (Part("D", holds=("sdd: btrfs 'yours'",)), "disk-changed"),
        (Part("B", "p-old"), "disk-changed"),
    ],
)
async def test_disks_that_are_not_to_be_had(box: Box, part: Part, code: str) -> None:
    await box.refused(code, MakePool("images", (Part("C"), part)))
    await box.refused(code, ExtendPool(box.ours.uuid, part))


async def test_disks_of_a_pool_are_not_to_be_had_whatever_was_agreed_to(box: Box) -> None:
    """Its volumes need not be active: then wipefs(8) would not see that anybody has it."""
    box.ours.devices = ["/dev/sdb1"]
    box.lvm.said["lsblk"] = json.dumps(DISKS).replace("/srv", "")
    part = Part("B", holds=("sdb1: xfs 'old'", "sdb2: ext4"))
    await box.refused("disk-busy", MakePool("images", (Part("C"), part)))
    box.ours.devices = ["/dev/sdc"]
    await box.refused("disk-busy", MakePool("images", (Part("C"),)))


async def test_what_was_cleared_already_need_not_be_there_any_more(box: Box) -> None:
    box.lvm.said["vgcreate"] = failed("the power went")
    verb = MakePool("images", (Part("D", holds=("sdd: btrfs 'mine'",)),))
    with pytest.raises(ApplianceError):
        await box.do(verb)
    del box.lvm.said["vgcreate"]
    box.lvm.said["lsblk"] = json.dumps(DISKS).replace('"btrfs", "label": "mine"', "null")
    await box.do(verb)
    assert box.lvm.groups["images"].devices == ["/dev/sdd"]


async def test_what_the_own_disk_has_left_can_be_had(box: Box) -> None:
    place = box.on.roots.dev / "disk/qrm/data"
    place.parent.mkdir(parents=True)
    place.symlink_to("../../sda7")
    (box.on.roots.dev / "sda7").touch()
    await box.do(MakePool("images", (Part("OWN", "p-data"),), thin=False))
    assert box.lvm.groups["images"].devices == ["/dev/sda7"]
    assert box.lvm.groups["images"].logical == {}


async def test_a_pool_gets_one_more_disk(box: Box) -> None:
    verb = ExtendPool(box.ours.uuid, Part("D", holds=("sdd: btrfs 'mine'",)))
    await box.do(verb)
    await box.do(verb)
    assert box.ours.devices == ["/dev/sdx", "/dev/sdd"]
    assert box.lvm.ran.count("vgextend --yes --metadatasize 16m qrm /dev/sdd") == 1


@pytest.mark.parametrize("name", ["", "..", "-x", "a b", "x" * 64, "qrm/../x"])
async def test_names_that_a_group_cannot_have(box: Box, name: str) -> None:
    await box.refused("group-name", MakePool(name, (Part("C"),)))


async def test_a_name_that_another_group_has(box: Box) -> None:
    await box.refused("group-name-taken", MakePool("other", (Part("C"),)))
    (box.on.roots.dev / "mapper" / "control").mkdir(parents=True)
    await box.refused("group-name-taken", MakePool("mapper", (Part("C"),)))
    await box.refused("disks-repeated", MakePool("images", (Part("C"), Part("C"))))
    await box.refused("disks-missing", MakePool("images", ()))


async def test_a_group_that_is_there_becomes_a_pool(box: Box) -> None:
    root = box.lvm.put("other", "root", 8 * MIB, {"mine"})
    await box.refused("pool-name-differs", Adopt(box.other.uuid, "qrm"))
    await box.refused("pool-missing", Adopt("nowhere", "other"))
    await box.do(Adopt(box.other.uuid, "other"))
    assert box.other.tags == {POOL}
    assert box.other.logical["root"] is root
    assert root.tags == {"mine"}
    ran = len(box.lvm.ran)
    await box.do(Adopt(box.other.uuid, "other"))
    assert box.lvm.ran[ran:] == []


async def test_a_group_that_is_not_complete_becomes_none(box: Box) -> None:
    box.other.missing = {"/dev/sdy"}
    await box.refused("pool-incomplete", Adopt(box.other.uuid, "other"))
    box.other.missing, box.other.exported = set(), True
    await box.refused("pool-incomplete", Adopt(box.other.uuid, "other"))


async def test_a_group_with_extents_that_volumes_do_not_fit_becomes_none(box: Box, monkeypatch: Any) -> None:
    monkeypatch.setattr(paper_lvm, "EXTENT", 32 * MIB)
    assert "32m" not in (await box.refused("pool-extents", Adopt(box.other.uuid, "other"))).hint


async def test_what_is_called_pool_and_is_not_ours_stays(box: Box) -> None:
    box.lvm.put("other", THIN_POOL_NAME, 8 * MIB, set())
    await box.refused("pool-name-taken", Adopt(box.other.uuid, "other"))


async def test_a_pool_is_retired_when_nothing_is_left_in_it(box: Box) -> None:
    await box.made()
    await box.refused("pool-not-empty", Retire(box.ours.uuid, "qrm"))
    await box.do(Delete(box.ours.uuid, ONE))
    box.lvm.put("qrm", "root", MIB, set())
    assert "root" in (await box.refused("pool-not-empty", Retire(box.ours.uuid, "qrm"))).message
    del box.ours.logical["root"]
    await box.refused("pool-name-differs", Retire(box.ours.uuid, "other"))
    await box.do(Retire(box.ours.uuid, "qrm"))
    assert list(box.lvm.groups) == ["other"]
    assert box.lvm.ran[-2:] == ["pvremove --yes /dev/sdx", "lvm lvmdevices --yes --deldev /dev/sdx"]


async def test_a_thin_pool_grows_by_what_its_group_has_left(box: Box, thick: Box) -> None:
    await box.refused("pool-too-small", GrowPool(box.ours.uuid, data=1 << 40))
    free = box.ours.free
    await box.do(GrowPool(box.ours.uuid, data=5 * MIB, metadata=1))
    pool = box.ours.logical[THIN_POOL_NAME]
    assert (pool.size, pool.metadata) == (136 * MIB, 12 * MIB)
    assert box.ours.free == free - 16 * MIB, "the spare grows, too"


async def test_a_thick_pool_does_not_grow(thick: Box) -> None:
    await thick.refused("pool-thick", GrowPool(thick.ours.uuid, data=MIB))
    await thick.refused("pool-thick", Examine(thick.ours.uuid))


async def test_copies_of_lvms_notes_are_kept_for_two_weeks(box: Box) -> None:
    for day in range(1, 21):
        await box.do(BackUp(box.ours.uuid, f"2026-11-{day:02}"))
    await box.do(BackUp(box.ours.uuid, "2026-11-20"))
    directory = box.on.roots.state / "lvm" / box.ours.uuid
    assert [each.name for each in sorted(directory.iterdir())] == [f"2026-11-{day:02}.vg" for day in range(7, 21)]
    for day in ("", "yesterday", "../../x", "2026-13-01"):
        await box.refused("day-broken", BackUp(box.ours.uuid, day))


@pytest.mark.parametrize("free", [LEAST, 256 * MIB, 8 << 30, 1 << 40, 100 << 40, 1 << 50])
def test_a_thin_pool_leaves_room_to_grow(free: int) -> None:
    layout = thin_layout(free, 4 * MIB)
    assert layout.data % (4 * MIB) == layout.metadata % (4 * MIB) == 0
    left = free - layout.data - 2 * layout.metadata
    assert layout.metadata <= MOST_METADATA + 4 * MIB
    assert free / 32 < left < free / 8
    assert layout.data > free / 2
    assert layout.data / layout.chunk * 64 <= max(layout.metadata, 8 * MIB)


async def test_a_group_that_is_too_small_for_a_thin_pool(box: Box) -> None:
    box.other.size = 32 * MIB
    await box.refused("pool-too-small", Adopt(box.other.uuid, "other"))
    await box.do(Adopt(box.other.uuid, "other", thin=False))
