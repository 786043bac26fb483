"""Places of pieces, and which file is which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Invalid
from appliance.half_upload import Identity, Piece, check_identity, merged, parse_range, same, surely_same


def test_a_place_is_read() -> None:
    assert parse_range("bytes 0-99/1000") == Piece(0, 99, 1000)
    assert parse_range(" bytes 999-999/1000").length == 1


@pytest.mark.parametrize(
    "text",
    [
        "", "bytes", "bytes */1000", "bytes 0-99/*", "bytes 5-4/10", "bytes 0-10/10", "items 0-9/10",
        "bytes -1-9/10", "bytes 0-9/10, bytes 0-9/10", "bytes 0-9/1e9", "bytes 0-9/" + "9" * 40, "bytes ٠-٩/10",
    ],
)  # fmt: skip
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_range(text)
    assert (refused.value.code, refused.value.field) == ("range-invalid", "Content-Range")


@given(st.text(max_size=60))
def test_any_text_is_a_place_or_refused(text: str) -> None:
    try:
        piece = parse_range(text)
    except Invalid:
        return
    assert 0 <= piece.first <= piece.last < piece.size


def test_a_digest_is_compared_whatever_program_wrote_it() -> None:
    assert check_identity(Identity("a", 5, f" {'AB' * 32}\n")) == Identity("a", 5, "ab" * 32)
    assert check_identity(Identity("a", 5)) == Identity("a", 5)
    for wrong in ("ab" * 31, "ab" * 33, "xy" * 32):
        with pytest.raises(Invalid) as refused:
            check_identity(Identity("a", 5, wrong))
        assert (refused.value.code, refused.value.field) == ("digest-invalid", "sha256")


def test_what_is_here_already_is_known_by_more_than_name_and_size() -> None:
    digest = "ab" * 32
    assert surely_same(Identity("a", 5, digest), Identity("renamed", 5, digest))
    assert not surely_same(Identity("a", 5, digest), Identity("a", 5))
    assert not surely_same(Identity("a", 5, digest), Identity("a", 5, "", "1"))
    assert surely_same(Identity("a", 5, digest, "1"), Identity("a", 5, "", "1"))
    assert surely_same(Identity("a", 5, "", "1"), Identity("a", 5, "", "1"))
    assert merged(Identity("a", 5, digest), Identity("a", 5, "", "1")) == Identity("a", 5, digest, "1")


def test_which_files_are_the_same() -> None:
    digest = "ab" * 32
    assert same(Identity("a", 5, digest), Identity("renamed", 5, digest))
    assert not same(Identity("a", 5, digest), Identity("a", 6, digest))
    assert same(Identity("a", 5, digest), Identity("a", 5)), "begun by a program, gone on with by a browser"
    assert not same(Identity("a", 5, digest), Identity("b", 5))
    assert not same(Identity("a", 5, digest, "1"), Identity("a", 5, "", "2"))
    assert same(Identity("a", 5, mark="x"), Identity("a", 5, mark="x"))
    assert not same(Identity("a", 5, mark="x"), Identity("a", 5, mark="y"))
