"""VMs are made, changed and deleted by forms: nothing typed is lost, and what is lost is named."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor
from console_seed_vms import BUILD, DATABASE, FOREIGN, WEB, WINDOWS, VmsOnPaper

from appliance.store import vm_work
from appliance.vm import Autostart, Bus, Firmware, NicModel, System, Vm, VmId
from appliance.vm_work import VmDeed, VmWork

GIB = 1 << 30
GOOD = {
    "name": "shop", "system": "linux", "cpus": "2", "memory": "4", "firmware": "uefi", "host": "kvm-1",
    "disk0_from": "pool:lab", "disk0_size": "20 GiB", "disk0_bus": "virtio-scsi",
    "nic0_bridge": "br0", "nic0_vlan": "12", "nic0_model": "virtio",
}  # fmt: skip


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def the_work(ada: Visitor) -> VmWork:
    (work,) = await ada.services.store.read(vm_work.every)
    return work


def stored(ada: Visitor, vm: VmId) -> Vm:
    assert isinstance(ada.services.vms, VmsOnPaper)
    return ada.services.vms.memories["here"].kept[vm].stored


def change_stored(ada: Visitor, vm: Vm) -> None:
    assert isinstance(ada.services.vms, VmsOnPaper)
    ada.services.vms.memories["here"].kept[vm.id].stored = vm


def revision(page: str) -> str:
    return page.split('name="revision" value="')[1].split('"')[0]


async def test_the_form_of_a_new_one_begins_with_what_its_system_likes(ada: Visitor) -> None:
    page = await ada.get("/vms/new")
    assert 'value="2 GiB"' in page
    assert "New, in lab:" in page
    assert "lab / scratch, 10 GiB" in page
    assert "customer1" not in page, "it belongs to a deployment"
    windows = await ada.get("/vms/new?system=windows")
    assert 'value="secure-boot" checked' in windows
    assert "drivers for" in said(windows)


async def test_a_vm_is_made_as_it_was_typed(ada: Visitor) -> None:
    more = {
        "disk1_from": "pool:fast", "disk1_size": "1 TiB", "disk1_bus": "sata", "tpm": "yes", "autostart": "yes",
        "order": "3", "delay": "15", "notes": "mine", "start": "yes",
    }  # fmt: skip
    refused = said(await ada.post("/vms/new", 409, data=GOOD | more))
    assert "mine" in refused
    where = await ada.post("/vms/new", data=GOOD | more | {"disk1_from": "pool:lab", "disk1_size": "2"})
    work = await the_work(ada)
    assert where == f"/vms/{work.vm}"
    assert work.wanted is not None
    assert (work.wanted.cpus, work.wanted.memory, work.wanted.firmware) == (2, 4 * GIB, Firmware.UEFI)
    assert [(each.size, each.target) for each in work.volumes] == [(20 * GIB, "sda"), (2 * GIB, "sdb")]
    assert [each.bus for each in work.wanted.disks] == [Bus.VIRTIO_SCSI, Bus.SATA]
    assert [(each.bridge, each.vlan, each.model) for each in work.wanted.nics] == [("br0", 12, NicModel.VIRTIO)]
    assert work.wanted.autostart == Autostart(3, 15.0)
    assert (work.start, work.wanted.tpm) == (True, True)
    assert "being made" in said(await ada.get(where))
    assert "being made" in said(await ada.get("/vms"))


@pytest.mark.parametrize(
    ("wrong", "beside"),
    [
        ({"name": "-"}, "name"),
        ({"cpus": "900"}, "cpus"),
        ({"cpus": "many"}, "cpus"),
        ({"memory": "much"}, "memory"),
        ({"disk0_size": "9999 TiB"}, "disk0_size"),
        ({"disk0_from": "pool:nowhere"}, "disk0_from"),
        ({"nic0_bridge": "Br!"}, "nic0_bridge"),
        ({"nic0_vlan": "5000"}, "nic0_vlan"),
        ({"nic0_bridge": "", "nic0_vlan": "", "nic2_bridge": "br0", "nic2_vlan": "9999", "nic2_model": "virtio"},
         "nic2_vlan"),
        ({"autostart": "yes", "order": "x", "delay": "0"}, "order"),
        ({"cdrom0": "no-such-disc"}, "cdrom0"),
        ({"firmware": "coreboot"}, "firmware"),
    ],
)  # fmt: skip
async def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    ada: Visitor, wrong: dict[str, str], beside: str
) -> None:
    page = await ada.client.post("/vms/new", headers=ada.headers, data=GOOD | wrong, allow_redirects=False)
    text = await page.text()
    assert page.status in (409, 422)
    assert f'id="{beside}-error"' in text
    assert 'value="20 GiB"' in text or "disk0_size" in wrong
    assert await ada.services.store.read(vm_work.every) == []


async def test_two_who_change_one_hear_of_each_other(ada: Visitor) -> None:
    mine = revision(await ada.get(f"/vms/{BUILD}/edit"))
    change_stored(ada, replace(stored(ada, BUILD), cpus=6))
    sent = {
        "name": "build-vm", "system": "windows", "cpus": "3", "memory": "4 GiB", "firmware": "uefi", "notes": "new",
        "revision": mine,
    }  # fmt: skip
    page = await ada.post(f"/vms/{BUILD}/edit", 409, sent)
    assert "somebody else has changed build-vm meanwhile" in said(page)
    assert 'value="3"' in page
    assert await ada.post(f"/vms/{BUILD}/edit", data=sent | {"revision": revision(page)}) == f"/vms/{BUILD}"
    now = stored(ada, BUILD)
    assert (now.cpus, now.system, now.notes, now.autostart) == (3, System.WINDOWS, "new", None)


async def test_network_cards_drives_and_boot_order_are_changed(ada: Visitor) -> None:
    page = await ada.get(f"/vms/{DATABASE}/nics/edit")
    mac = stored(ada, DATABASE).nics[0].mac
    sent = {"revision": revision(page), "nic0_mac": mac, "nic0_bridge": "br0", "nic0_model": "e1000e",
            "nic1_bridge": "br1", "nic1_vlan": "7", "nic1_model": "virtio"}  # fmt: skip
    assert await ada.post(f"/vms/{DATABASE}/nics/edit", data=sent) == f"/vms/{DATABASE}/hardware"
    first, second = stored(ada, DATABASE).nics
    assert (first.mac, first.model, second.bridge, second.vlan) == (mac, NicModel.E1000E, "br1", 7)

    page = await ada.get(f"/vms/{DATABASE}/cdroms/edit")
    await ada.post(f"/vms/{DATABASE}/cdroms/edit", data={"revision": revision(page), "cdrom0": "", "cdrom1": "-",
                                                         "cdrom2": "-", "cdrom3": "-"})  # fmt: skip
    assert [each.path for each in stored(ada, DATABASE).cdroms] == [""]

    page = await ada.get(f"/vms/{DATABASE}/boot/edit")
    await ada.post(f"/vms/{DATABASE}/boot/edit", data={"revision": revision(page), "boot": second.mac})
    assert stored(ada, DATABASE).boot == (second.mac,)
    page = await ada.post(f"/vms/{DATABASE}/boot/edit", 422, {"boot": "nothing-here"})
    assert "is none of its drives" in said(page)


async def test_a_drive_that_the_system_keeps_shut_is_said_and_opened_by_force(ada: Visitor) -> None:
    assert isinstance(ada.services.vms, VmsOnPaper)
    memory, path = ada.services.vms.memories["here"], f"/vms/{WINDOWS}/cdroms/edit"
    memory.locked.add(WINDOWS)
    page = await ada.get(path)
    assert 'name="force"' not in page
    sent = {"revision": revision(page), "cdrom0": "", "cdrom1": "", "cdrom2": "-", "cdrom3": "-"}
    refused = await ada.post(path, 409, sent)
    assert "keeps the drive sdb shut" in said(refused)
    assert 'name="force"' in refused
    assert stored(ada, WINDOWS).cdroms[0].path == "/isos/virtio.iso"
    await ada.post(path, data=sent | {"revision": revision(refused), "force": "yes"})
    live = memory.kept[WINDOWS].live
    assert live is not None
    assert [each.path for each in live.cdroms] == ["", ""]


async def test_a_disk_is_added_and_taken_away(ada: Visitor) -> None:
    added = {"from": "pool:lab", "size": "3", "bus": "virtio-scsi"}
    assert await ada.post(f"/vms/{DATABASE}/disks/new", data=added) == f"/vms/{DATABASE}/hardware"
    work = await the_work(ada)
    assert (work.deed, work.volumes[0].size) == (VmDeed.ADD_DISK, 3 * GIB)
    assert 'id="size-error"' in await ada.post(f"/vms/{BUILD}/disks/new", 422, added | {"size": "large"})
    assert "stays as it is" in said(await ada.get(f"/vms/{BUILD}/disks/sda/remove"))
    await ada.post(f"/vms/{BUILD}/disks/sda/remove")
    assert stored(ada, BUILD).disks == ()
    await ada.get(f"/vms/{BUILD}/disks/sda/remove", 404)


async def test_deleting_one_names_what_is_lost(ada: Visitor) -> None:
    page = said(await ada.get(f"/vms/{WEB}/delete?disks=go"))
    assert "web-vm is running: it is switched off at once" in page
    assert "with its firmware variables and its TPM" in page
    assert "Type exactly: web-vm" in said(await ada.post(f"/vms/{WEB}/delete", 409, {"confirm": "web"}))
    where = await ada.post(f"/vms/{WEB}/delete", data={"confirm": "web-vm"})
    assert (await the_work(ada)).deed is VmDeed.DELETE
    assert where.startswith("/tasks/")


async def test_what_is_foreign_has_no_forms(ada: Visitor) -> None:
    for form in ("edit", "disks/new", "nics/edit", "cdroms/edit", "boot/edit"):
        assert "not made by this appliance" in said(await ada.get(f"/vms/{FOREIGN}/{form}", 409))
    assert "not made by this appliance" in said(await ada.get(f"/vms/{FOREIGN}/delete"))
