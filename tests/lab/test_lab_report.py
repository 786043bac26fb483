"""What the check hands over."""

import json

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from appliance.lab.phases import NAMES
from appliance.lab.report import Failure, Outcome, as_json, as_table, clean, explain, last_lines, succeeded

COMPLETE: dict[str, float | None] = {name: float(index) for index, name in enumerate(NAMES)}
GOOD = Outcome("node1", "bios", "idle", "released", COMPLETE)
BAD = Outcome(
    "node2",
    "uefi",
    "failed",
    None,
    {**COMPLETE, "active": None},
    Failure("active", "no login with token=abcdef0123456789", "\x1b[2Jhello\r\n\r\nqrm.token=5f5f5f5f\r\npanic\r\n"),
    (
        {"at": 11.5, "kind": "dhcp.seen", "text": "seen"},
        {"at": 10.0, "kind": "x", "text": "\x1b[31mred", "reason": "why"},
    ),
)


def test_success_needs_every_phase_of_every_machine() -> None:
    assert succeeded([GOOD])
    assert not succeeded([])
    assert not succeeded([GOOD, BAD])
    assert not succeeded([Outcome("node1", "bios", seconds={**COMPLETE, "kexec": None})])


def test_the_json_says_all_per_machine() -> None:
    report = json.loads(json.dumps(as_json([GOOD, BAD], 12.34)))
    assert report["ok"] is False
    assert report["seconds"] == 12.3
    first, second = report["machines"]
    assert first == {
        "name": "node1",
        "firmware": "bios",
        "machine_state": "idle",
        "deployment_state": "released",
        "phases": COMPLETE,
        "failure": None,
    }
    assert second["failure"]["phase"] == "active"
    assert "abcdef" not in second["failure"]["reason"]


def test_a_failure_is_explained_with_timeline_and_console_but_without_secrets() -> None:
    text = explain(BAD)
    assert "did not get to active" in text
    assert text.index("red (why)") < text.index("seen")
    assert "panic" in text
    assert "5f5f5f5f" not in text
    assert "\x1b" not in text


def test_a_phase_without_event_is_named() -> None:
    assert "kexec" in explain(Outcome("node1", "bios", seconds={**COMPLETE, "kexec": None}))
    assert explain(GOOD) == ""


def test_the_table_has_a_column_per_machine() -> None:
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(as_table([GOOD, BAD]))
    text = console.export_text()
    assert "node1 (bios)" in text
    assert "node2 (uefi)" in text
    assert all(name in text for name in NAMES)


def test_only_the_last_lines_of_a_console() -> None:
    assert last_lines("".join(f"line {n}\r\n" for n in range(100)), 2) == ["line 98", "line 99"]


def test_what_systemd_sends_to_reset_a_terminal_leaves_nothing() -> None:
    assert clean("\x1b[!p\x1b]104\x07\x1b[?7h\x1b[6n\x1b[32766;32766H\x1b(Blogin:\x1b]0;title\x1b\\ ok") == "login: ok"


@given(st.text())
def test_nothing_from_a_machine_steers_the_terminal(text: str) -> None:
    assert not set(clean(text)) & {"\x1b", "\x07", "\x00", "\x7f", "\r"}
