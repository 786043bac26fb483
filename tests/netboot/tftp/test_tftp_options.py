"""Options are granted as the RFCs say: lowered or left out, never raised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.options import negotiate

LIMITS = TftpLimits(block_size=1468, window_size=16)


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ({}, {}),
        ({"blksize": "512"}, {"blksize": "512"}),
        ({"blksize": "8"}, {"blksize": "8"}),
        ({"blksize": "7"}, {}),
        ({"blksize": "65464"}, {"blksize": "1468"}),
        ({"blksize": "-1"}, {}),
        ({"blksize": "1_000"}, {}),
        ({"blksize": "٩٩٩"}, {}),
        ({"blksize": ""}, {}),
        ({"timeout": "1"}, {"timeout": "1"}),
        ({"timeout": "255"}, {"timeout": "255"}),
        ({"timeout": "0"}, {}),
        ({"timeout": "256"}, {}),
        ({"tsize": "0"}, {"tsize": "12345"}),
        ({"windowsize": "4"}, {"windowsize": "4"}),
        ({"windowsize": "0"}, {}),
        ({"windowsize": "65535"}, {"windowsize": "16"}),
        ({"multicast": "", "utimeout": "99"}, {}),
    ],
)
def test_granted(asked, granted):
    assert negotiate(asked, 12345, LIMITS).granted == granted


def test_unknown_size_is_left_out():
    assert negotiate({"tsize": "0"}, None, LIMITS).granted == {}


def test_without_options_the_rfc_1350_values_hold():
    terms = negotiate({}, 1, LIMITS)
    assert (terms.block_size, terms.window_size, terms.timeout) == (512, 1, None)
    assert terms.granted == {}


numbers = st.integers(-1, 70_000).map(str)


@given(
    st.dictionaries(st.sampled_from(["blksize", "windowsize", "timeout", "tsize"]), numbers | st.text(max_size=12)),
)
def test_no_value_crashes_and_none_is_raised(asked):
    granted = negotiate(asked, 1, LIMITS).granted
    assert set(granted) <= set(asked)
    assert all(int(granted[name]) <= int(asked[name]) for name in granted if name != "tsize")
