"""What users ask of VMs: made with their volumes, changed, given disks, deleted; what fails leaves nothing behind."""

import pytest
import pytest_asyncio
from pool_world import GIB
from vm_world import MIB, THEIRS, VmWorld, vm

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.reconcile.vms.revision import revision_of
from appliance.reconcile.vms.wish import DiskWish, NicWish, VmChange, VmWish
from appliance.store import pools
from appliance.store.store import open_store
from appliance.task import Status
from appliance.vm import Autostart, Bus, Firmware, Order, VmState
from tests.people import ADA, SOMEBODY


@pytest_asyncio.fixture
async def world(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        made = VmWorld(store)
        async with made.at_work():
            await made.pools.made("fast")
            await made.host("one")
            yield made


def wish(name="web1", **more):
    more.setdefault("memory", 64 * MIB)
    return VmWish(name, **more)


async def made(world, **more):
    task = await world.vms.create(wish(**more), ADA)
    ended = await world.ended(task)
    assert (ended.status, ended.reason) == (Status.DONE, "")
    return (await world.vms.get(ended.result["vm"])).found.stored


def _pool(db):
    return pools.get(db, "fast")


async def failed(world, task):
    ended = await world.ended(task)
    assert ended.status is Status.FAILED
    return ended.code, ended.reason


# -- made


async def test_a_vm_is_made_with_its_volumes_and_starts_from_all_it_has(world):
    disks = DiskWish(2 * GIB), DiskWish(GIB, "fast", bus=Bus.VIRTIO_BLK)
    got = await made(world, disks=disks, nics=(NicWish("br0", 7),), cdroms=("",), start=True)
    assert [(each.target, each.bus) for each in got.disks] == [("sda", "virtio-scsi"), ("vda", "virtio-blk")]
    volumes = {each.volume.id: each.volume for each in (await world.pools.seen()).volumes}
    assert {each.serial for each in got.disks} == set(volumes)
    assert [(each.path, volumes[each.serial].name) for each in got.disks] == [
        (volumes[each.serial].path, f"web1-{each.target}") for each in got.disks
    ]
    assert got.boot == ("sda", "vda", "sdb", got.nics[0].mac)
    assert (got.nics[0].bridge, got.nics[0].vlan, got.firmware) == ("br0", 7, Firmware.UEFI)
    assert set((await world.known_volumes()).values()) == {("vm", got.id)}
    assert await world.state("web1") is VmState.RUNNING
    assert [each.text for each in await world.events("vm.changed")] == ["ada made the VM web1"]
    assert (await world.audited("vm.create"))[0].after["name"] == "web1"
    assert await world.works() == []


async def test_a_vm_is_listed_while_it_is_made_and_nobody_touches_it_meanwhile(world):
    async with world.pools.rooms.held(await world.store.read(_pool)):
        task = await world.vms.create(wish(disks=(DiskWish(GIB),)), ADA)
        (view,) = (await world.vms.list()).vms
        assert (view.seen.name, view.seen.state, view.seen.why) == ("web1", VmState.UNKNOWN, "it is being made")
        assert view.work.deed == "vm.create"
        with pytest.raises(Conflict) as caught:
            await world.vms.order("web1", Order.START, ADA)
        assert caught.value.code == "vm-busy"
        with pytest.raises(Conflict) as caught:
            await world.vms.create(wish(), ADA)
        assert caught.value.code == "name-taken"
    assert (await world.ended(task)).status is Status.DONE


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"name": "Web 1"}, "name-invalid", "name"),
        ({"cpus": 0}, "vm-cpus", "cpus"),
        ({"cpus": 9}, "host-lacks", "cpus"),
        ({"memory": 5}, "vm-memory", "memory"),
        ({"nics": (NicWish("br0; rm"),)}, "vm-bridge", "nics.0.bridge"),
        ({"nics": (NicWish("br0", mac="zz"),)}, "mac-invalid", "nics.0.mac"),
        ({"disks": (DiskWish(0),)}, "volume-size", "size"),
        ({"disks": (DiskWish(GIB),) * 30}, "vm-drives", "disks"),
        ({"cdroms": ("/etc/shadow",)}, "iso-unknown", "cdroms"),
        ({"notes": "\x00"}, "vm-notes", "notes"),
        ({"boot": ("sdz",)}, "vm-boot", "boot"),
        ({"host": "nowhere"}, "vm-host-unknown", "host"),
        ({"disks": (DiskWish(GIB, "nopool"),)}, "pool-unknown", ""),
        ({"disks": (DiskWish(volume="nothing", pool="fast"),)}, "volume-unknown", ""),
        ({"autostart": Autostart(-1)}, "vm-autostart", "autostart.order"),
        ({"memory": 1 << 44}, "host-lacks", "memory"),
        ({"memory": 64 << 30}, "host-none-fits", ""),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_made(world, more, code, field):
    with pytest.raises(ApplianceError) as caught:
        await world.vms.create(wish(**more), ADA)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert (await world.works(), await world.volumes()) == ([], [])


