"""The mark of a run: there while it goes on, gone after a good end, and what its being there means."""

import json

import pytest

from appliance import last_run
from appliance.backup.incoming import DIRECTORY, WHOLE, bring_in
from appliance.errors import ApplianceError
from appliance.events import KINDS
from appliance.last_run import BOOT_ID, NAME, Run, begin, boot_id, end, fail, interruption, left
from appliance.state import write_whole

SINCE = 1_763_780_400.0
"""2025-11-22 03:00:00 UTC"""
RUN = Run(SINCE, "b0")


def test_a_run_is_marked_until_its_good_end(tmp_path):
    assert left(tmp_path) is None
    begin(tmp_path, RUN)
    assert left(tmp_path) == RUN
    end(tmp_path)
    assert left(tmp_path) is None
    end(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_next_run_takes_the_place_of_the_one_before(tmp_path):
    begin(tmp_path, RUN)
    begin(tmp_path, Run(SINCE + 9, "b1"))
    assert left(tmp_path) == Run(SINCE + 9, "b1")


@pytest.mark.parametrize("at", ["os.open", "os.fsync", "pathlib.Path.replace"])
def test_a_kill_in_the_middle_of_the_mark_leaves_the_one_before_or_none(tmp_path, monkeypatch, at):
    class KilledError(BaseException):
        pass

    def killed(*_, **__):
        raise KilledError

    for before in (None, RUN):
        if before is not None:
            begin(tmp_path, before)
        with monkeypatch.context() as patched:
            patched.setattr(at, killed)
            with pytest.raises(KilledError):
                begin(tmp_path, Run(SINCE + 9, "b1"))
        assert left(tmp_path) == before
    begin(tmp_path, Run(SINCE + 10, "b2"))
    assert left(tmp_path) == Run(SINCE + 10, "b2"), "what was left over is in nobody's way"


def test_a_mark_that_cannot_be_made_or_taken_away_is_logged_and_no_more(tmp_path, caplog):
    begin(tmp_path / "nowhere", RUN)
    assert "it could not be noted that the daemon runs" in caplog.text
    end(tmp_path / "nowhere")
    assert "will say that this run was interrupted" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{", b'{"since": "x"}', b"\xff\x00"])
def test_a_mark_that_cannot_be_read_is_one_all_the_same(tmp_path, content):
    write_whole(tmp_path / NAME, content)
    assert left(tmp_path) == Run()
    assert interruption(Run(), "b0", 5.0, 9.0).text.startswith("the daemon had been killed or had crashed, or the")


def test_a_mark_of_a_later_version_is_read(tmp_path):
    write_whole(tmp_path / NAME, json.dumps({"since": SINCE, "boot": "b0", "more": [1]}).encode())
    assert left(tmp_path) == RUN


def test_the_same_boot_means_a_kill_or_a_crash():
    told = interruption(RUN, "b0", SINCE + 60, SINCE + 70)
    assert told.text == "the daemon had been killed or had crashed"
    assert told.reason == (
        "it ran since 2025-11-22 03:00:00 UTC; its last event is of 2025-11-22 03:01:00 UTC;"
        f" its log tells more: {last_run.LOG}"
    )
    assert (told.kind, told.at, told.detail) == ("daemon.interrupted", SINCE + 70, {"since": SINCE, "last": SINCE + 60})
    assert told.kind in KINDS


def test_another_boot_means_that_the_computer_went_down():
    told = interruption(RUN, "b1", None, SINCE + 70)
    assert told.text == "the computer lost power, crashed or was reset while the daemon ran"
    assert told.reason == "it ran since 2025-11-22 03:00:00 UTC"


@pytest.mark.parametrize(("run", "boot"), [(RUN, ""), (Run(SINCE), "b1"), (Run(SINCE), "")])
def test_who_does_not_know_the_boot_says_both(run, boot):
    told = interruption(run, boot, None, SINCE)
    assert told.text == "the daemon had been killed or had crashed, or the computer lost power while it ran"
    assert told.reason.endswith(last_run.LOG)


def test_the_error_that_ended_it_is_told(tmp_path):
    begin(tmp_path, RUN)
    fail(tmp_path, ApplianceError("x", "the interface nic1 was removed"), SINCE)
    run = left(tmp_path)
    for boot in ("b0", "b1", ""):
        told = interruption(run, boot, None, SINCE)
        assert told.text == "the daemon had ended by itself: the interface nic1 was removed"
        assert told.reason.endswith(last_run.LOG)
    fail(tmp_path, KeyError("secret"), SINCE)
    assert left(tmp_path).failed == "KeyError"


def test_a_start_that_failed_is_not_why_the_run_before_ended(tmp_path):
    fail(tmp_path, KeyError(), 0.0)
    assert left(tmp_path) is None
    begin(tmp_path, RUN)
    fail(tmp_path, KeyError(), SINCE + 1)
    assert left(tmp_path) == RUN


def test_a_restore_that_is_brought_in_leaves_the_mark_where_it_is(tmp_path):
    """It is of the daemon, and of no state: a kill before the restore is told after it."""
    begin(tmp_path, RUN)
    (tmp_path / "store.db").write_text("old")
    whole = tmp_path / DIRECTORY / WHOLE
    whole.mkdir(parents=True)
    (whole / "store.db").write_text("new")
    assert bring_in(tmp_path)
    assert (tmp_path / "store.db").read_text() == "new"
    assert left(tmp_path) == RUN


def test_an_event_of_before_the_run_says_nothing_of_its_end():
    """The store was restored from a backup meanwhile."""
    assert "last event" not in interruption(RUN, "b0", SINCE - 1, SINCE + 70).reason


def test_the_boot_is_what_the_unit_says_else_what_the_kernel_does(tmp_path):
    kernels = tmp_path / "boot_id"
    assert boot_id({}, kernels) == "", "it is hidden from us"
    kernels.write_text("2f8e1c0a-0000-4000-8000-0123456789ab\n")
    assert boot_id({}, kernels) == "2f8e1c0a000040008000" + "0123456789ab"
    assert boot_id({BOOT_ID: "f" * 32}, kernels) == "f" * 32


@pytest.mark.parametrize("since", [1e300, -1.0, 9e15])
def test_a_time_that_cannot_be_keeps_no_daemon_from_starting(since: float) -> None:
    assert "a time that cannot be" in last_run.interruption(Run(since, "b"), "b", None, SINCE).reason
