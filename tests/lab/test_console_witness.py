"""What is held against the truth: shown too early, shown too long, shown and never true."""

import pytest
from console_witness import LATE_SECONDS, Shown, Truth, Witness, truths, untrue

TRUE = [Truth("idle", 0.0, 10.0), Truth("deploying", 10.0, 20.0)]


def shown(state: str, start: float, end: float) -> Shown:
    return Shown("wall", "/machines", "row", state, start, end)


@pytest.mark.parametrize(
    ("state", "start", "end", "fits"),
    [
        ("idle", 1.0, 9.0, True),
        ("idle", 1.0, 10.0 + LATE_SECONDS, True),
        ("idle", 1.0, 10.1 + LATE_SECONDS, False),
        ("deploying", 9.9, 15.0, False),
        ("active", 15.0, 16.0, False),
        ("not running", 15.0, 16.0, True),
    ],
)
def test_what_was_shown_is_true_or_is_not(state: str, start: float, end: float, fits: bool) -> None:
    assert (untrue([shown(state, start, end)], TRUE) == []) is fits


def test_the_truth_comes_from_the_timeline() -> None:
    timeline = [{"kind": "machine.state", "at": 10.0, "detail": {"to": "idle"}}, {"kind": "dhcp.seen", "at": 1.0}]
    assert truths(timeline, 0.5, 30.0) == [Truth("discovered", 0.5, 10.0), Truth("idle", 10.0, 30.0)]


def test_what_a_page_calls_old_is_not_held_against_it() -> None:
    witness = Witness("wall")
    for at, old in ((1.0, False), (5.0, True), (9.0, False)):
        states, shares = {"row": ["idle"]}, {"row": ["5%"]}
        witness.note({"at": at, "path": "/machines", "old": old, "states": states, "shares": shares})
    assert [(each.start, each.end) for each in witness.shown(12.0)] == [(1.0, 5.0), (9.0, 12.0)]
    assert witness.shares("row") == [5]
