"""Sizes as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Invalid
from appliance.sizes import LARGEST, in_unit, parse_size


@pytest.mark.parametrize(
    ("text", "unit", "size"),
    [
        ("100GB", "GB", 100 * 10**9),
        ("64GiB", "GB", 64 << 30),
        ("1.5TB", "GB", 1_500_000_000_000),
        ("1,5 tib", "GB", 3 << 39),
        ("0.1GB", "GiB", 100_000_000),
        ("16", "GiB", 16 << 30),
        ("16", "GB", 16 * 10**9),
        (" 512 MiB ", "GiB", 512 << 20),
        ("10G", "GB", 10 << 30),
        ("1.5t", "GiB", 3 << 39),
    ],
)
def test_sizes(text: str, unit: str, size: int) -> None:
    assert parse_size(text, unit) == size


@pytest.mark.parametrize("text", ["", "GB", "many", "-1", "0", "1e9", "nan", "12 parsecs", "1.2.3GB", "٣", "5000PB"])
def test_what_is_no_size_is_said_so(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_size(text, "GB", "disk_size")
    assert (refused.value.code, refused.value.field) == ("size-invalid", "disk_size")
    assert "GB" in refused.value.hint


def test_too_much_is_refused() -> None:
    with pytest.raises(Invalid, match="more than a machine has"):
        parse_size("2000TiB", "GB")


@given(st.integers(1, LARGEST), st.sampled_from(["GB", "GiB"]))
def test_what_is_shown_is_read_as_the_same_to_a_millionth(size: int, unit: str) -> None:
    shown = in_unit(size, unit)
    if "e" not in shown:
        assert abs(parse_size(shown, unit) - size) <= max(1, size // 10**6)


def test_nothing_is_shown_as_nothing() -> None:
    assert in_unit(None, "GB") == ""
