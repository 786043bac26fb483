"""What is kept of a serial line, and the frames that it is sent in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.web.console_frames import head
from appliance.web.console_past import Past


@given(st.lists(st.binary(max_size=40)), st.integers(1, 50))
def test_whoever_reads_on_misses_nothing_and_what_is_kept_is_bounded(said, most):
    past, heard, position = Past(most), b"", 0
    for each in said:
        past.add(each)
        if (data := past.after(position, 7)) is None:
            position, data = past.latest()
            heard = b"".join(said)[:position]
        heard += data
        position += len(data)
        assert past.end - past.begin < 2 * most + 40
    assert b"".join(said).startswith(heard)
    assert past.end == len(b"".join(said))


def test_the_last_is_shown_from_the_begin_of_a_line():
    past = Past(10)
    past.add(b"one\ntwo\nthree\nfour\n")
    assert past.latest() == (14, b"four\n")
    past = Past(10)
    past.add(b"one\ntwo")
    assert past.latest() == (0, b"one\ntwo")


def test_what_is_gone_is_said_to_be():
    past = Past(4)
    past.add(b"0123456789")
    assert past.after(0, 4) is None
    assert past.after(7, 2) == b"78"
    assert past.after(10, 2) == b""


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, b"\x82\x00"), (125, b"\x82\x7d"), (126, b"\x82\x7e\x00\x7e"), (65535, b"\x82\x7e\xff\xff"),
        (65536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)  # fmt: skip
def test_a_frame_says_how_long_it_is(length, expected):
    """RFC 6455 section 5.2."""
    assert head(length) == expected
