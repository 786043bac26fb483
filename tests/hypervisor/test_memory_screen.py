"""The fake's side of RFB: whole and in pieces, and with whatever else comes."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from appliance.hypervisor.memory_screen import HEIGHT, VERSION, WIDTH, Screen

HELLO = VERSION + b"\x01" + b"\x01"
ASK = struct.pack(">BBHHHH", 3, 0, 0, 0, WIDTH, HEIGHT)
PICTURE = 16 + 4 * WIDTH * HEIGHT


def test_a_key_changes_the_picture():
    screen = Screen("web1")
    assert screen.hears(HELLO).endswith(b"web1")
    before = screen.hears(ASK)
    assert len(before) == PICTURE
    assert screen.hears(b"\x03\x01" + ASK[2:]) == b"", "nothing is new"
    after = screen.hears(struct.pack(">BBxxI", 4, 1, 0x61))
    assert len(after) == PICTURE
    assert after != before
    assert screen.keys == [0x61]


@given(st.lists(st.integers(1, 9)))
def test_it_does_not_matter_in_which_pieces_it_comes(sizes):
    said, whole, pieces = HELLO + ASK + b"\x06\x00\x00\x00\x00\x00\x00\x02ok", Screen("x"), Screen("x")
    expected, heard = whole.hears(said), b""
    for size in (*sizes, len(said)):
        heard, said = heard + pieces.hears(said[:size]), said[size:]
    assert heard == expected
    assert pieces.pasted == "ok"


@given(st.binary(max_size=300))
def test_whatever_comes_is_lived_through(data):
    screen = Screen("x")
    screen.hears(HELLO)
    screen.hears(data)
