"""Who has to press which button: for every step that a machine can be silent in, what helps it there."""

from dataclasses import replace

import pytest

from appliance.deployment import Deployment, DiskIdentity, Installed
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.netboot.policy import LocalDisk, MaintenanceStack, decide
from appliance.reconcile.advice import advice
from appliance.workflow import BUSY_STATE, AttemptId, DeploymentId, Kind, Status, begin, failed, step_done, steps_for

NOW = 5000.0
FIRST = [
    (Kind.DEPLOY, False, False),
    (Kind.DEPLOY, True, False),
    (Kind.START, False, False),
    (Kind.STOP, True, False),
    (Kind.RELEASE, True, False),
    (Kind.RELEASE, True, True),
    (Kind.RELEASE, False, True),
    (Kind.WIPE, False, True),
    (Kind.RESCUE, False, False),
    (Kind.RESCUE, True, False),
    (Kind.END_RESCUE, False, False),
    (Kind.END_RESCUE, True, False),
]
"""Every way an attempt can begin: its kind, whether a system has to be shut down first, whether the disk is wiped."""


def attempt(kind, runs=False, wipe=False, at=None):
    """Live, in its first step or in the step called ``at``, of which the agent knows."""
    steps = steps_for(kind, system_runs=runs, wipe=wipe)
    made = begin(AttemptId("a"), kind, MachineId("m"), DeploymentId(1), steps, nonce="n", armed=True, now=NOW)
    while at is not None and made.step.name != at:
        made = replace(step_done(made, made.step.name, {}, NOW), armed=False)
    return made


@pytest.mark.parametrize(("kind", "runs", "wipe"), FIRST)
def test_every_first_step_of_a_silent_machine_says_what_to_press(kind, runs, wipe):
    said = advice(attempt(kind, runs, wipe), "node-1", offline=True)
    assert said.startswith("Switch node-1 off and on again" if runs else "Switch node-1 on")


@pytest.mark.parametrize(("kind", "runs", "wipe"), FIRST)
def test_a_machine_that_is_there_needs_nobody(kind, runs, wipe):
    assert advice(attempt(kind, runs, wipe), "node-1", offline=False) == ""


def test_an_attempt_that_has_ended_needs_nobody():
    live = attempt(Kind.START)
    assert advice(failed(live, "x", "y", NOW), "node-1", offline=True) == ""
    assert advice(replace(live, status=Status.DONE, index=2), "node-1", offline=True) == ""


STEPS = [
    (kind, runs, wipe, step) for kind, runs, wipe in FIRST for step in steps_for(kind, system_runs=runs, wipe=wipe)
]


@pytest.mark.parametrize(("kind", "runs", "wipe", "step"), STEPS)
@pytest.mark.parametrize("obeyed", [False, True])
def test_who_does_as_advised_gets_the_attempt_on(kind, runs, wipe, step, obeyed):
    """The boot decision is asked what a restart would lead to: it is advised where it helps, and only there."""
    live = attempt(kind, runs, wipe, at=step)
    live = replace(live, obeyed=obeyed, armed=live.armed and not obeyed)
    disk = DiskIdentity("S", None, 1)
    node = Machine(MachineId("m"), "node-1", BUSY_STATE[kind], (parse_mac("52:54:00:00:00:01"),), 0.0)
    web = Deployment(DeploymentId(1), "web", 1, 0.0, machine=node.id, disk=disk, installed=Installed(1, disk, "e", "r"))
    decision = decide(node, live, web, NOW + 1)
    said = advice(live, "node-1", offline=True)
    if decision.machine is not None and decision.machine.state is State.FAILED:
        assert "a restart ends the attempt" in said
        assert "Switch" not in said
    else:
        assert "witch node-1 o" in said or "switch it off and on again" in said
        assert isinstance(decision.spec, LocalDisk | MaintenanceStack)
