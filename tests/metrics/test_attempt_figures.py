"""Attempts are counted by words of ours, whatever agents say."""

import pytest

from appliance.events import Event, Progress
from appliance.machine import MachineId
from appliance.metrics import attempts
from appliance.metrics.attempts import AttemptFigures


def _event(name: str, at: float, **detail: object) -> Event:
    return Event(name, at, "text", machine=MachineId("m1"), detail=dict(detail))


def test_outcome_and_duration() -> None:
    figures = AttemptFigures()
    figures.take(_event("attempt.started", 100.0, attempt="a1", kind="deploy"))
    figures.take(_event("attempt.done", 142.0, attempt="a1", kind="deploy"))
    figures.take(_event("attempt.failed", 142.0, attempt="before-our-start", kind="wipe", code="disk\n\x1bgone"))
    assert figures.ended == {("deploy", "done"): 1, ("wipe", "failed"): 1}
    assert figures.seconds["deploy", "done"].total == 42.0
    assert set(figures.seconds) == {("deploy", "done")}


def test_what_is_no_attempt_of_ours_is_not_counted() -> None:
    figures = AttemptFigures()
    figures.take(_event("attempt.done", 1.0, attempt="a1", kind='x"} 1\nevil'))
    figures.take(_event("attempt.done", 1.0))
    figures.take(_event("machine.state", 1.0, kind="deploy"))
    figures.take(Progress(MachineId("m1"), "grow", 0.5, "half"))
    assert figures.ended == {}


def test_what_never_ends_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "REMEMBERED", 2)
    figures = AttemptFigures()
    for number in range(5):
        figures.take(_event("attempt.started", 0.0, attempt=f"a{number}", kind="deploy"))
    figures.take(_event("attempt.done", 9.0, attempt="a0", kind="deploy"))
    figures.take(_event("attempt.done", 9.0, attempt="a4", kind="deploy"))
    assert figures.seconds["deploy", "done"].total == 9.0
