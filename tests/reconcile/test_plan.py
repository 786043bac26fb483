"""What is due, from what is wanted and what is so."""

from dataclasses import replace

import pytest

from appliance.catalogue import ImageId
from appliance.deployment import Deployment, DiskIdentity, Installed, Wanted
from appliance.machine import BUSY, MacAddress, Machine, MachineId, State
from appliance.reconcile.plan import Begin, Expire, Observed, next_wake, plan
from appliance.rescue import Rescue
from appliance.workflow import AttemptId, DeploymentId, Kind, begin, deadline, steps_for

M = MachineId("m")
MACHINE = Machine(M, "node-1", State.IDLE, (MacAddress("52:54:00:00:00:01"),), 0.0)
DISK = DiskIdentity("S1", None, 1)
NEW = Deployment(DeploymentId(1), "web-1", ImageId(1), 0.0, machine=M, disk=DISK, wanted=Wanted.RUNNING)
HALF = replace(NEW, disk=replace(DISK, owned=True))
CURRENT = replace(HALF, installed=Installed(1, DISK, None, None))
OLD = replace(CURRENT, generation=2)
HERE = frozenset({M})


def due(deployment, state, *, in_stack=HERE, attempts=(), **machine):
    observed = Observed({M: replace(MACHINE, state=state, **machine)}, [deployment], attempts, in_stack)
    found = plan(observed, 10.0)
    assert len(found) <= 1
    return found[0] if found else None


def kind(*arguments, **more):
    action = due(*arguments, **more)
    return action.kind if action else None


def wanted(deployment, what):
    return replace(deployment, wanted=what)


@pytest.mark.parametrize(
    ("deployment", "state", "expected"),
    [
        (NEW, State.IDLE, Kind.DEPLOY),
        (CURRENT, State.IDLE, Kind.START),
        (CURRENT, State.STOPPED, Kind.START),
        (CURRENT, State.ACTIVE, None),
        (OLD, State.ACTIVE, Kind.DEPLOY),
        (OLD, State.STOPPED, Kind.DEPLOY),
        (NEW, State.DISCOVERED, None),
        (NEW, State.BROKEN, None),
        (wanted(CURRENT, Wanted.STOPPED), State.ACTIVE, Kind.STOP),
        (wanted(CURRENT, Wanted.STOPPED), State.STOPPED, None),
        (wanted(CURRENT, Wanted.STOPPED), State.IDLE, None),
        (wanted(CURRENT, Wanted.RELEASED), State.ACTIVE, Kind.RELEASE),
        (wanted(CURRENT, Wanted.RELEASED), State.STOPPED, Kind.RELEASE),
        (wanted(NEW, Wanted.RELEASED), State.IDLE, Kind.RELEASE),
        (wanted(NEW, Wanted.RELEASED), State.BROKEN, None),
    ],
)
def test_what_is_begun(deployment, state, expected):
    assert kind(deployment, state) == expected


@pytest.mark.parametrize("what", list(Wanted))
@pytest.mark.parametrize("state", sorted(BUSY))
def test_a_busy_machine_is_left_alone(what, state):
    assert due(wanted(CURRENT, what), state) is None


@pytest.mark.parametrize("failed_from", [State.DEPLOYING, State.STARTING, State.STOPPING, State.RELEASING])
def test_a_failed_machine_rests_until_a_retry(failed_from):
    assert due(CURRENT, State.FAILED, failed_from=failed_from) is None
    again = due(replace(CURRENT, retry=True), State.FAILED, failed_from=failed_from)
    assert again.kind.value[:4] == failed_from.value[:4]
    assert again.deployment.retry is False, "one click is one try"


def test_a_failed_machine_can_be_released_but_a_failed_release_is_not_repeated_by_itself():
    away = wanted(CURRENT, Wanted.RELEASED)
    assert kind(away, State.FAILED, failed_from=State.DEPLOYING) is Kind.RELEASE
    assert due(away, State.FAILED, failed_from=State.RELEASING) is None


def test_a_live_attempt_keeps_others_from_beginning():
    steps = steps_for(Kind.DEPLOY, system_runs=False)
    live = begin(AttemptId("a"), Kind.DEPLOY, M, DeploymentId(1), steps, nonce="", armed=False, now=9.0)
    assert due(NEW, State.IDLE, attempts=[live]) is None
    overdue = replace(live, step_seen=-1e6)
    assert due(NEW, State.IDLE, attempts=[overdue]) == Expire(overdue)


def test_what_runs_is_shut_down_first_and_armed():
    assert due(OLD, State.ACTIVE, in_stack=frozenset()).steps[:2] == ("shut-down", "return")
    retried = replace(CURRENT, retry=True)
    runs = due(retried, State.FAILED, failed_from=State.STOPPING, in_stack=frozenset())
    assert (runs.steps, runs.armed) == (("shut-down", "return"), True)
    rests = due(retried, State.FAILED, failed_from=State.STOPPING)
    assert (rests.steps, rests.armed) == ((), False)


