"""What an action would do, worked out once, before it is done."""

from dataclasses import replace
from typing import Any

import pytest

from appliance.catalogue import ImageId
from appliance.deployment import Deployment, DiskIdentity, Installed, Wanted
from appliance.machine import BUSY, TRANSITIONS, MacAddress, Machine, MachineId, State
from appliance.reconcile.consequences import Action, MachineAction, consequences_of, describe, machine_refusal
from appliance.workflow import Attempt, AttemptId, DeploymentId, Kind, begin, steps_for

EMPTY = DiskIdentity("S1", None, 8_000_000_000, "QEMU", "e", "empty", empty=True)
FULL = DiskIdentity("S1", None, 8_000_000_000, "QEMU", "f", "ext4 'x'")


def machine(state: State) -> Machine:
    return Machine(MachineId("m1"), "node-1", state, (MacAddress("52:54:00:00:00:01"),), 0.0, maintenance=False)


def deployment(disk: DiskIdentity | None = None, **more: Any) -> Deployment:
    """On node-1 where it has a disk."""
    where = MachineId("m1") if disk else None
    made = Deployment(DeploymentId(1), "web-1", ImageId(1), 0.0, machine=where, disk=disk, wanted=Wanted.RUNNING)
    return replace(made, **more)


def choice(disk: DiskIdentity) -> tuple[Machine, DiskIdentity]:
    return machine(State.IDLE), disk


@pytest.mark.parametrize(
    ("disk", "confirm", "content", "destroys"),
    [
        (FULL, "S1", "f", True),
        (replace(FULL, serial=None, wwn="W1"), "W1", "f", True),
        (replace(FULL, summary="empty"), "S1", "f", True),
        (replace(FULL, summary=""), "S1", "f", True),
        (EMPTY, None, "", False),
        (replace(EMPTY, summary="empty; attempt 7 began to write here"), None, "", False),
    ],
)
def test_a_start_asks_before_it_overwrites_what_is_not_empty(
    disk: DiskIdentity, confirm: str | None, content: str, destroys: bool
) -> None:
    foreseen = consequences_of(deployment(), None, Action.START, choice(disk))
    assert (foreseen.confirm, foreseen.content, foreseen.destroys) == (confirm, content, destroys)
    assert (foreseen.machine, foreseen.disk) == ("node-1", disk)
    assert describe(disk) in foreseen.texts[0]


def test_a_stopped_one_that_starts_again_destroys_nothing() -> None:
    disk = replace(FULL, owned=True)
    stopped = deployment(disk, wanted=Wanted.STOPPED, installed=Installed(1, disk, None, None))
    foreseen = consequences_of(stopped, machine(State.STOPPED), Action.START)
    assert (foreseen.machine, foreseen.disk, foreseen.destroys) == ("node-1", None, False)


def test_a_stopped_one_that_was_never_written_whole_is_written_anew_at_its_start() -> None:
    stopped = deployment(FULL, wanted=Wanted.STOPPED)
    foreseen = consequences_of(stopped, machine(State.STOPPED), Action.START)
    assert (foreseen.confirm, foreseen.disk, foreseen.destroys) == ("web-1", FULL, True)


def test_a_redeploy_destroys_what_the_deployment_holds() -> None:
    foreseen = consequences_of(deployment(replace(FULL, owned=True)), machine(State.ACTIVE), Action.REDEPLOY)
    assert (foreseen.confirm, foreseen.machine, foreseen.destroys) == ("web-1", "node-1", True)
    assert foreseen.disk is not None
    assert (foreseen.disk.serial, foreseen.disk.summary) == ("S1", "system and data of web-1")
    assert "serial S1" in foreseen.texts[0]
    assert "lost" in foreseen.texts[0]


@pytest.mark.parametrize(
    ("state", "wipe", "owned", "destroys"),
    [
        (State.ACTIVE, True, True, True),
        (State.ACTIVE, True, False, False),  # nothing of it was written: it is not wiped
        (State.ACTIVE, False, True, False),
        (State.BROKEN, True, True, False),
    ],
)
def test_a_release_destroys_where_it_wipes(state: State, wipe: bool, owned: bool, destroys: bool) -> None:
    given = deployment(replace(FULL, owned=owned), wipe_on_release=wipe)
    foreseen = consequences_of(given, machine(state), Action.RELEASE)
    assert (foreseen.confirm, foreseen.machine, foreseen.destroys) == ("web-1", "node-1", destroys)
    assert (foreseen.disk is not None) is destroys
    assert ("is wiped" in foreseen.texts[0]) is destroys


def test_what_stays_on_a_disk_that_was_not_written_is_what_was_found_there() -> None:
    foreseen = consequences_of(deployment(FULL, wipe_on_release=True), machine(State.FAILED), Action.RELEASE)
    assert "ext4 'x'" in foreseen.texts[0]
    assert "system and data" not in foreseen.texts[0]


@pytest.mark.parametrize("action", [Action.STOP, Action.RETRY])
def test_nothing_else_destroys(action: Action) -> None:
    state = State.FAILED if action is Action.RETRY else State.ACTIVE
    foreseen = consequences_of(deployment(replace(FULL, owned=True)), machine(state), action)
    assert (foreseen.refused, foreseen.confirm, foreseen.disk, foreseen.destroys) == ("", None, None, False)
    assert foreseen.machine == "node-1"


def live(kind: Kind) -> Attempt:
    steps = steps_for(kind, system_runs=False)
    return begin(AttemptId("a1"), kind, MachineId("m1"), None, steps, nonce="n", armed=True, now=0.0)


@pytest.mark.parametrize("state", State)
def test_a_machine_is_called_broken_whenever_nothing_goes_on(state: State) -> None:
    refusal = machine_refusal(machine(state), None, None, MachineAction.BREAK)
    assert (refusal is None) is (State.BROKEN in TRANSITIONS[state] and state not in BUSY)
    if state in BUSY:
        assert refusal is not None
        assert (refusal.code, refusal.message) == ("machine-busy", f"node-1 is {state}")


def test_a_machine_that_is_used_or_at_work_is_not_deleted() -> None:
    idle = machine(State.IDLE)
    assert machine_refusal(idle, None, None, MachineAction.DELETE) is None
    used = machine_refusal(idle, deployment(EMPTY), None, MachineAction.DELETE)
    busy = machine_refusal(machine(State.DEPLOYING), None, live(Kind.DEPLOY), MachineAction.DELETE)
    assert used is not None
    assert (used.code, used.message, used.hint) == (
        "machine-used",
        "node-1 is assigned to web-1",
        "release web-1 first",
    )
    assert busy is not None
    assert (busy.code, busy.message) == ("machine-busy", "node-1 is deploying")
