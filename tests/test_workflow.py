"""Attempts: clocks, order, ends; by hand and by numbers."""

from dataclasses import replace

import pytest

from appliance.errors import Conflict
from appliance.machine import BUSY, TRANSITIONS, MachineId, State
from appliance.workflow import (
    BOOT_LOOP,
    BUSY_STATE,
    END_STATE,
    MINUTE,
    PREPARE,
    STEPS,
    WIPE_DISK,
    Actor,
    AttemptId,
    Kind,
    Status,
    begin,
    deadline,
    failed,
    minutes,
    progressed,
    restarted,
    seen,
    step_done,
    steps_for,
    timed_out,
)

STEP = STEPS[PREPARE]


def started(kind=Kind.DEPLOY, now=100.0, **how):
    steps = steps_for(kind, system_runs=how.pop("runs", False), **how)
    return begin(AttemptId("a"), kind, MachineId("m"), None, steps, nonce="n", armed=False, now=now)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("wipe", [True, False])
def test_every_workflow_is_made_of_known_steps_and_leads_where_a_machine_may_go(kind, runs, wipe):
    steps = steps_for(kind, system_runs=runs, wipe=wipe)
    assert set(steps) <= set(STEPS)
    assert len(set(steps)) == len(steps)
    assert END_STATE[kind] in TRANSITIONS[BUSY_STATE[kind]]
    assert BUSY_STATE[kind] in BUSY & TRANSITIONS[State.FAILED]
    if runs and kind not in (Kind.START, Kind.WIPE):
        assert steps[:2] == ("shut-down", "return"), "what runs is shut down before its disk is touched"


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("wipe", [True, False])
def test_a_machine_that_is_off_has_the_time_to_be_switched_on_whatever_comes_first(kind, runs, wipe):
    """Somebody walks to it, and a self-test of ten minutes is normal."""
    steps = [STEPS[name] for name in steps_for(kind, system_runs=runs, wipe=wipe)]
    assert all(step.patience >= 20 * MINUTE for step in steps[:1])
    assert all(step.patience >= 20 * MINUTE for step in steps if step.actor is Actor.BOOT)
    assert all(step.limit > step.patience for step in steps)


def test_nothing_but_an_asked_for_release_or_wipe_wipes():
    wiping = [(k, w) for k in Kind for w in (True, False) if WIPE_DISK in steps_for(k, system_runs=False, wipe=w)]
    assert wiping == [(Kind.RELEASE, True), (Kind.WIPE, True), (Kind.WIPE, False)]


def test_an_attempt_without_steps_is_done_at_once():
    attempt = started(Kind.STOP)
    assert (attempt.status, attempt.ended, attempt.step, deadline(attempt)) == (Status.DONE, 100.0, None, None)


def test_the_deadline_moves_with_signs_up_to_the_limit():
    attempt = started()
    assert deadline(attempt) == 100 + STEP.patience
    assert deadline(seen(attempt, 200.0)) == 200 + STEP.patience
    assert deadline(seen(attempt, 100 + STEP.limit - 1)) == 100 + STEP.limit


def test_time_out_exactly_at_the_deadline():
    attempt = started()
    assert timed_out(attempt, 100 + STEP.patience - 0.001) is attempt
    assert timed_out(attempt, 100 + STEP.patience).code == "step-silent"
    alive = seen(attempt, 100 + STEP.limit - 1)
    assert timed_out(alive, 100 + STEP.limit).code == "step-limit"


def test_progress_is_bounded_and_its_words_too():
    attempt = progressed(started(), PREPARE, -3, "x" * 10_000, 101.0)
    assert (attempt.progress, len(attempt.message), attempt.step_seen) == (0.0, 500, 101.0)
    with pytest.raises(Conflict):
        progressed(attempt, "grow", 0.5, "", 101.0)


