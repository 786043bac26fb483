"""What every driver promises of discs: in the drive at once and from now on, and nothing else is touched."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypervisor_bench import FOREIGN, LibvirtBench, MemoryBench, QemuBench

from appliance.vm import Cdrom, Disk, Order, Vm, VmId, VmState
from tests.contract.refusal import refused

ID = VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e")
NOBODY = VmId("00000000-1111-4222-8333-444444444444")
MEMORY = pytest.param(MemoryBench, id="memory")
TEST = pytest.param(LibvirtBench, id="libvirt-test")
QEMU = pytest.param(QemuBench, id="libvirt-qemu", marks=[pytest.mark.vm, pytest.mark.slow])


class World:
    def __init__(self, bench):
        self.bench, self.host = bench, bench.host()
        where = Path(bench.disk).parent
        self.discs = [str(where / name) for name in ("debian.iso", "drivers.iso")]
        if isinstance(bench, QemuBench):
            for path in self.discs:
                Path(path).write_bytes(bytes(1 << 20))
        drives = (Cdrom("sdb"), Cdrom("sdc", self.discs[1]))
        self.web = Vm(ID, "web1", 1, 64 << 20, (Disk("sda", bench.disk),), drives, (), ("sdb", "sda"), notes="kept")

    async def drives(self):
        """Path by target, as stored and as it runs."""
        found = await self.host.read(ID)
        return tuple(vm and {each.target: each.path for each in vm.cdroms} for vm in (found.stored, found.live))


@pytest.fixture(params=[MEMORY, TEST, QEMU])
def bench(request):
    made = request.param()
    yield made
    made.close()


@pytest.fixture
async def world(bench):
    made = World(bench)
    await made.host.define(made.web)
    yield made
    await made.host.close()


async def test_a_disc_of_a_vm_that_is_off_is_there_at_its_next_start(world):
    debian, drivers = world.discs
    for _ in range(2):
        await world.host.media.change(ID, "sdb", debian)
        assert await world.drives() == ({"sdb": debian, "sdc": drivers}, None)
    found = (await world.host.read(ID)).stored
    assert found == replace(world.web, cdroms=(Cdrom("sdb", debian), Cdrom("sdc", drivers)))
    for _ in range(2):
        await world.host.media.change(ID, "sdb", "")
    assert (await world.host.read(ID)).stored == world.web


@pytest.mark.parametrize("bench", [MEMORY, QEMU], indirect=True)
async def test_a_disc_of_a_vm_that_runs_is_there_at_once_and_stays(world):
    debian, drivers = world.discs
    await world.host.order(ID, Order.START)
    await world.host.media.change(ID, "sdb", debian)
    both = {"sdb": debian, "sdc": drivers}
    assert await world.drives() == (both, both)
    await world.host.media.change(ID, "sdc", "")
    await world.host.media.change(ID, "sdb", drivers)
    swapped = {"sdb": drivers, "sdc": ""}
    assert await world.drives() == (swapped, swapped)
    found = await world.host.read(ID)
    assert (found.needs_restart, found.live.boot, found.stored.notes) == ((), ("sdb", "sda"), "kept")
    await world.host.order(ID, Order.OFF)
    assert (await world.drives())[0] == swapped


async def test_a_drive_that_is_not_there_is_said_so(world):
    for target in ("sda", "sdx", "../x", ""):
        await refused("vm-drive-unknown", world.host.media.change(ID, target, world.discs[0]))
    await refused("vm-unknown", world.host.media.change(NOBODY, "sdb", ""))
    assert (await world.host.read(ID)).stored == world.web


async def test_a_path_that_is_none_is_refused(world):
    for path in ("relative.iso", "/srv/a\nb.iso"):
        with pytest.raises(Exception, match="path") as caught:
            await world.host.media.change(ID, "sdb", path)
        assert caught.value.code.startswith("vm-")
    assert (await world.host.read(ID)).stored == world.web


async def test_drives_of_others_are_left_alone(world):
    world.bench.put_foreign()
    await refused("vm-foreign", world.host.media.change(FOREIGN.id, "sdb", world.discs[0]))


@pytest.mark.parametrize("bench", [MEMORY, QEMU], indirect=True)
async def test_a_drive_that_was_added_meanwhile_has_its_disc_from_the_next_start(world):
    await world.host.order(ID, Order.START)
    debian, drivers = world.discs
    await world.host.define(replace(world.web, cdroms=(*world.web.cdroms, Cdrom("sdd"))))
    await world.host.media.change(ID, "sdd", debian)
    assert await world.drives() == (
        {"sdb": "", "sdc": drivers, "sdd": debian},
        {"sdb": "", "sdc": drivers},
    )


@pytest.mark.parametrize("bench", [MEMORY], indirect=True)
async def test_a_drive_that_the_system_keeps_shut_is_said_and_opened_by_force(world):
    await world.host.order(ID, Order.START)
    world.bench.memory.locked.add(ID)
    before = await world.host.read(ID)
    error = await refused("vm-tray-locked", world.host.media.change(ID, "sdc", ""))
    assert "by force" in error.hint
    assert await world.host.read(ID) == before
    await world.host.media.change(ID, "sdc", "", force=True)
    assert (await world.drives())[1] == {"sdb": "", "sdc": ""}


@pytest.mark.parametrize("bench", [TEST], indirect=True)
async def test_a_host_that_cannot_change_what_runs_says_so_and_stores_nothing(world):
    """libvirt's own driver for tests is one."""
    await world.host.order(ID, Order.START)
    await refused("vm-failed", world.host.media.change(ID, "sdb", world.discs[0]))
    assert (await world.host.read(ID)).stored == world.web


@pytest.mark.parametrize("bench", [QEMU], indirect=True)
async def test_a_disc_that_is_gone_is_said_and_changes_nothing(world):
    await world.host.order(ID, Order.START)
    before = await world.drives()
    error = await refused("vm-failed", world.host.media.change(ID, "sdb", "/nonexistent/gone.iso"))
    assert "/nonexistent/gone.iso" in error.message
    assert await world.drives() == before
    assert (await world.host.read(ID)).seen.state is VmState.RUNNING
