"""Work on VMs of which a backup tells is neither gone on with nor taken back: the VM may be made since."""

from appliance.backup.overtaken import end_overtaken
from appliance.reconcile.jobs import open_job
from appliance.store import events, tasks, vm_hosts, vm_work
from appliance.store.store import open_store
from appliance.vm import VmId
from appliance.vm_work import HostId, KnownHost, VmDeed, VmWork
from tests.people import ADA

KEY = VmId("00000000-0000-4000-8000-000000000001")


def under_way(db):
    host = vm_hosts.add(db, KnownHost(HostId(0), "one", "memory:///one", 5.0))
    work = vm_work.add(db, VmWork(VmDeed.CREATE, KEY, "web1", host.id, ADA, 5.0))
    task = open_job(db, lambda event: None, "vm.create", "Making the VM web1", ADA, 5.0, {"vm": KEY, "name": "web1"})
    vm_work.put_started(db, "monday", KEY, 5.0)
    return work, task


async def test_a_vm_that_was_being_made_is_left_to_who_looks(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        _, task = await store.write(under_way)
        await store.write(lambda db: end_overtaken(db, lambda event: events.add(db, event), "it came back", 9.0))
        assert await store.read(vm_work.every) == []
        assert await store.read(vm_work.strays) == [], "nothing is taken back: it may have been made since"
        assert (await store.read(lambda db: tasks.get(db, task.id))).code == "restored"
        told = await store.read(lambda db: events.query(db, limit=10))
        assert ("vm.create of web1 is not gone on with", "it came back") in [(e.text, e.reason) for e in told]


async def test_no_vm_is_started_by_itself_before_the_computer_starts_anew(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        await store.write(under_way)
        await store.write(lambda db: end_overtaken(db, lambda event: events.add(db, event), "it came back", 9.0))
        assert await store.read(vm_work.is_passed_by)
        await store.write(lambda db: vm_work.put_started(db, "tuesday", KEY, 10.0))
        assert not await store.read(vm_work.is_passed_by)
