"""What works with VMs is imported once there is a host, or somebody asks: a daemon at rest does without it."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace

import pytest

from appliance.assembly import vms
from appliance.assembly.pools import Storage
from appliance.assembly.vms import VirtualMachines
from appliance.events import Bus
from appliance.store import vm_hosts
from appliance.store.store import open_store
from appliance.task import VMS_BULK, Task, TaskId, prospect
from appliance.vm_work import HostId, KnownHost, VmDeed

LOADED = "import appliance.daemon, appliance.assembly.build, sys; print(*sys.modules)"


def test_a_daemon_at_rest_has_not_loaded_it():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "appliance.assembly.vms" in loaded
    assert [name for name in loaded if name.startswith(("libvirt", "appliance.reconcile.vms."))] == []
    assert "appliance.hypervisor.kvm" not in loaded


def on_the_ground(store, tmp_path):
    authority = SimpleNamespace(fingerprint="0123456789abcdef" * 4)
    return SimpleNamespace(store=store, bus=Bus(), clock=lambda: 5.0, state=tmp_path, authority=authority)


@pytest.mark.parametrize("known", [False, True])
async def test_its_loops_rest_until_there_is_a_host_or_somebody_asks(tmp_path, monkeypatch, known):
    monkeypatch.setattr(vms, "SOCKETS", ())
    async with open_store(tmp_path / "store.db") as store:
        on = on_the_ground(store, tmp_path)
        machines = VirtualMachines(on, Storage(on), SimpleNamespace())
        if known:
            await store.write(lambda db: vm_hosts.add(db, KnownHost(HostId(0), "one", "memory:///one", 5.0)))
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(run()) for run in machines.loops().values()]
            while not known and not machines._needed._waiters:
                await asyncio.sleep(0)
            if not known:
                assert "parts" not in vars(machines)
                assert await machines.parts.vms.hosts() == []
            async with asyncio.timeout(20):
                while "parts" not in vars(machines):
                    await asyncio.sleep(0.01)
            for each in loops:
                each.cancel()


async def test_the_appliance_is_a_host_where_libvirt_listens(tmp_path, monkeypatch):
    monkeypatch.setattr(vms, "SOCKETS", (tmp_path / "socket",))
    async with open_store(tmp_path / "store.db") as store:
        on = on_the_ground(store, tmp_path)
        machines = VirtualMachines(on, Storage(on), SimpleNamespace())
        assert await machines.parts.rooms.known() == []
        (tmp_path / "socket").touch()
        (host,) = await machines.parts.rooms.known()
        assert (host.id, host.name, host.own, host.here) == (0, "appliance", True, True)
        assert await store.read(vm_hosts.every) == [], "nothing is kept before something of ours is there"


def test_every_deed_has_its_task_and_its_words():
    kinds = VirtualMachines(SimpleNamespace(), SimpleNamespace(), SimpleNamespace()).jobs()
    assert set(kinds) == {*(str(deed) for deed in VmDeed), VMS_BULK}
    for deed in VmDeed:
        assert prospect(Task(TaskId(1), str(deed), "x", "ada", 5.0, job=True), None).text
