"""Pictures of screens: small, right, and bounded, whatever comes in whichever pieces."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ApplianceError
from appliance.hypervisor.small_png import LARGEST, SMALL, Png, Ppm


def ppm(width, height, rows):
    return b"P6\n%d %d\n255\n" % (width, height) + b"".join(rows)


def made(content, piece=1 << 18):
    picture = Ppm()
    for at in range(0, len(content), piece):
        picture.feed(content[at : at + piece])
    return picture.png()


def read(png):
    """Size and rows of a PNG as we make it, every chunk checked (PNG, third edition, 5)."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        content = png[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", png, at + 8 + size)[0] == zlib.crc32(kind + content)
        chunks[kind] = content
        at += size + 12
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 2, 0, 0, 0]
    raw = zlib.decompress(chunks[b"IDAT"])
    assert len(raw) == height * (1 + 3 * width)
    lines = [raw[number * (1 + 3 * width) :][: 1 + 3 * width] for number in range(height)]
    assert {line[0] for line in lines} <= {0}
    return width, height, [line[1:] for line in lines]


def test_a_small_picture_stays_as_it_is():
    rows = [bytes(range(30)), bytes(range(100, 130))]
    assert read(made(ppm(10, 2, rows))) == (10, 2, rows)


def test_a_large_one_is_halved_until_it_is_small():
    """Two pixels beside each other and two below each other become their mean."""
    pair, other = bytes((10, 20, 255, 30, 40, 255)), bytes((50, 60, 255, 70, 80, 255))
    width, height, rows = read(made(ppm(1024, 4, [pair * 512, other * 512, pair * 512, other * 512])))
    assert (width, height) == (512, 2)
    assert rows == [bytes((40, 50, 255)) * 512] * 2


def test_a_screen_of_today_fits():
    row = bytes(3 * 1920)
    assert read(made(ppm(1920, 1080, [row] * 1080)))[:2] == (480, 270)


def refusal(kind, content):
    """The code with which it is refused; empty where it is taken."""
    picture = kind()
    try:
        picture.feed(content)
        picture.png()
    except ApplianceError as error:
        return error.code
    return ""


@given(st.integers(1, 2000), st.integers(4, 40), st.integers(1, 5000), st.integers(0, 255))
def test_any_size_in_any_pieces_keeps_its_colour(width, height, piece, grey):
    wide, high, rows = read(made(ppm(width, height, [bytes((grey,)) * 3 * width] * height), piece))
    assert max(wide, high) <= SMALL
    assert set(b"".join(rows)) == {grey}


@given(st.binary(max_size=300))
def test_any_bytes_are_a_picture_or_refused(content):
    for kind in (Ppm, Png):
        assert refusal(kind, content) in ("", "screenshot-unreadable", "screenshot-large")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"P6\n100000 1\n255\n", "screenshot-large"),
        (b"P6\n0 9\n255\n", "screenshot-unreadable"),
        (b"P6\n16000 1\n255\n" + bytes(48000), "screenshot-unreadable"),
        (b"P5\n1 1\n255\n0", "screenshot-unreadable"),
        (b"P6\n2 2\n255\n" + bytes(11), "screenshot-unreadable"),
        (b"P6" + b" " * 100, "screenshot-unreadable"),
        (b"", "screenshot-unreadable"),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused(content, code):
    assert refusal(Ppm, content) == code


def test_bytes_behind_a_picture_are_left_out():
    picture = Ppm()
    picture.feed(ppm(1, 1, [b"abc"]) + bytes(1000))
    picture.feed(bytes(1000))
    assert read(picture.png()) == (1, 1, [b"abc"])


def test_no_more_than_some_rows_are_kept():
    picture = Ppm()
    picture.feed(b"P6\n16384 16384\n255\n")
    for _ in range(64):
        picture.feed(bytes(3 * 16384))
    assert len(picture._rest) == 0
    assert sum(len(each) for each in picture._held if each) < 3 * 16384


def test_a_png_goes_on_as_it_is_where_it_is_whole_and_not_too_large():
    whole = made(ppm(10, 2, [bytes(30)] * 2))
    picture = Png()
    picture.feed(whole[:20])
    picture.feed(whole[20:])
    assert picture.png() == whole
    cut = Png()
    cut.feed(whole[:-4])
    with pytest.raises(ApplianceError):
        cut.png()
    huge = Png()
    huge.feed(bytes(LARGEST))
    with pytest.raises(ApplianceError, match="8 MiB"):
        huge.feed(b"1")
