"""A deployment on a machine that will not come back."""

from dataclasses import replace

import pytest

from appliance.catalogue import Image, ImageId
from appliance.deployment import Deployment, DiskIdentity, Wanted
from appliance.errors import Conflict
from appliance.events import Bus
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.reconcile.consequences import Action
from appliance.reconcile.wishes import Wishes
from appliance.store import catalogue, deployments, machines
from appliance.store.store import Store, open_store
from appliance.workflow import DeploymentId
from tests.people import SOMEBODY

DISK = DiskIdentity("S1", None, 1 << 30)


async def _given(store: Store, state: State) -> Wishes:
    machine = Machine(MachineId("m1"), "node-1", state, (MacAddress("52:54:00:00:00:01"),), 0.0, maintenance=False)
    image = Image(ImageId(0), "demo", "", "raw", 512, 512, "0" * 64, 512, 0.0)

    def job(db):
        stored = catalogue.add_image(db, image)
        machines.put(db, machine)
        new = Deployment(DeploymentId(0), "web", stored.id, 0.0, machine=machine.id, disk=DISK, wanted=Wanted.RUNNING)
        deployments.add(db, replace(new, wanted=Wanted.RUNNING))

    await store.write(job)
    return Wishes(store, Bus(), lambda: 1.0)


async def test_release_takes_it_off_a_broken_machine(tmp_path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        wishes = await _given(store, State.BROKEN)
        said = await wishes.consequences("web", Action.RELEASE)
        assert "node-1, which is broken" in said.texts[0]
        task = await wishes.act("web", Action.RELEASE, said.confirm, SOMEBODY)
        assert task.status == "done", "nothing has to be done on the machine"
        released = await store.read(lambda db: deployments.get(db, "web"))
        assert (released.machine, released.disk, released.wanted) == (None, None, Wanted.RELEASED)


@pytest.mark.parametrize("action", [Action.STOP, Action.REDEPLOY, Action.START, Action.RETRY])
async def test_nothing_else_is_done_with_it(tmp_path, action: Action) -> None:
    async with open_store(tmp_path / "store.db") as store:
        wishes = await _given(store, State.BROKEN)
        with pytest.raises(Conflict, match="broken"):
            await wishes.act("web", action, "web", SOMEBODY)
