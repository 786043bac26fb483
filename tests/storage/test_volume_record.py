"""Records of volumes in a directory, and what the names of its files mean."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.storage.record import (
    BEGIN,
    LONGEST,
    STATES,
    Record,
    claimed,
    grouped,
    is_begun,
    understood,
    written,
)
from appliance.volume import MOST, Format

KEY = "0123456789abcdef"
GOOD = Record(
    name="web1", size=4 << 20, read_only=False, created=5.0, origin=KEY, format=Format.QCOW2, needs="f" * 16
)  # fmt: skip
KEYS = st.none() | st.from_regex(r"\A[0-9a-f]{16}\Z")


@given(
    st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z"),
    st.integers(1, MOST),
    st.booleans(),
    st.floats(0, 1e12),
    KEYS,
    st.sampled_from(Format),
    KEYS,
)
def test_a_record_is_read_as_it_was_written(name, size, read_only, created, origin, kind, needs):
    record = Record(name=name, size=size, read_only=read_only, created=created, origin=origin, format=kind, needs=needs)
    content = written(record)
    assert understood(content) == record
    assert len(content) <= LONGEST
    assert content.startswith(BEGIN)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../x"},
        {"name": ""},
        {"size": 0},
        {"size": -1},
        {"size": MOST + 1},
        {"created": -1.0},
        {"origin": "../../etc"},
        {"needs": ""},
        {"needs": KEY.upper()},
    ],
)
def test_a_record_that_says_what_cannot_be_is_none(change):
    assert understood(written(msgspec.structs.replace(GOOD, **change))) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"\xff",
        b"[]",
        b'{"qrm":"else"}',
        written(GOOD).replace(b"volume", b"image"),
        written(GOOD).replace(b'"qrm":"volume",', b""),
        written(GOOD).replace(b"qcow2", b"vmdk"),
        written(GOOD).replace(b'"needs"', b'"more":1,"needs"'),
        written(GOOD)[:-3],
        written(GOOD) * 2,
        BEGIN + b'"name":' + b"[" * 3000,
    ],
)
def test_what_is_no_record(content):
    assert understood(content) is None


@given(st.binary(max_size=LONGEST))
def test_no_bytes_are_too_odd(content):
    assert understood(content) is None


def test_a_record_that_was_cut_off_is_known_by_its_begin():
    assert all(is_begun(written(GOOD)[:end]) for end in range(len(written(GOOD))))
    assert not is_begun(b'{"other"')
    assert not is_begun(b"x")


def test_what_the_names_of_files_mean():
    ours = [f"{KEY}.{each}" for each in ("json", "raw", "qcow2", "coming", "json.part", "making.part")]
    others = [f"{KEY}.lease", f"{KEY}", f"{KEY}.raw.part", f"{KEY.upper()}.raw", f"x{KEY}.raw", f"{KEY}.raw\n", "notes"]
    volumes, rest = grouped([*ours, *others])
    assert volumes == {KEY: {"json", "raw", "qcow2", "coming", "json.part", "making.part"}}
    assert rest == others


@pytest.mark.parametrize("state", STATES)
def test_no_record_claims_its_own_name_or_that_of_another_state(state):
    assert not claimed(state, GOOD) & set(STATES)
    assert Format.QCOW2 in claimed(state, GOOD)
    assert (Format.RAW in claimed(state, GOOD)) is (state == "making")
