"""The record of a wiped disk: made of what an agent says, whatever that is."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.wipe.methods import CHOICES, Method
from appliance.errors import Invalid
from appliance.web.api.shapes import WipeMethodName
from appliance.wiping import (
    DONE_BY,
    MEANINGS,
    MOST_DISKS,
    Wiped,
    WipeMethod,
    check_method,
    in_words,
    remarks,
    wiped,
    with_wiped,
)

DISK = {"serial": "S1", "wwn": "0x5", "model": "Fast 1", "bytes": 10**12, "name": "sda"}
RESULT = {
    "disk": DISK,
    "asked": "automatic",
    "method": "nvme-format-erase",
    "verified": True,
    "seconds": 12.4,
    "bytes_read": 36_000_000,
    "whole": False,
    "zeros": True,
    "hidden_bytes": 0,
    "tried": [{"method": "nvme-sanitize-block", "reason": "its sanitize failed"}],
    "left_out": [],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(RESULT | DISK)), inner),
    max_leaves=12,
)


def record() -> Wiped:
    made = wiped(RESULT, 100.0)
    assert made is not None
    return made


def test_agent_daemon_and_api_have_the_same_words():
    assert set(WipeMethod) == set(CHOICES) == set(MEANINGS) == set(msgspec.inspect.type_info(WipeMethodName).values)
    assert set(DONE_BY) == set(Method)


def test_a_record_in_words():
    assert in_words(record()) == (
        "Fast 1, serial S1 is wiped by NVMe format (user data erase), in 12 s; 36 MB of it read back, all zeros"
    )
    assert remarks(record()) == "before that NVMe sanitize (block erase): its sanitize failed"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"whole": True}, "all of it read back, all zeros"),
        ({"zeros": False}, "nothing of before"),
        ({"verified": "yes"}, "not verified"),
        ({"seconds": 600}, "in 10 minutes"),
        ({"seconds": 9000}, "in 2.5 hours"),
        ({"method": "by magic"}, "wiped by by magic"),
        ({"disk": {**DISK, "serial": None}}, "WWN 0x5"),
    ],
)
def test_what_differs_is_said(change, words):
    made = wiped(RESULT | change, 0.0)
    assert made is not None
    assert words in in_words(made)


def test_hidden_bytes_are_remarked():
    made = wiped(RESULT | {"hidden_bytes": 512000, "tried": None}, 0.0)
    assert made is not None
    assert remarks(made) == "512000 bytes that it hides (HPA or DCO) were perhaps not reached"


@pytest.mark.parametrize("result", [{}, RESULT | {"method": ""}, RESULT | {"disk": "sda"}, RESULT | {"disk": {}}])
def test_who_does_not_say_which_disk_or_how_leaves_no_record(result):
    assert wiped(result, 0.0) is None


@given(st.dictionaries(st.sampled_from(sorted(RESULT)), JSON))
def test_whatever_is_said_is_a_bounded_record_or_none(said):
    made = wiped(RESULT | said, 1.0)
    if made is not None:
        assert len(in_words(made)) + len(remarks(made)) < 6000
        assert made.bytes >= 0
        assert math.isfinite(made.seconds)
        assert msgspec.json.decode(msgspec.json.encode(made), type=Wiped) == made


def test_of_each_disk_the_last_wipe_is_kept():
    records: tuple[Wiped, ...] = ()
    for number in range(MOST_DISKS + 5):
        records = with_wiped(records, wiped(RESULT | {"disk": {**DISK, "serial": f"S{number}"}}, float(number)))
    assert len(records) == MOST_DISKS
    records = with_wiped(records, wiped(RESULT | {"disk": {**DISK, "serial": "S30"}}, 99.0))
    assert [each.at for each in records if each.serial == "S30"] == [99.0]
    assert records[0].serial == "S30"
    assert with_wiped(records, None) == records


def test_another_word_is_no_way():
    assert check_method("overwrite") is WipeMethod.OVERWRITE
    with pytest.raises(Invalid) as caught:
        check_method("burn")
    assert (caught.value.code, caught.value.field) == ("wipe-method-unknown", "wipe_method")
