"""The unit of the screen: on its terminal, before and without all else, again and again."""

from tests.test_systemd_unit import ROOT, read

UNIT = read((ROOT / "systemd" / "appliance-screen@.service").read_text())


def test_it_runs_the_screen_on_its_terminal():
    service = UNIT["Service"]
    assert service["ExecStart"] == ["/opt/qrm/bin/qrm screen"]
    assert service["TTYPath"] == ["/dev/%I"]
    assert service["StandardInput"] == service["StandardOutput"] == ["tty"]


def test_it_waits_for_nothing_that_may_fail():
    assert UNIT["Unit"]["DefaultDependencies"] == ["no"]
    assert "Requires" not in UNIT["Unit"]
    assert not any(".target" in each for key in ("After", "Wants") for each in UNIT["Unit"].get(key, []))


def test_whoever_hangs_up_has_a_fresh_one():
    assert UNIT["Service"]["Restart"] == ["always"]
    assert UNIT["Service"]["TTYVHangup"] == ["yes"]
    assert UNIT["Unit"]["StartLimitIntervalSec"] == ["0"]


def test_guesses_are_remembered_from_one_screen_to_the_next():
    assert UNIT["Service"]["RuntimeDirectory"] == ["appliance-screen"]
    assert UNIT["Service"]["RuntimeDirectoryPreserve"] == ["yes"]


def test_it_comes_up_where_the_rest_does_not():
    (wanted,) = UNIT["Install"]["WantedBy"]
    assert set(wanted.split()) >= {"multi-user.target", "emergency.target"}
