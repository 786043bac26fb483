"""The helper's side of LVM, with an LVM of paper: what it looks up again, what it refuses, and how pools are made."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ApplianceError
from appliance.privileged import lvm_fill
from appliance.privileged.computer import Computer, Roots
from appliance.privileged.lvm import groups
from appliance.privileged.table import TABLE
from appliance.privileged.thin_layout import LEAST, MOST_METADATA, thin_layout
from appliance.privileged.verb import Verb
from appliance.privileged.verbs.lvm import THIN_POOL_NAME, Report
from appliance.privileged.verbs.lvm_fill import Fill
from appliance.privileged.verbs.lvm_pools import Adopt, BackUp, ExtendPool, GrowPool, MakePool, Part, Retire
from appliance.privileged.verbs.lvm_repair import Examine, Repair
from appliance.privileged.verbs.lvm_tags import OLD_METADATA, POOL, THIN_POOL
from appliance.privileged.verbs.lvm_volumes import Clear, Copy, Create, Delete, Grow, Rename, Replace, StandIn, Wake
from tests.privileged import paper_lvm
from tests.privileged.paper_computer import quiet, serving
from tests.privileged.paper_lvm import Group, PaperLvm, failed

MIB = 1 << 20
ONE, TWO = "000000000000001a", "000000000000002b"
DISKS = {
    "blockdevices": [
        {"name": "sda", "type": "disk", "serial": "OWN", "mountpoints": [], "children": [
            {"name": "sda5", "type": "part", "partuuid": "p-state", "mountpoints": ["/state"], "fstype": "ext4"},
            {"name": "sda7", "type": "part", "partuuid": "p-data", "mountpoints": [None], "fstype": None,
             "parttypename": "Linux filesystem", "partlabel": "data"}]},
        {"name": "sdb", "type": "disk", "serial": "B", "wwn": "0xb", "mountpoints": [None], "children": [
            {"name": "sdb1", "type": "part", "partuuid": "p-old", "mountpoints": [], "fstype": "xfs", "label": "old"},
            {"name": "sdb2", "type": "part", "partuuid": "p-busy", "mountpoints": ["/srv"], "fstype": "ext4"}]},
        {"name": "sdc", "type": "disk", "serial": "C", "mountpoints": [None], "fstype": None},
        {"name": "sdd", "type": "disk", "serial": "D", "mountpoints": [None], "fstype": "btrfs", "label": "mine"},
    ]
}  # fmt: skip


class Box:
    """A computer of paper with a pool called qrm, and a group that is not ours."""

    def __init__(self, directory: Path, thin: bool = True) -> None:
        self.on = Computer(Roots.below(directory), PaperLvm(directory / "dev"))
        self.lvm = self.on.run
        assert isinstance(self.lvm, PaperLvm)
        self.lvm.said |= {"lsblk": json.dumps(DISKS), "wipefs": "", "thin_check": ""}
        self.ours, self.other = Group(["/dev/sdx"], tags={POOL}), Group(["/dev/sdy"])
        self.lvm.groups = {"qrm": self.ours, "other": self.other}
        if thin:
            self.lvm.put("qrm", THIN_POOL_NAME, 128 * MIB, {THIN_POOL}, "thin-pool").metadata = 8 * MIB

    async def do(self, verb: Verb[Any]) -> Any:
        return await TABLE[verb.name].act(verb, self.on, quiet)

    async def made(self, key: str = ONE, name: str = "web1") -> None:
        await self.do(Create(self.ours.uuid, key, name, 8 * MIB, 1795000000))

    async def refused(self, code: str, verb: Verb[Any]) -> ApplianceError:
        """Nothing has run that changes something."""
        before = list(self.lvm.ran)
        with pytest.raises(ApplianceError) as caught:
            await self.do(verb)
        assert caught.value.code == code, caught.value.message
        assert caught.value.hint
        assert [each for each in self.lvm.ran[len(before) :] if not each.startswith(("lsblk", "udevadm"))] == []
        return caught.value


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


@pytest.fixture
def thick(tmp_path: Path) -> Box:
    return Box(tmp_path, thin=False)


# -- what is not ours


def every(group: str, key: str = ONE) -> list[Verb[Any]]:
    """All that change something in a pool."""
    volume = [
        Fill(group, key), Grow(group, key, 16 * MIB), StandIn(group, key, key), Rename(group, key, "web2"),
        Copy(group, key, TWO, "web2", 8 * MIB, 1),
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
        for verb in every(group, key)[:5]:
            await box.refused("volume-id", verb)
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


# -- what LVM says


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


async def test_a_change_is_carried_to_its_end_when_nobody_waits_any_more(thick: Box) -> None:
    """LVM that is killed between two halves of a change leaves volumes suspended."""
    began, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    paper = thick.lvm

    async def slow(argv: list[str], /, seconds: float = 30.0) -> str:
        if "--deltag" in argv:
            began.set()
            await go.wait()
            ended.set()
        return await paper(argv, seconds)

    await thick.made()
    on = Computer(thick.on.roots, slow)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(lvm_fill.fill(Fill(thick.ours.uuid, ONE), on, quiet))
        await began.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
    assert task.cancelled()
    assert ended.is_set()
    assert thick.ours.logical[f"v-{ONE}"].tags >= {f"qrm.id={ONE}"}
    assert "qrm.state=making" not in thick.ours.logical[f"v-{ONE}"].tags


async def test_a_copy_stops_when_nobody_waits_for_it(thick: Box, monkeypatch: Any) -> None:
    """After the piece that is under way; the volume is as unfilled as before."""
    await thick.made()
    began, go, pieces = threading.Event(), threading.Event(), []
    stop = threading.Event()

    def slow(_out: int, at: int, _count: int) -> None:
        pieces.append(at)
        began.set()
        go.wait(60)

    monkeypatch.setattr(lvm_fill, "PIECE", MIB)
    monkeypatch.setattr(lvm_fill, "_zero", slow)
    monkeypatch.setattr(lvm_fill, "Event", lambda: stop)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(lvm_fill.fill(Fill(thick.ours.uuid, ONE), thick.on, quiet))
        await asyncio.to_thread(began.wait, 60)
        task.cancel()
        while not stop.is_set():
            await asyncio.sleep(0)
        assert not task.done(), "the piece is still being written"
        go.set()
    assert task.cancelled()
    assert pieces == [0]
    assert "qrm.state=making" in thick.ours.logical[f"v-{ONE}"].tags


async def test_a_copy_of_what_somebody_has_open_is_none(thick: Box) -> None:
    await thick.made()
    await thick.do(Fill(thick.ours.uuid, ONE))
    thick.lvm.open.add(f"qrm/v-{ONE}")
    await thick.refused("volume-in-use", Copy(thick.ours.uuid, ONE, TWO, "kept", 8 * MIB, 1, read_only=True))


async def test_a_disk_that_fails_while_it_is_copied_is_told_of(thick: Box, monkeypatch: Any) -> None:
    await thick.made()

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(lvm_fill.os, "pwrite", broken)
    with pytest.raises(ApplianceError, match="Input/output error") as caught:
        await thick.do(Fill(thick.ours.uuid, ONE))
    assert caught.value.code == "storage-failed"
    assert "qrm.state=making" in thick.ours.logical[f"v-{ONE}"].tags


# -- pools


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


# -- repair


async def test_metadata_that_are_sound(box: Box) -> None:
    await box.made()
    found = await box.do(Examine(box.ours.uuid))
    assert (found.sound, found.said) == (True, "")
    assert len(found.steps) == 4
    assert box.ours.logical[f"v-{ONE}"].active, "it is there again"


async def test_metadata_that_are_not_are_repaired_when_it_is_asked_for(box: Box) -> None:
    await box.made()
    box.lvm.said["thin_check"] = failed("missing details for device 1")
    found = await box.do(Examine(box.ours.uuid))
    assert not found.sound
    assert "missing details" in found.said
    assert not box.ours.logical[f"v-{ONE}"].active, "nobody is to write to it"
    await box.refused("pool-name-differs", Repair(box.ours.uuid, "other"))
    await box.do(Repair(box.ours.uuid, "qrm"))
    assert box.ours.logical[f"v-{ONE}"].active
    assert box.ours.logical["pool_meta0"].tags == {OLD_METADATA}


async def test_what_is_used_is_not_taken_away_for_a_repair(box: Box) -> None:
    await box.made()
    box.lvm.open.add(f"qrm/v-{ONE}")
    await box.refused("volume-in-use", Examine(box.ours.uuid))
    await box.refused("volume-in-use", Repair(box.ours.uuid, "qrm"))
    box.lvm.open.clear()
    box.lvm.put("qrm", "mine", MIB, set(), "thin", THIN_POOL_NAME)
    await box.refused("volume-in-use", Repair(box.ours.uuid, "qrm"))


# -- the rest


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


async def test_the_report_goes_through_the_socket(box: Box, tmp_path: Path) -> None:
    await box.made()
    async with serving(tmp_path, box.on) as helper:
        found = await helper.call(Report())
    assert found == await groups(box.on)
    assert found[0].whole(ONE) is not None