async def test_an_iso_is_named_and_its_path_is_found(world):
    world.isos["debian"] = "/srv/isos/abc.iso"
    got = await made(world, cdroms=("debian", ""))
    assert [(each.target, each.path) for each in got.cdroms] == [("sda", "/srv/isos/abc.iso"), ("sdb", "")]


async def test_a_disc_is_changed_at_once_in_a_vm_that_runs_and_a_drive_at_its_next_start(world):
    world.isos |= {"debian": "/srv/isos/abc.iso", "drivers": "/srv/isos/def.iso"}
    got = await made(world, cdroms=("debian", ""), start=True)
    await world.vms.change("web1", VmChange(cdroms=("drivers", "debian"), notes="swapped"), "", ADA)
    found = (await world.vms.get("web1")).found
    both = [("sda", "/srv/isos/def.iso"), ("sdb", "/srv/isos/abc.iso")]
    assert [(each.target, each.path) for each in found.live.cdroms] == both
    assert [(each.target, each.path) for each in found.stored.cdroms] == both
    assert (found.stored.notes, found.needs_restart) == ("swapped", ())
    await world.vms.change("web1", VmChange(cdroms=("drivers", "", "debian")), "", ADA)
    found = (await world.vms.get("web1")).found
    assert [each.path for each in found.live.cdroms] == ["/srv/isos/def.iso", ""]
    assert [each.path for each in found.stored.cdroms] == ["/srv/isos/def.iso", "", "/srv/isos/abc.iso"]
    assert "cdroms" in found.needs_restart
    assert got.id == found.stored.id


async def test_a_disc_that_the_system_holds_is_taken_out_by_force_and_else_nothing_changes(world):
    world.isos["debian"] = "/srv/isos/abc.iso"
    got = await made(world, cdroms=("debian",), start=True)
    world.memories["one"].locked.add(got.id)
    with pytest.raises(Conflict) as caught:
        await world.vms.change("web1", VmChange(cdroms=("",), notes="no"), "", ADA)
    assert caught.value.code == "vm-tray-locked"
    found = (await world.vms.get("web1")).found
    assert found.stored == found.live == got
    await world.vms.change("web1", VmChange(cdroms=("",), force=True), "", ADA)
    found = (await world.vms.get("web1")).found
    assert ([each.path for each in found.live.cdroms], found.needs_restart) == ([""], ())


async def test_a_volume_that_is_there_becomes_a_disk_and_no_second_one(world):
    key = await world.pools.volume("data")
    got = await made(world, disks=(DiskWish(volume="data", pool="fast"),))
    assert [each.serial for each in got.disks] == [key]
    with pytest.raises(Conflict) as caught:
        await world.vms.create(wish("web2", disks=(DiskWish(volume="data", pool="fast"),)), ADA)
    assert caught.value.code == "volume-taken"
    golden = await world.pools.volume("gold", golden=True)
    with pytest.raises(Conflict, match="others are made from it"):
        await world.vms.create(wish("web2", disks=(DiskWish(volume=golden, pool="fast"),)), ADA)


async def test_what_the_host_refuses_at_the_end_leaves_no_volume_behind(world):
    await world.pools.volume("data")
    async with world.pools.rooms.held(await world.store.read(_pool)):
        disks = DiskWish(GIB), DiskWish(volume="data", pool="fast")
        task = await world.vms.create(wish(disks=disks), ADA)
        world.put("one", vm(9, "web1"), owner=THEIRS)  # somebody was faster
    assert await failed(world, task) == ("name-taken", "another VM of this host is called web1")
    assert await world.volumes() == ["data"]
    assert await world.known_volumes() == {"data": ("user", "")}
    assert (await world.events("vm.changed"))[-1].text == "Making the VM web1: failed"


