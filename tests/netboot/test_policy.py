"""The boot decision, case by case; then any sequence of boots, reports and silences at all."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from appliance.catalogue import ImageId
from appliance.deployment import Deployment, DiskIdentity, Installed
from appliance.errors import Conflict
from appliance.machine import BUSY, MacAddress, Machine, MachineId, State
from appliance.netboot.policy import LocalDisk, MaintenanceStack, NextEntry, decide, decide_unknown
from appliance.reconcile.outcome import deployment_after, machine_after
from appliance.rescue import Rescue
from appliance.workflow import (
    BUSY_STATE,
    CONFIGURE,
    PREPARE,
    STEPS,
    WIPE_DISK,
    WRITE,
    Actor,
    AttemptId,
    DeploymentId,
    Kind,
    Status,
    begin,
    failed,
    progressed,
    seen,
    step_done,
    steps_for,
    timed_out,
)

DISK = DiskIdentity("S1", None, 1 << 30)
MACHINE = Machine(MachineId("m"), "node-1", State.IDLE, (MacAddress("52:54:00:00:00:01"),), 0.0, maintenance=False)
DEPLOYMENT = Deployment(DeploymentId(1), "web-1", ImageId(1), 0.0, machine=MACHINE.id, disk=DISK)
INSTALLED = replace(DEPLOYMENT, installed=Installed(1, DISK, "esp", "root"))
TO_DISK = LocalDisk("esp", "root")
DESTRUCTIVE = {PREPARE, WRITE, WIPE_DISK}


def attempt(kind, *, index=0, runs=False, armed=False, wipe=False, **changes):
    steps = steps_for(kind, system_runs=runs, wipe=wipe)
    made = begin(AttemptId("a"), kind, MACHINE.id, DeploymentId(1), steps, nonce="n", armed=armed, now=0.0)
    return replace(made, index=index, **changes)


def busy(kind):
    return replace(MACHINE, state=BUSY_STATE[kind])


@pytest.mark.parametrize(
    ("policy", "spec"),
    [("enlist", MaintenanceStack(armed=False)), ("local-disk", NextEntry()), ("ignore", NextEntry())],
)
def test_strangers(policy, spec):
    assert decide_unknown(policy) == spec


@pytest.mark.parametrize("state", sorted(set(State) - BUSY - {State.ACTIVE}))
def test_a_machine_that_rests_gets_the_stack_without_rights(state):
    assert decide(replace(MACHINE, state=state), None, INSTALLED, 1.0).spec == MaintenanceStack(armed=False)


def test_an_active_machine_boots_its_disk():
    assert decide(replace(MACHINE, state=State.ACTIVE), None, INSTALLED, 1.0).spec == TO_DISK


def test_an_active_machine_whose_disk_is_not_known_is_left_to_its_firmware():
    assert decide(replace(MACHINE, state=State.ACTIVE), None, DEPLOYMENT, 1.0).spec == NextEntry()


def test_an_ended_attempt_decides_nothing():
    ended = attempt(Kind.DEPLOY, status=Status.FAILED)
    assert decide(replace(MACHINE, state=State.FAILED), ended, INSTALLED, 1.0).attempt is None


def test_an_armed_boot_gets_the_rights_of_its_attempt():
    decision = decide(busy(Kind.DEPLOY), attempt(Kind.DEPLOY, armed=True), DEPLOYMENT, 1.0)
    assert decision.spec == MaintenanceStack(armed=True)
    assert decision.attempt.boots == 1


@pytest.mark.parametrize("index", range(5))
def test_a_restart_in_the_middle_fails_and_says_in_what(index):
    decision = decide(busy(Kind.DEPLOY), attempt(Kind.DEPLOY, index=index), DEPLOYMENT, 1.0)
    assert (decision.spec, decision.attempt.code) == (MaintenanceStack(armed=False), "restarted")
    assert decision.attempt.reason.endswith(STEPS[decision.attempt.steps[index]].label)
    assert decision.machine.state is State.FAILED


def test_booting_the_disk_is_the_hand_over_when_the_agent_was_told_to():
    decision = decide(busy(Kind.DEPLOY), attempt(Kind.DEPLOY, index=4, obeyed=True), INSTALLED, 1.0)
    assert (decision.spec, decision.attempt.step.name) == (TO_DISK, "report-active")


def test_a_start_boots_the_disk():
    decision = decide(busy(Kind.START), attempt(Kind.START, armed=True), INSTALLED, 1.0)
    assert (decision.spec, decision.attempt.step.name) == (TO_DISK, "report-active")


def test_a_silent_kexec_is_remembered_and_a_reboot_is_not():
    by_kexec = attempt(Kind.DEPLOY, index=5, results={"hand-over": {"method": "kexec"}})
    assert decide(busy(Kind.DEPLOY), by_kexec, INSTALLED, 1.0).machine.hand_over == "reboot"
    labels = replace(by_kexec, results={**by_kexec.results, CONFIGURE: {"relabels": True}})
    decision = decide(busy(Kind.DEPLOY), labels, INSTALLED, 1.0)
    assert (decision.spec, decision.machine.hand_over) == (TO_DISK, "kexec")
    by_reboot = attempt(Kind.DEPLOY, index=5, results={"hand-over": {"method": "reboot"}})
    decision = decide(busy(Kind.DEPLOY), by_reboot, INSTALLED, 1.0)
    assert (decision.spec, decision.machine.hand_over) == (TO_DISK, "kexec")


@pytest.mark.parametrize(
    ("method", "index", "boots", "expected"),
    [("kexec", 5, 0, "reboot"), ("kexec", 5, 1, "kexec"), ("reboot", 5, 0, "kexec"), ("kexec", 4, 0, "kexec")],
)
def test_only_silence_right_after_a_kexec_speaks_against_it(method, index, boots, expected):
    waiting = attempt(Kind.DEPLOY, index=index, boots=boots, results={"hand-over": {"method": method}})
    after = machine_after(busy(Kind.DEPLOY), timed_out(waiting, 1e6))
    assert (after.state, after.hand_over) == (State.FAILED, expected)


@pytest.mark.parametrize("kind", [Kind.STOP, Kind.RELEASE, Kind.DEPLOY])
def test_a_boot_while_shutting_down_means_that_it_is_down(kind):
    decision = decide(busy(kind), attempt(kind, runs=True, armed=True), INSTALLED, 1.0)
    assert (decision.spec, decision.attempt.step.name) == (MaintenanceStack(armed=True), "return")


@pytest.mark.parametrize(("kind", "index"), [(Kind.STOP, 1), (Kind.DEPLOY, 7)])
def test_the_third_boot_in_one_step_is_a_loop(kind, index):
    machine, now = busy(kind), attempt(kind, runs=True, armed=True, index=index)
    for _ in range(2):
        now = decide(machine, now, INSTALLED, 1.0).attempt
        assert now.status is Status.LIVE
    decision = decide(machine, now, INSTALLED, 1.0)
    assert (decision.attempt.code, decision.spec) == ("boot-loop", MaintenanceStack(armed=False))


def test_a_machine_in_rescue_that_restarts_opens_ssh_again():
    rescue = Rescue(("ssh-ed25519 A",), since=1.0, address="10.77.0.50", host_keys=("ssh-ed25519 B",))
    decision = decide(replace(MACHINE, state=State.RESCUE, rescue=rescue), None, INSTALLED, 1.0)
    assert decision.spec == MaintenanceStack(armed=False)
    assert decision.machine.rescue == Rescue(("ssh-ed25519 A",)), "open nowhere, and wanted still"


def test_a_restart_by_itself_ends_the_step_that_asks_for_one():
    decision = decide(busy(Kind.END_RESCUE), attempt(Kind.END_RESCUE), None, 1.0)
    assert decision.spec == MaintenanceStack(armed=False)
    assert decision.attempt.step.name == "return"
    assert "left the stack of its rescue" in decision.reason


def test_no_step_of_a_rescue_touches_a_disk_or_hands_out_a_secret():
    for kind in (Kind.RESCUE, Kind.END_RESCUE):
        for runs in (True, False):
            steps = steps_for(kind, system_runs=runs)
            assert not DESTRUCTIVE & set(steps)
            assert not any(STEPS[name].secret for name in steps)


class AnyLife(RuleBasedStateMachine):
    """Boots, reports and silences in any order: nothing but Conflict is raised, and nothing is destroyed twice."""

    @initialize(kind=st.sampled_from(sorted(Kind)), runs=st.booleans(), wipe=st.booleans(), armed=st.booleans())
    def begins(self, kind, runs, wipe, armed):
        self.now = 0.0
        self.attempt = attempt(kind, runs=runs, wipe=wipe, armed=armed)
        self.machine = machine_after(replace(MACHINE, state=BUSY_STATE[kind]), self.attempt)
        self.deployment = INSTALLED
        self.finished: list[str] = []

    def _settled(self, after):
        self.finished += after.steps[self.attempt.index : after.index]
        before, self.attempt = self.attempt, after
        if before.status is not Status.LIVE:
            assert after == before, "what has ended does not change"
            return
        self.machine = machine_after(self.machine, after)
        self.deployment = deployment_after(self.deployment, after)

    @rule(seconds=st.floats(0, 4000))
    def time_passes(self, seconds):
        self.now += seconds
        self._settled(timed_out(self.attempt, self.now))

    @rule()
    def boots(self):
        decision = decide(self.machine, self.attempt, self.deployment, self.now)
        if decision.attempt is not None:
            if decision.attempt.status is Status.LIVE and isinstance(decision.spec, MaintenanceStack):
                step = decision.attempt.step
                unasked = step.name in DESTRUCTIVE and not self.attempt.armed
                assert not unasked, "an unexpected boot comes to nothing destructive"
            hand_over = decision.machine.hand_over
            self._settled(decision.attempt)
            self.machine = replace(self.machine, hand_over=hand_over)

    @rule(step=st.sampled_from(sorted(STEPS)), result=st.sampled_from([{}, {"method": "kexec"}, {"disk": 5}]))
    def says_done(self, step, result):
        try:
            self._settled(step_done(self.attempt, step, result, self.now))
        except Conflict:
            assert self.attempt.status is not Status.LIVE or self.attempt.step.name != step

    @rule(step=st.sampled_from(sorted(STEPS)))
    def says_failed(self, step):
        try:
            progressed(self.attempt, step, 0.5, "", self.now)
        except Conflict:
            return
        self._settled(failed(self.attempt, "step-failed", "why", self.now))

    @precondition(lambda self: self.attempt.status is Status.LIVE)
    @rule()
    def is_admitted(self):
        self._settled(replace(seen(self.attempt, self.now), armed=False))

    @precondition(lambda self: self.attempt.status is Status.LIVE and self.attempt.step.actor is Actor.AGENT)
    @rule()
    def is_handed_out(self):
        step = self.attempt.step.name
        assert not (step in DESTRUCTIVE and step in self.finished), "done once, handed out never again"
        self._settled(replace(self.attempt, obeyed=True, armed=False, step_seen=self.now))

    @invariant()
    def the_machine_is_where_its_attempt_is(self):
        expected = {
            Status.LIVE: self.machine.state is BUSY_STATE[self.attempt.kind],
            Status.FAILED: self.machine.state is State.FAILED and bool(self.machine.failed_reason),
            Status.DONE: self.machine.state not in BUSY | {State.FAILED},
        }
        assert expected[self.attempt.status]

    @invariant()
    def every_step_was_finished_once_and_in_order(self):
        assert tuple(self.finished) == self.attempt.steps[: self.attempt.index]


AnyLife.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
test_any_life = AnyLife.TestCase


def test_what_the_agent_made_of_the_disk_is_kept_until_the_next_deploy():
    result = {"esp_partuuid": "e2", "root_fsuuid": None, "ssh_host_keys": ["k1"]}
    configured = step_done(attempt(Kind.DEPLOY, index=3), CONFIGURE, result, 1.0)
    after = deployment_after(INSTALLED, configured)
    assert (after.installed.esp_partuuid, after.installed.root_fsuuid, after.host_keys) == ("e2", None, ("k1",))
    reported = replace(after, host_keys=("newer",))
    later = step_done(configured, "hand-over", {"method": "kexec"}, 2.0)
    assert deployment_after(reported, later).host_keys == ("newer",)
