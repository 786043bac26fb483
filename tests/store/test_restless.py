"""What the reconcile loop reads is all that it can act on, and nothing of what rests."""

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.catalogue import Image, ImageId
from appliance.deployment import Deployment, DiskIdentity, Installed, Wanted
from appliance.machine import Machine, MachineId, Rescue, State, parse_mac
from appliance.reconcile.plan import Observed, plan
from appliance.store import catalogue, deployments, machines, restless
from appliance.store.documents import rows
from appliance.store.schema import migrate
from appliance.store.store import Store
from appliance.workflow import DeploymentId

DISK = DiskIdentity(serial="S", wwn=None, bytes=10**12, model="disk", content="f", summary="", empty=True)
RESCUES = (None, Rescue(since=None, ended=False), Rescue(since=1.0, ended=True))

kinds = st.tuples(
    st.sampled_from(State),
    st.sampled_from([State.DEPLOYING, State.RELEASING, None]),
    st.sampled_from([None, *Wanted]),
    st.sampled_from([None, 1, 2]),
    st.booleans(),
    st.sampled_from(RESCUES),
)


def machine_of(number: int, kind: tuple) -> Machine:
    state, failed_from, _, _, _, rescue = kind
    mac = parse_mac(f"52:54:00:00:00:{number:02x}")
    before = failed_from if state is State.FAILED else None
    return Machine(MachineId(f"m{number}"), f"n-{number}", state, (mac,), 1.0, failed_from=before, rescue=rescue)


def deployment_of(number: int, kind: tuple) -> Deployment | None:
    _, _, wanted, generation, retry, _ = kind
    if wanted is None:
        return None
    installed = Installed(generation=generation, disk=DISK, esp_partuuid=None, root_fsuuid=None) if generation else None
    return Deployment(
        DeploymentId(0), f"d-{number}", ImageId(1), 1.0, wanted=wanted, machine=MachineId(f"m{number}"), disk=DISK,
        generation=2, retry=retry, installed=installed,
    )  # fmt: skip


def observed(fleet: list[tuple]) -> tuple[Observed, Observed]:
    """Everything, and what the loop reads."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        catalogue.add_image(db, Image(ImageId(0), "demo", "", "raw", 1, 1, "a", 512, 1.0))
        for number, kind in enumerate(fleet):
            machines.put(db, machine_of(number, kind))
            made = deployment_of(number, kind)
            if made:
                deployments.add(db, made)
        every, read = machines.briefs(db), restless.machines(db)
        of = [machine.id for machine in read]
        whole = Observed({each.id: each for each in every}, deployments.every(db), [], frozenset())
        some = Observed({each.id: each for each in read}, deployments.on_machines(db, of), [], frozenset())
        return whole, some


@settings(max_examples=60, deadline=None)
@given(st.lists(kinds, max_size=12))
def test_the_plan_is_the_same_as_with_everything_read(fleet: list[tuple]) -> None:
    whole, some = observed(fleet)

    def due(of: Observed) -> set[tuple[str, str]]:
        return {(action.machine, action.kind) for action in plan(of, 100.0)}

    assert due(whole) == due(some)


def test_every_case_once() -> None:
    fleet = list(itertools.product(State, [State.DEPLOYING], [None, *Wanted], [None, 1, 2], [False], RESCUES))
    for start in range(0, len(fleet), 200):
        some = fleet[start : start + 200]
        test_the_plan_is_the_same_as_with_everything_read.hypothesis.inner_test(some)


async def test_what_rests_is_not_read(store: Store, tmp_path: Path) -> None:
    def job(db: sqlite3.Connection) -> list[Machine]:
        catalogue.add_image(db, Image(ImageId(0), "demo", "", "raw", 1, 1, "a", 512, 1.0))
        for number in range(30):
            kind = (State.ACTIVE, None, Wanted.RUNNING, 2 if number else 1, False, None)
            machines.put(db, machine_of(number, kind))
            made = deployment_of(number, kind)
            assert made
            deployments.add(db, made)
        return restless.machines(db)

    assert [machine.id for machine in await store.write(job)] == ["m0"]
    plan_of = await store.read(lambda db: rows(db, "EXPLAIN QUERY PLAN SELECT id FROM machines WHERE rescued = 1"))
    assert "machines_rescued" in plan_of[0][3]
