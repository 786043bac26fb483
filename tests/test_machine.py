"""MAC addresses, placeholders of firmware, names, and the table of states."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.assembly.ground import OWN_NAME
from appliance.errors import Conflict, Invalid
from appliance.machine import (
    BUSY,
    STABLE,
    TRANSITIONS,
    MacAddress,
    Machine,
    MachineId,
    State,
    check_name,
    check_tags,
    default_name,
    in_rescue,
    meaningful_serial,
    meaningful_uuid,
    moved,
    parse_mac,
)
from appliance.rescue import Rescue

MACHINE = Machine(MachineId("m"), "node-1", State.IDLE, (MacAddress("52:54:00:12:34:56"),), 0.0)


@pytest.mark.parametrize(
    "text", ["52:54:00:12:34:56", "52-54-00-12-34-56", "5254.0012.3456", " 525400123456\n", "52:54:00:12:34:56".upper()]
)
def test_usual_spellings_of_a_mac(text):
    assert parse_mac(text) == "52:54:00:12:34:56"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "52:54:00:12:34",
        "52:54:00:12:34:5g",
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "52:54:00:12:34:56:78",
        "٥٢:54:00:12:34:56",
    ],
)
def test_what_is_no_address_of_one_interface(text):
    with pytest.raises(Invalid):
        parse_mac(text)


@given(st.text())
def test_any_text_is_a_mac_or_refused(text):
    try:
        assert len(parse_mac(text)) == 17
    except Invalid:
        return


def test_uuids_that_say_something():
    assert meaningful_uuid("4C4C4544-0043-3510-8052-B4C04F4B3132") == "4c4c4544-0043-3510-8052-b4c04f4b3132"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "x",
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "03000200-0400-0500-0006-000700080009",
        "00020003-0004-0005-0006-000700080009",
    ],
)
def test_uuids_that_say_nothing(text):
    assert meaningful_uuid(text) is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "0",
        "00000000",
        "To Be Filled By O.E.M.",
        "Default string",
        "xxxx",
        "0123456789",
        "Not Applicable",
    ],
)
def test_serials_that_say_nothing(text):
    assert meaningful_serial(text) is None


def test_a_serial_that_says_something():
    assert meaningful_serial(" CZ3104ABCD ") == "CZ3104ABCD"


@pytest.mark.parametrize("name", ["a", "web-1", "1a", "a" * 63])
def test_names(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "1", "12", "-a", "a-", "A", "a_b", "a.b", "a" * 64, "a\n", "ä", "a b"])
def test_no_names(name):
    with pytest.raises(Invalid):
        check_name(name)


@pytest.mark.parametrize("name", [OWN_NAME, "wpad", "isatap", "localhost"])
def test_names_that_mean_something_else_are_refused_with_the_reason(name):
    with pytest.raises(Invalid, match="meaning of its own") as caught:
        check_name(name, "host")
    assert (caught.value.code, caught.value.field) == ("name-reserved", "host")
    assert check_name(f"{name}-1") == f"{name}-1"


def test_a_name_to_begin_with_is_a_name():
    assert check_name(default_name(MACHINE.macs)) == "node-123456"


def test_every_state_is_stable_busy_or_failed_and_has_a_way_on():
    assert STABLE | BUSY | {State.FAILED} == set(State)
    assert not STABLE & BUSY
    assert set(TRANSITIONS) == set(State)
    assert all(TRANSITIONS.values())


@pytest.mark.parametrize("state", sorted(BUSY))
def test_whatever_goes_on_can_fail_and_be_tried_again(state):
    assert State.FAILED in TRANSITIONS[state]
    assert state in TRANSITIONS[State.FAILED]


def test_every_state_can_be_reached():
    reached, waiting = set(), [State.DISCOVERED]
    while waiting:
        state = waiting.pop()
        if state not in reached:
            reached.add(state)
            waiting += TRANSITIONS[state]
    assert reached == set(State)


def test_moving_where_no_edge_leads_is_a_conflict():
    with pytest.raises(Conflict, match="node-1 is idle and cannot become active"):
        moved(MACHINE, State.ACTIVE)


def test_a_failure_is_remembered_until_it_is_over():
    from_deploying = moved(moved(MACHINE, State.DEPLOYING), State.FAILED, code="c", reason="r")
    assert (from_deploying.failed_from, from_deploying.failed_code, from_deploying.failed_reason) == (
        State.DEPLOYING,
        "c",
        "r",
    )
    again = moved(from_deploying, State.DEPLOYING)
    assert (again.failed_from, again.failed_code, again.failed_reason) == (None, "", "")


def test_tags_are_sorted_and_stand_once():
    assert check_tags(["rack:3", "a.b_c-d", "0", "rack:3"]) == ("0", "a.b_c-d", "rack:3")
    assert check_tags([]) == ()


@pytest.mark.parametrize("tag", ["", "A", "a b", "x" * 41, "ä", "a\n", "a/b", "a,b"])
def test_what_is_no_tag(tag):
    with pytest.raises(Invalid) as caught:
        check_tags(["fine", tag], "requirements.tags")
    assert (caught.value.code, caught.value.field) == ("tag-invalid", "requirements.tags")
    assert caught.value.hint


def test_so_many_tags_and_no_more():
    tags = [f"t{number}" for number in range(33)]
    assert len(check_tags(tags[:32])) == 32
    with pytest.raises(Invalid):
        check_tags(tags)


@pytest.mark.parametrize(
    ("machine", "is_so"),
    [
        (MACHINE, False),
        (replace(MACHINE, rescue=Rescue()), True),
        (replace(MACHINE, state=State.RESCUE), True),
        (replace(MACHINE, state=State.FAILED, failed_from=State.RESCUING), True),
        (replace(MACHINE, state=State.FAILED, failed_from=State.INSPECTING), True),
        (replace(MACHINE, state=State.FAILED, failed_from=State.DEPLOYING), False),
    ],
)
def test_where_somebody_else_may_be_root(machine, is_so):
    assert in_rescue(machine) is is_so
