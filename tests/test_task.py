"""What a task may become, how far it is, and what cancelling it would mean."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.catalogue import ImageId
from appliance.deployment import Deployment, Wanted
from appliance.errors import Conflict
from appliance.machine import MachineId, State
from appliance.task import (
    CANCELLED,
    ENDED,
    TRANSITIONS,
    WEIGHTS,
    Before,
    Facts,
    Status,
    Task,
    TaskId,
    awaits,
    begun,
    brought_back,
    check_cancel,
    ended,
    followed,
    judged,
    message_of,
    progress_of,
    prospect,
    withdrawn,
)
from appliance.workflow import (
    HAND_OVER,
    PREPARE,
    REPORT_ACTIVE,
    SHUT_DOWN,
    STEPS,
    WRITE,
    Attempt,
    AttemptId,
    DeploymentId,
    Kind,
    begin,
    failed,
    progressed,
    step_done,
    steps_for,
)
from appliance.workflow import Status as AttemptStatus

M = MachineId("m1")
D = DeploymentId(1)
TASK = Task(TaskId(1), "deployment.start", "Start web-1", "ada", 0.0, machine=M, deployment=D)
WEB = Deployment(D, "web-1", ImageId(1), 0.0, machine=M, wanted=Wanted.RUNNING)


def deploying(kind: Kind = Kind.DEPLOY, **more: bool) -> Attempt:
    steps = steps_for(kind, system_runs=more.get("system_runs", False))
    return begin(AttemptId("a1"), kind, M, D, steps, nonce="n", armed=True, now=1.0)


def at_step(attempt: Attempt, step: str) -> Attempt:
    """Every step before it done, and it handed out."""
    while attempt.step is not None and attempt.step.name != step:
        attempt = step_done(attempt, attempt.step.name, {}, 2.0)
    return replace(attempt, obeyed=True)


moves = st.lists(
    st.sampled_from(
        [
            lambda task: begun(task, AttemptId("a1")),
            *(lambda task, status=status: ended(task, status, 5.0, "code", "why") for status in Status),
            lambda task: followed(task, deploying(), 2.0),
            lambda task: followed(task, failed(deploying(), "bad", "it broke", 3.0), 3.0),
            lambda task: followed(task, failed(deploying(), CANCELLED, "ada cancelled it", 3.0), 3.0),
            lambda task: judged(task, Facts(None, None, None), 4.0),
        ]
    ),
    max_size=12,
)


@given(moves)
def test_a_task_only_goes_where_the_table_leads_and_its_end_is_final(walk):
    task = TASK
    for move in walk:
        after = move(task)
        assert after.status is task.status or after.status in TRANSITIONS[task.status]
        if not task.open:
            assert after == task
        assert after.open == (after.ended is None)
        task = after


def test_every_end_is_final() -> None:
    assert all(not TRANSITIONS[status] for status in ENDED)
    assert all(TRANSITIONS[status] >= ENDED for status in Status if status not in ENDED)


@pytest.mark.parametrize("kind", list(Kind))
def test_progress_grows_from_step_to_step_and_ends_at_one(kind: Kind) -> None:
    attempt = begin(
        AttemptId("a"), kind, M, D, steps_for(kind, system_runs=True, wipe=True), nonce="", armed=True, now=0
    )
    seen = []
    while attempt.step is not None:
        for fraction in (0.0, 0.5, 1.0):
            attempt = progressed(attempt, attempt.step.name, fraction, "", 1.0)
            seen.append(progress_of(TASK, attempt))
        attempt = step_done(attempt, attempt.step.name, {}, 1.0)
    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert seen[-1] == pytest.approx(1.0)
    assert followed(TASK, attempt, 9.0).progress == 1.0


def test_every_step_of_the_machine_moves_the_bar() -> None:
    assert set(WEIGHTS) <= set(STEPS)


def test_a_failure_keeps_how_far_it_came() -> None:
    half = at_step(deploying(), WRITE)
    task = followed(TASK, failed(half, "bad", "it broke", 3.0), 3.0)
    assert (task.status, task.code, task.reason) == (Status.FAILED, "bad", "it broke")
    assert 0 < task.progress == progress_of(TASK, half)
    assert followed(task, half, 4.0) == task


def test_what_it_is_at_in_words() -> None:
    writing = progressed(at_step(deploying(), WRITE), WRITE, 0.5, "512 of 1024 MB", 2.0)
    assert message_of(TASK, writing) == "writing the image: 512 of 1024 MB"
    assert message_of(ended(TASK, Status.DONE, 1.0), writing) == ""


def test_only_the_attempt_that_was_asked_for_is_tied_to_it() -> None:
    assert awaits(TASK, deploying())
    assert not awaits(TASK, deploying(Kind.STOP, system_runs=True))
    assert not awaits(replace(TASK, deployment=DeploymentId(2)), deploying())
    assert not awaits(replace(TASK, machine=MachineId("m2")), deploying())
    assert not awaits(begun(TASK, AttemptId("a0")), deploying())


def test_cancelling_is_refused_once_the_machine_is_handed_over() -> None:
    running = begun(TASK, AttemptId("a1"))
    assert not prospect(running, at_step(deploying(), REPORT_ACTIVE)).possible
    with pytest.raises(Conflict, match="handed over") as refused:
        check_cancel(running, at_step(deploying(), REPORT_ACTIVE))
    assert refused.value.code == "cancel-refused"
    assert prospect(running, at_step(deploying(), HAND_OVER)).possible


@pytest.mark.parametrize("step", [PREPARE, WRITE, "grow", "configure", HAND_OVER])
def test_cancelling_says_what_is_left(step: str) -> None:
    found = prospect(begun(TASK, AttemptId("a1")), at_step(deploying(), step))
    assert found.possible
    assert "failed then" in found.text


@pytest.mark.parametrize("kind", list(Kind))
def test_every_step_says_what_cancelling_it_means(kind: Kind) -> None:
    attempt = replace(deploying(kind, system_runs=kind is not Kind.START), obeyed=True)
    for index in range(len(attempt.steps)):
        found = prospect(begun(TASK, AttemptId("a1")), replace(attempt, index=index))
        assert found.text.endswith(".")
        rescues = kind in (Kind.RESCUE, Kind.END_RESCUE)
        assert ("end the rescue" in found.text) is (rescues and found.possible)


def test_what_was_not_touched_comes_back() -> None:
    task = replace(begun(TASK, AttemptId("a1")), before=Before(State.IDLE, Wanted.RELEASED, assigned=False))
    assert brought_back(task, deploying()) is State.IDLE
    assert "as it was before" in prospect(task, deploying()).text
    assert brought_back(task, replace(deploying(), obeyed=True)) is None, "the agent has been told"
    assert brought_back(task, replace(deploying(), boots=1)) is None, "it may boot from its disk"
    assert brought_back(task, step_done(deploying(), PREPARE, {}, 2.0)) is None
    assert brought_back(replace(task, before=Before(State.FAILED)), deploying()) is None


def test_a_system_that_was_told_to_shut_down_is_said_to_do_so() -> None:
    stopping = at_step(deploying(Kind.STOP, system_runs=True), SHUT_DOWN)
    assert "was told to shut down" in prospect(begun(TASK, AttemptId("a1")), stopping).text


def test_nothing_that_has_ended_is_cancelled() -> None:
    for status in ENDED:
        assert not prospect(ended(TASK, status, 1.0), None).possible


def test_a_job_is_cancelled_once() -> None:
    job = Task(TaskId(2), "machines.bulk", "Tag 3 machines", "ada", 0.0, job=True)
    assert prospect(job, None).possible
    assert not prospect(replace(job, cancelled_by="bob"), None).possible


def test_a_withdrawn_wish_frees_the_machine_that_was_chosen_for_it() -> None:
    fresh = withdrawn(WEB, Before(State.IDLE, Wanted.RELEASED, assigned=False))
    assert (fresh.machine, fresh.wanted) == (None, Wanted.RELEASED)
    kept = withdrawn(replace(WEB, generation=4), Before(State.ACTIVE, Wanted.RUNNING, generation=3, assigned=True))
    assert (kept.machine, kept.generation, kept.wanted) == (M, 3, Wanted.RUNNING)


def test_what_was_missed_is_judged_from_what_there_is() -> None:
    gone = judged(begun(TASK, AttemptId("a1")), Facts(None, WEB, None), 9.0)
    assert (gone.status, gone.code) == (Status.FAILED, "attempt-gone")
    deleted = judged(TASK, Facts(None, None, None), 9.0)
    assert (deleted.status, deleted.code) == (Status.CANCELLED, "deployment-deleted")
    assert (
        judged(TASK, Facts(None, replace(WEB, wanted=Wanted.RELEASED, machine=None), None), 9.0).status is Status.DONE
    )
    late = judged(TASK, Facts(replace(deploying(), status=AttemptStatus.DONE), WEB, None), 9.0)
    assert (late.status, late.attempt) == (Status.DONE, AttemptId("a1"))
