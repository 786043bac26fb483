"""VMs in the console: the list and the pages of one, what can be ordered, and what is foreign or does not answer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor
from console_seed import NOW
from console_seed_vms import BUILD, DATABASE, FOREIGN, LOST, STANDING, WEB, WINDOWS, VmsOnPaper

from appliance.store import tasks, vm_work
from appliance.vm import VmId, VmState


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


def paper(ada: Visitor) -> VmsOnPaper:
    assert isinstance(ada.services.vms, VmsOnPaper)
    return ada.services.vms


def state(ada: Visitor, vm: VmId) -> VmState:
    return paper(ada).memories["here"].kept[vm].state


async def test_the_list_shows_each_as_it_is(ada: Visitor) -> None:
    page = said(await ada.get("/vms"))
    assert "8 VMs" in page
    assert "running needs restart winsrv" in page
    assert "paused files-vm A disk could not be written kvm-1" in page
    assert "somebodys foreign" in page
    assert "running as it was mail" in page
    assert "kvm-2 does not answer" in page
    assert "Its VMs are shown as they were at" in page


async def test_the_list_is_narrowed_and_sorted_by_its_address(ada: Visitor) -> None:
    page = said(await ada.get("/vms?state=off&sort=memory&dir=desc"))
    assert "2 of 8 VMs" in page
    assert page.index("db-vm") < page.index("build-vm")
    assert "No VM matches" in said(await ada.get("/vms?q=nothing-of-that-name"))
    assert "1 of 8 VMs" in said(await ada.get("/vms?host=kvm-2"))
    assert "1 of 8 VMs" in said(await ada.get(f"/vms?q={WEB[:36]}"))


async def test_without_hosts_or_vms_it_says_what_to_do(tmp_path: Path) -> None:
    async with visitor(tmp_path, fleet=False) as ada:
        await ada.log_in()
        assert "Add a host" in said(await ada.get("/vms"))
        where = await ada.post("/vms/hosts/new", data={"name": "one", "address": "memory:///here"})
        assert where == "/vms/hosts/one"
        assert "No VM yet" in said(await ada.get("/vms"))


async def test_one_shows_its_hardware_with_what_waits_for_a_restart(ada: Visitor) -> None:
    page = said(await ada.get(f"/vms/{WINDOWS}"))
    assert "a restart brings the new memory" in page
    assert "16 GiB (8 GiB until it is restarted)" in page
    assert "UEFI with Secure Boot" in page
    assert "Windows" in page
    hardware = said(await ada.get(f"/vms/{WINDOWS}/hardware"))
    assert "/isos/virtio.iso" in hardware
    assert "no disc" in hardware
    assert "SATA" in hardware
    assert hardware.index("CD-ROM sdb Disk sda Network 52:54") > 0


async def test_what_runs_is_shut_down_and_what_is_off_started(ada: Visitor) -> None:
    assert await ada.post(f"/vms/{DATABASE}/order/start", data={"value": "yes"}) == f"/vms/{DATABASE}"
    assert state(ada, DATABASE) is VmState.RUNNING
    assert "Not possible: it is off" in said(await ada.get(f"/vms/{BUILD}/shut-down"))
    assert "whole seconds" in said(await ada.post(f"/vms/{WEB}/shut-down", 422, {"patience": "soon"}))
    await ada.post(f"/vms/{WEB}/shut-down", data={"patience": "90"})
    page = said(await ada.get(f"/vms/{WEB}"))
    assert "It is shutting down: task" in page
    assert "switched off by force at" in page
    assert "1 min left" in page
    assert "by force at" in said(await ada.get("/vms"))
    work = await ada.services.store.read(vm_work.every)
    assert [each.patience for each in work] == [90.0]
    assert work[0].at == NOW


async def test_what_loses_something_asks_first(ada: Visitor) -> None:
    page = await ada.get(f"/vms/{WEB}")
    assert f'href="/vms/{WEB}/order/off"' in page
    assert f'href="/vms/{WEB}/order/reset"' in page
    assert f'action="/vms/{WEB}/order/pause"' in page
    assert "have not written to disk is lost" in said(await ada.get(f"/vms/{WEB}/order/off"))
    await ada.post(f"/vms/{WEB}/order/off")
    assert state(ada, WEB) is VmState.OFF
    assert "Not possible: it is off" in said(await ada.get(f"/vms/{WEB}/order/reset"))
    assert "resume it if it is paused" in said(await ada.get(f"/vms/{STANDING}/order/start"))
    assert "start it, or switch it off first" in said(await ada.post(f"/vms/{WEB}/order/reset", 200))
    await ada.get(f"/vms/{WEB}/order/explode", 404)


async def test_what_is_foreign_is_shown_and_not_touched(ada: Visitor) -> None:
    page = await ada.get(f"/vms/{FOREIGN}")
    assert "not made by this appliance" in said(page)
    assert f"/vms/{FOREIGN}/order" not in page
    assert f"/vms/{FOREIGN}/shut-down" not in page
    assert "not made by this appliance" in said(await ada.post(f"/vms/{FOREIGN}/order/off", 200))
    assert state(ada, FOREIGN) is VmState.RUNNING
    assert f'value="{FOREIGN}"' not in await ada.get("/vms")


async def test_of_a_host_that_does_not_answer_what_was_seen_is_shown_as_old(ada: Visitor) -> None:
    page = said(await ada.get(f"/vms/{LOST}"))
    assert "Its host does not answer. It is shown as it was at" in page
    assert "does not answer" in said(await ada.get("/vms/hosts/kvm-2"))


async def test_the_timeline_tells_what_happened(ada: Visitor) -> None:
    page = await ada.get(f"/vms/{WEB}/timeline")
    assert "eva reset web-vm it had crashed" in said(page)
    assert "<script>document" not in page
    assert "Nothing yet" in said(await ada.get(f"/vms/{DATABASE}/timeline"))
    assert "Nothing older" in said(await ada.get(f"/vms/{WEB}/timeline?before=1"))


async def test_many_are_ordered_at_once_by_a_task(ada: Visitor) -> None:
    chosen = f"/vms/bulk?chosen={DATABASE}&chosen={BUILD}"
    assert "Shut down" in said(await ada.get(chosen))
    where = await ada.post(f"{chosen}&action=start")
    task = await ada.services.store.read(lambda db: tasks.get(db, where.rpartition("/")[2]))
    assert (task.kind, task.title) == ("vms.bulk", "Start 2 VMs")
    assert "Type exactly" in said(await ada.post(f"{chosen}&action=off", 422, {"confirm": "2"}))
    await ada.post(f"{chosen}&action=off", data={"confirm": "2 VMs"})
    assert "No VM is meant" in said(await ada.post("/vms/bulk?action=start", 422))
    assert "somebodys" not in said(await ada.get("/vms/bulk?all=1&action=off"))


async def test_a_host_is_added_once_it_has_answered_and_removed(ada: Visitor) -> None:
    bad = {"name": "rack 2", "address": "qemu+ssh://root@rack-2/system"}
    assert "cannot be the name" in said(await ada.post("/vms/hosts/new", 422, bad))
    taken = await ada.post("/vms/hosts/new", 409, {"name": "more", "address": "memory:///here"})
    assert "is the host kvm-1 already" in said(taken)
    assert "run on as they do" in said(await ada.get("/vms/hosts/kvm-2/remove"))
    assert await ada.post("/vms/hosts/kvm-2/remove") == "/vms/hosts"
    await ada.get("/vms/hosts/kvm-2", 404)
    assert "mail" not in said(await ada.get("/vms"))
