"""From a timeline to seconds per phase."""

from typing import Any

import pytest

from appliance.events import KINDS
from appliance.lab.phases import PHASES, Phase, seconds_per_phase
from appliance.machine import State
from appliance.workflow import STEPS

STORY: list[tuple[float, str, dict[str, Any]]] = [
    (103, "dhcp.seen", {}),
    (104, "dhcp.seen", {}),
    (105, "script.served", {}),
    (120, "agent.started", {}),
    (125, "machine.state", {"to": "idle"}),
    (130, "attempt.started", {"kind": "deploy"}),
    (130, "machine.state", {"to": "deploying"}),
    (150, "step.done", {"step": "write-image"}),
    (155, "step.done", {"step": "hand-over"}),
    (170, "machine.state", {"to": "active"}),
    (180, "machine.state", {"to": "stopping"}),
    (200, "script.served", {}),
    (210, "machine.state", {"to": "stopped"}),
    (215, "step.done", {"step": "hand-over"}),
    (230, "machine.state", {"to": "active"}),
    (240, "machine.state", {"to": "releasing"}),
    (270, "machine.state", {"to": "idle"}),
]


def timeline(story: list[tuple[float, str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Newest first, as the API gives it."""
    items = [
        {"id": number, "at": at, "kind": kind, "text": kind, "detail": detail}
        for number, (at, kind, detail) in enumerate(story, start=1)
    ]
    return items[::-1]


def test_the_whole_story() -> None:
    assert seconds_per_phase(timeline(STORY), 100.0) == {
        "power-on": 0.0,
        "first-dhcp": 3,
        "boot-script": 5,
        "agent-started": 20,
        "idle": 25,
        "deploy-started": 30,
        "image-written": 50,
        "kexec": 55,
        "active": 70,
        "stopped": 110,
        "active-again": 130,
        "released": 140,
        "idle-again": 170,
    }


def test_what_did_not_happen_is_none_and_is_not_borrowed_from_earlier() -> None:
    seconds = seconds_per_phase(timeline(STORY[:10]), 100.0)
    assert seconds["active"] == 70
    assert seconds["stopped"] is None
    assert seconds["active-again"] is None
    assert seconds["idle-again"] is None


def test_what_was_before_power_on_does_not_count() -> None:
    early = [(90.0, "dhcp.seen", {}), (95.0, "agent.started", {})]
    assert seconds_per_phase(timeline(early), 100.0)["first-dhcp"] is None


def test_events_of_one_moment_are_told_apart_by_their_number() -> None:
    story = [(101.0, "dhcp.seen", {}), (101.0, "script.served", {}), (101.0, "agent.started", {})]
    seconds = seconds_per_phase(timeline(story), 100.0)
    assert [seconds[name] for name in ("first-dhcp", "boot-script", "agent-started")] == [1, 1, 1]


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_every_phase_waits_for_an_event_that_exists(phase: Phase) -> None:
    details: list[dict[str, Any]] = [{}, *({"to": state.value} for state in State), *({"step": step} for step in STEPS)]
    assert any(phase.ends({"kind": kind, "detail": detail}) for kind in KINDS for detail in details)


def test_the_story_is_told_in_events_that_exist() -> None:
    assert {kind for _, kind, _ in STORY} <= set(KINDS)