async def test_one_that_does_not_start_is_made_all_the_same_and_its_task_says_why(world):
    world.memories["one"].refusing[Order.START] = ApplianceError("vm-failed", "cannot allocate memory")
    task = await world.vms.create(wish(disks=(DiskWish(GIB),), start=True), ADA)
    assert await failed(world, task) == ("vm-failed", "web1 is made, and does not start: cannot allocate memory")
    assert await world.state("web1") is VmState.OFF
    assert await world.volumes() == ["web1-sda"]


async def test_a_host_that_is_lost_in_the_middle_keeps_the_volumes_and_says_which(world):
    async with world.pools.rooms.held(await world.store.read(_pool)):
        task = await world.vms.create(wish(disks=(DiskWish(GIB),)), ADA)
        world.memories["one"].leave()
    code, reason = await failed(world, task)
    assert code == "host-unreachable"
    assert reason.endswith("its volumes stay: web1-sda")
    assert await world.volumes() == ["web1-sda"]


async def test_hosts_are_chosen_by_what_they_have_left(world):
    await world.host("two", cpus=64)
    world.put("one", vm(1, "busy", cpus=8), VmState.RUNNING)
    await made(world)
    assert (await world.vms.find("web1")).host.name == "two"


# -- changed


async def test_a_change_is_stored_and_says_what_needs_a_restart(world):
    was = await made(world, nics=(NicWish("br0"),), start=True)
    change = VmChange(cpus=2, notes="mine", autostart=Autostart(3, 5.0), nics=(NicWish("br1", mac=was.nics[0].mac),))
    await world.vms.change("web1", change, revision_of(was), ADA)
    found = (await world.vms.get("web1")).found
    assert (found.stored.cpus, found.live.cpus, found.needs_restart) == (2, 1, ("cpus", "nics"))
    assert (found.stored.nics[0].bridge, found.stored.nics[0].mac) == ("br1", was.nics[0].mac)
    assert (found.stored.boot, found.stored.autostart) == (was.boot, Autostart(3, 5.0))
    await world.vms.change("web1", VmChange(autostart=False), "", ADA)
    assert (await world.vms.get("web1")).found.stored.autostart is None
    entries = await world.audited("vm.change")
    assert entries[-1].after["cpus"] == 2 or entries[0].after["cpus"] == 2


async def test_of_two_users_who_change_one_vm_the_second_hears_of_the_first(world):
    was = await made(world)
    await world.vms.change("web1", VmChange(cpus=2), revision_of(was), ADA)
    with pytest.raises(Conflict, match="somebody else has changed web1 meanwhile") as caught:
        await world.vms.change("web1", VmChange(cpus=3), revision_of(was), SOMEBODY)
    assert caught.value.code == "vm-changed"
    assert (await world.vms.get("web1")).found.stored.cpus == 2


async def test_a_change_that_its_host_cannot_have_is_refused_and_a_running_vm_keeps_its_name(world):
    await made(world, start=True)
    for change, code in [(VmChange(cpus=200), "host-lacks"), (VmChange(name="web2"), "vm-state")]:
        with pytest.raises(ApplianceError) as caught:
            await world.vms.change("web1", change, "", ADA)
        assert caught.value.code == code
    with pytest.raises(NotFound, match="there is no ISO '/etc/shadow'"):
        await world.vms.change("web1", VmChange(cdroms=("/etc/shadow",)), "", ADA)


async def test_a_disk_is_added_and_taken_away_again_and_its_volume_stays(world):
    was = await made(world, disks=(DiskWish(GIB),), nics=(NicWish("br0"),))
    await world.ended(await world.vms.add_disk("web1", DiskWish(2 * GIB), ADA))
    got = (await world.vms.get("web1")).found.stored
    assert [each.target for each in got.disks] == ["sda", "sdb"]
    assert got.boot == (*was.boot, "sdb")
    assert await world.volumes() == ["web1-sda", "web1-sdb"]
    await world.vms.change("web1", VmChange(without=frozenset({"sdb"})), "", ADA)
    got = (await world.vms.get("web1")).found.stored
    assert ([each.target for each in got.disks], got.boot) == (["sda"], was.boot)
    assert (await world.known_volumes())["web1-sdb"] == ("user", "")


