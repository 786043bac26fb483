"""Values as people read them."""

import pytest
from console_seed import HOST_KEY

from appliance.machine import State
from appliance.web.console import words


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (480_103_981_056, "480 GB"),
        (4_000_787_030_016, "4.0 TB"),
        (None, "unknown"),
    ],
)
def test_disks_are_in_decimal_units(size: int | None, shown: str) -> None:
    assert words.disk_size(size) == shown


@pytest.mark.parametrize(("size", "shown"), [(16 << 30, "16 GiB"), (768 << 20, "768 MiB"), (1, "1 B")])
def test_memory_is_in_binary_units(size: int, shown: str) -> None:
    assert words.memory(size) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "just now"), (-3, "just now"), (59, "59 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (3e5, "3 d ago")],
)
def test_how_long_ago(seconds: float, shown: str) -> None:
    assert words.ago(1000.0 - seconds, 1000.0) == shown


def test_what_never_happened_is_said_so() -> None:
    assert words.ago(None, 1000.0) == "never"


def test_a_step_that_is_almost_done_is_not_shown_as_done() -> None:
    assert words.percent(0.999) == "99%"
    assert words.percent(1.0) == "100%"


def test_running_time_is_a_clock() -> None:
    assert [words.running_time(seconds) for seconds in (0, 72, 3723)] == ["0:00", "1:12", "1:02:03"]


def test_no_two_stable_states_look_alike() -> None:
    marks = [words.mark(state) for state in State]
    assert all(mark.shape and mark.tone and mark.word for mark in marks)
    stable = [mark for mark in marks if mark.shape != "busy"] + [words.OFFLINE]
    assert len({mark.shape for mark in stable}) == len(stable)


def test_a_host_key_is_shown_as_ssh_shows_it() -> None:
    # ssh-keygen -lf over this key prints the same
    assert words.key_fingerprint(HOST_KEY) == "SHA256:uDL9NFrTnxJ2tPVLPBDO74TQ9LbQhBDYe8Qxwvg29X0"


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "ssh-ed25519 !!!"])
def test_what_is_no_key_is_said_so(key: str) -> None:
    assert words.key_fingerprint(key) == "not a key"


def test_hardware_of_an_odd_inventory() -> None:
    assert words.hardware(None) == "no inventory yet"
    assert words.hardware({"cpu": None, "memory": None, "disks": None}) == "0 CPUs, unknown, 0 disks"
