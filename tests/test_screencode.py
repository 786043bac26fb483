"""Codes on boot screens: what is shown is what is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.screencode import MEANINGS, Waits, code, in_words, parse

MAC = "52:54:00:4c:01:0a"


@pytest.mark.parametrize("waits", Waits)
def test_every_code_is_understood_again_and_says_what_to_do(waits):
    found = parse(code(MAC, waits))
    assert (found.waits, found.like) == (waits, "4c:01:0a")
    assert MEANINGS[waits].text
    assert MEANINGS[waits].todo


@pytest.mark.parametrize(
    "typed", ["4C010A-20", " 4c010a-20 ", "4c010a - 20", "5254004c010a-20", "52:54:00:4c:01:0a-20"]
)
def test_however_it_is_typed(typed):
    found = parse(typed)
    assert found.waits is Waits.STACK
    assert MAC.endswith(found.like)


@pytest.mark.parametrize("typed", ["", "node-1", "4c010a", "4c010a-99", "4c010a-2", "4c01-20", "4c010g-20"])
def test_what_is_no_code(typed):
    assert parse(typed) is None


@given(st.text())
def test_anything_that_is_typed_is_a_code_or_none(typed):
    found = parse(typed)
    assert found is None or found.waits in MEANINGS


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("0x2d0c613b", "there is no such file, https://ipxe.org/2d0c613b"),
        ("4c0a6092", "it took too long, https://ipxe.org/4c0a6092"),
        ("12345678", "https://ipxe.org/12345678"),
        ("<script>", "error not given"),
        ("", "error not given"),
    ],
)
def test_what_ipxe_says_is_put_into_words(number, words):
    assert in_words(number) == words