async def test_a_disk_for_a_definition_that_changed_meanwhile_is_taken_back(world):
    was = await made(world)
    async with world.pools.rooms.held(await world.store.read(_pool)):
        task = await world.vms.add_disk("web1", DiskWish(GIB), ADA)
        kept = world.memories["one"].kept[was.id]
        kept.stored = vm(1, "other")
    code, _ = await failed(world, task)
    assert code == "vm-changed"
    assert await world.volumes() == []


# -- deleted


async def test_what_deleting_loses_is_named_before_and_has_to_be_confirmed(world):
    await made(world, disks=(DiskWish(2 * GIB),), start=True)
    said = await world.vms.delete_consequences("web1", with_disks=True)
    assert said.texts == (
        "web1 is running: it is switched off at once, as if its plug was drawn.",
        "The VM web1 on one is deleted, with its firmware variables and its TPM.",
        "These volumes are deleted, and what is in them is lost: web1-sda (2.0 GiB).",
    )
    assert (said.confirm, said.destroys) == ("web1", True)
    with pytest.raises(Conflict) as caught:
        await world.vms.delete("web1", None, ADA, with_disks=True)
    assert caught.value.code == "confirmation-needed"
    ended = await world.ended(await world.vms.delete("web1", "web1", ADA, with_disks=True))
    assert ended.status is Status.DONE
    assert ((await world.vms.list()).vms, await world.volumes(), await world.known_volumes()) == ([], [], {})
    assert (await world.audited("vm.delete"))[0].before["name"] == "web1"


async def test_without_its_disks_its_volumes_stay_and_are_nobodys(world):
    await made(world, disks=(DiskWish(GIB),))
    said = await world.vms.delete_consequences("web1", with_disks=False)
    assert said.texts[-1] == "These volumes stay, and are nobody's then: web1-sda (1.0 GiB)."
    assert not said.destroys
    await world.ended(await world.vms.delete("web1", "web1", ADA, with_disks=False))
    assert await world.known_volumes() == {"web1-sda": ("user", "")}


async def test_a_volume_that_cannot_be_deleted_stays_and_the_task_says_so(world):
    got = await made(world, disks=(DiskWish(GIB),))
    world.pools.memories["fast"].opened.add(got.disks[0].serial)
    code, reason = await failed(world, await world.vms.delete("web1", "web1", ADA, with_disks=True))
    assert code == "vm-volumes-stay"
    assert reason.startswith("web1 is deleted, and these volumes stay: web1-sda (")
    assert (await world.vms.list()).vms == []
    assert await world.known_volumes() == {"web1-sda": ("user", "")}


async def test_foreign_vms_are_not_changed_and_not_deleted(world):
    world.put("one", vm(5, "theirs"), owner=THEIRS)
    assert (await world.vms.delete_consequences("theirs", with_disks=True)).refused
    for act in (
        world.vms.delete("theirs", "theirs", ADA, with_disks=True),
        world.vms.change("theirs", VmChange(cpus=2), "", ADA),
        world.vms.shut_down("theirs", ADA),
        world.vms.add_disk("theirs", DiskWish(GIB), ADA),
    ):
        with pytest.raises(Conflict):
            await act
    assert world.memories["one"].asked == []


async def test_a_host_with_work_under_way_is_not_removed(world):
    async with world.pools.rooms.held(await world.store.read(_pool)):
        task = await world.vms.create(wish(disks=(DiskWish(GIB),)), ADA)
        with pytest.raises(Conflict) as caught:
            await world.vms.remove_host("one", ADA)
        assert caught.value.code == "host-busy"
    await world.ended(task)
    await world.vms.remove_host("one", ADA)
    assert (await world.vms.list()).vms == []


async def test_patience_has_bounds(world):
    await made(world)
    with pytest.raises(Invalid) as caught:
        await world.vms.shut_down("web1", ADA, 1e9)
    assert (caught.value.code, caught.value.field) == ("vm-patience", "patience")