def test_done_moves_on_and_starts_afresh():
    attempt = restarted(progressed(started(), PREPARE, 0.5, "half", 101.0), 102.0)
    after = step_done(replace(attempt, obeyed=True), PREPARE, {"x": 1}, 110.0)
    assert (after.step.name, after.progress, after.message, after.boots, after.obeyed) == (
        "write-image",
        0,
        "",
        0,
        False,
    )
    assert (after.step_started, after.results, after.finished) == (110.0, {PREPARE: {"x": 1}}, PREPARE)
    assert step_done(after, PREPARE, {"x": 2}, 120.0) is after
    with pytest.raises(Conflict):
        step_done(after, "grow", {}, 120.0)


def test_the_last_step_ends_it():
    attempt = started(Kind.START)
    for name in attempt.steps:
        attempt = step_done(attempt, name, {}, 105.0)
    assert (attempt.status, attempt.ended, attempt.armed) == (Status.DONE, 105.0, False)
    assert failed(attempt, "c", "r", 110.0) is attempt
    assert timed_out(attempt, 1e12) is attempt


def test_the_first_reason_stays():
    attempt = failed(started(), "first", "why", 101.0)
    assert failed(attempt, "second", "other", 102.0) is attempt
    assert timed_out(attempt, 1e12) is attempt
    with pytest.raises(Conflict):
        step_done(attempt, PREPARE, {}, 103.0)


def test_boots_are_counted_within_one_step():
    attempt = started()
    for number in range(1, BOOT_LOOP):
        attempt = restarted(attempt, 100.0 + number)
        assert (attempt.status, attempt.boots) == (Status.LIVE, number)
    assert restarted(attempt, 200.0).code == "boot-loop"


def test_slow_firmware_is_within_every_patience_of_a_boot():
    assert all(s.patience >= 10 * 60 for s in STEPS.values() if s.actor is not Actor.AGENT)
    assert all(s.patience <= s.limit for s in STEPS.values())


@pytest.mark.parametrize(
    ("seconds", "words"), [(30, "30 seconds"), (119, "119 seconds"), (120, "2 minutes"), (3600, "60 minutes")]
)
def test_lengths_of_time(seconds, words):
    assert minutes(seconds) == words


@pytest.mark.parametrize(
    ("kind", "runs", "expected"),
    [
        (Kind.DEPLOY, False, "provide-root grant-root configure hand-over report-active"),
        (Kind.DEPLOY, True, "shut-down return revoke-root provide-root grant-root configure hand-over report-active"),
        (Kind.START, False, "grant-root hand-over report-active"),
        (Kind.STOP, True, "shut-down return revoke-root"),
        (Kind.RELEASE, True, "shut-down return revoke-root discard-root"),
        (Kind.RELEASE, False, "revoke-root discard-root"),
        (Kind.RESCUE, True, "shut-down return revoke-root rescue"),
        (Kind.END_RESCUE, False, "restart return revoke-root"),
    ],
)
@pytest.mark.parametrize("delivery", ["iscsi", "nfs"])
def test_what_is_on_a_volume_is_exported_for_as_long_as_its_machine_may_run_it(kind, runs, expected, delivery):
    assert " ".join(steps_for(kind, system_runs=runs, delivery=delivery)) == expected


@pytest.mark.parametrize("delivery", ["disk", "ram"])
@pytest.mark.parametrize("kind", list(Kind))
def test_nothing_is_exported_of_what_is_on_no_volume(kind, delivery):
    steps = [STEPS[name] for name in steps_for(kind, system_runs=True, delivery=delivery)]
    assert all(step.actor is not Actor.APPLIANCE for step in steps)


@pytest.mark.parametrize("delivery", ["disk", "ram", "iscsi", "nfs"])
@pytest.mark.parametrize("kind", list(Kind))
def test_whoever_has_to_switch_it_on_has_time_for_that(kind, delivery):
    steps = [STEPS[name] for name in steps_for(kind, system_runs=False, delivery=delivery)]
    assert all(step.patience >= 20 * MINUTE for step in steps[:1])
    machines = [step for step in steps if step.actor is not Actor.APPLIANCE]
    assert all(step.patience >= 20 * MINUTE for step in machines[:1])


def test_a_step_of_the_appliance_waits_for_no_machine():
    attempt = started(delivery="iscsi")
    late = timed_out(attempt, deadline(attempt))
    assert (late.code, late.reason) == ("step-limit", "making its root volume: not finished after 360 minutes")