@pytest.mark.parametrize("in_stack", [HERE, frozenset()])
def test_the_beginning_of_an_attempt_arms_one_boot_wherever_the_machine_is(in_stack):
    """It may be off, or restarting at this very moment although it gave a sign just now."""
    for deployment, state in ((NEW, State.IDLE), (CURRENT, State.STOPPED), (OLD, State.ACTIVE)):
        assert due(deployment, state, in_stack=in_stack).armed is True


@pytest.mark.parametrize(
    ("wipe", "deployment", "steps"),
    [(True, CURRENT, ("wipe-disk",)), (False, CURRENT, ()), (True, NEW, ()), (True, HALF, ("wipe-disk",))],
)
def test_a_release_wipes_only_what_was_written_and_was_to_be_wiped(wipe, deployment, steps):
    away = replace(wanted(deployment, Wanted.RELEASED), wipe_on_release=wipe)
    assert due(away, State.STOPPED).steps == steps


def test_a_deployment_without_its_machine_harms_nobody():
    assert plan(Observed({}, [NEW], [], HERE), 1.0) == []


def test_the_plan_is_the_same_twice():
    assert isinstance(due(NEW, State.IDLE), Begin)
    assert due(NEW, State.IDLE) == due(NEW, State.IDLE)


def test_when_to_look_again():
    steps = steps_for(Kind.DEPLOY, system_runs=False)
    live = begin(AttemptId("a"), Kind.DEPLOY, M, DeploymentId(1), steps, nonce="", armed=False, now=0.0)
    observed = Observed({M: MACHINE}, [], [live], HERE)
    assert next_wake(observed, 0.0, 30.0) == 30.0
    assert next_wake(observed, deadline(live) - 5, 30.0) == 5.0
    assert next_wake(observed, deadline(live) + 5, 30.0) == 0.0


OPEN = Rescue(("ssh-ed25519 A",), since=1.0)
WISHED = Rescue(("ssh-ed25519 A",))
OVER = Rescue(ended=True)


def rescue_due(state, rescue, deployments=(), *, in_stack=HERE, attempts=()):
    machine = replace(MACHINE, state=state, rescue=rescue)
    found = plan(Observed({M: machine}, list(deployments), attempts, in_stack), 10.0)
    assert len(found) <= 1
    return (found[0].kind, found[0].steps) if found else None


@pytest.mark.parametrize(
    ("state", "rescue", "expected"),
    [
        (State.IDLE, WISHED, (Kind.RESCUE, ("rescue",))),
        (State.DISCOVERED, WISHED, (Kind.RESCUE, ("rescue",))),
        (State.STOPPED, WISHED, (Kind.RESCUE, ("rescue",))),
        (State.FAILED, WISHED, (Kind.RESCUE, ("rescue",))),
        (State.RESCUE, WISHED, (Kind.RESCUE, ("rescue",))),
        (State.RESCUE, OPEN, None),
        (State.RESCUE, None, None),
        (State.BROKEN, WISHED, None),
        (State.IDLE, None, None),
        (State.RESCUE, OVER, (Kind.END_RESCUE, ("restart", "return"))),
        (State.FAILED, OVER, (Kind.END_RESCUE, ("restart", "return"))),
        (State.IDLE, OVER, None),
    ],
)
def test_what_a_rescue_asks_for(state, rescue, expected):
    assert rescue_due(state, rescue) == expected


def test_a_rescue_shuts_down_what_runs_and_so_does_its_end_where_that_did_not_happen():
    stopped = [wanted(CURRENT, Wanted.STOPPED)]
    assert rescue_due(State.ACTIVE, WISHED, stopped) == (Kind.RESCUE, ("shut-down", "return", "rescue"))
    assert rescue_due(State.FAILED, OVER, stopped, in_stack=frozenset())[1] == ("shut-down", "return")
    assert rescue_due(State.FAILED, OVER, stopped)[1] == ("restart", "return")
    assert rescue_due(State.FAILED, WISHED, in_stack=frozenset())[1] == ("rescue",), "nothing runs: it is off"


@pytest.mark.parametrize("what", list(Wanted))
def test_a_deployment_waits_for_the_end_of_a_rescue(what):
    for deployment in (wanted(NEW, what), wanted(OLD, what), replace(wanted(CURRENT, what), retry=True)):
        assert rescue_due(State.RESCUE, OPEN, [deployment]) is None
        assert due(deployment, State.FAILED, failed_from=State.RESCUING) is None
        assert due(deployment, State.FAILED, failed_from=State.INSPECTING) is None


@pytest.mark.parametrize("state", sorted(BUSY))
def test_a_busy_machine_is_not_rescued_yet(state):
    assert rescue_due(state, WISHED) is None
    assert rescue_due(state, OVER) is None
