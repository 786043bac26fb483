"""When it is looked for other DHCP servers, and what follows: a clock and answers, all moved by hand."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from appliance.netboot.dhcp.outlook import (
    BLIND_SECONDS,
    CONTINUED_SECONDS,
    EARLY_SECONDS,
    HELD_SECONDS,
    YOUNG_SECONDS,
    Outlook,
)
from appliance.netboot.dhcp.subnet import Subnet

SUBNET = Subnet("br0", IPv4Interface("10.77.0.1/24"))
FORCED = replace(SUBNET, other_servers="ignore")
OTHER, THIRD = IPv4Address("10.77.0.2"), IPv4Address("10.77.0.3")


@pytest.fixture
def outlook():
    return Outlook(SUBNET)


def test_service_begins_after_a_look_that_saw_nobody(outlook):
    assert (outlook.held, outlook.next_look()) == (True, 0.0)
    assert outlook.seen([], 1000.0) == "", "nobody was waiting: that is no news"
    assert not outlook.held


def test_service_begins_by_itself_once_the_other_server_is_gone(outlook):
    assert outlook.seen([OTHER], 1000.0) == "held"
    assert (outlook.held, outlook.next_look()) == (True, 1000.0 + HELD_SECONDS)
    assert outlook.seen([OTHER], 1060.0) == "", "told once"
    assert outlook.seen([OTHER, THIRD], 1120.0) == "held", "another one is news"
    assert outlook.servers == (OTHER, THIRD)
    assert outlook.seen([], 1180.0) == "begins"
    assert not outlook.held


def test_a_server_found_at_once_was_there_before_a_later_one_stops_nothing(outlook):
    outlook.seen([], 1000.0)
    assert outlook.next_look() == 1000.0 + EARLY_SECONDS, "a port with spanning tree was deaf"
    assert outlook.seen([OTHER], 1050.0) == "held"
    assert outlook.held
    assert outlook.seen([], 1110.0) == "begins"
    late = 1110.0 + YOUNG_SECONDS
    assert outlook.seen([], late) == ""
    assert outlook.next_look() == late + 600, "ten minutes"
    assert outlook.seen([OTHER], late + 600) == ""
    assert (outlook.held, outlook.servers) == (False, (OTHER,)), "it is told of, and service goes on"


def test_forced_service_begins_at_once_and_is_looked_over_all_the_same():
    outlook = Outlook(FORCED)
    assert not outlook.held
    assert outlook.seen([OTHER], 1000.0) == ""
    assert (outlook.held, outlook.servers) == (False, (OTHER,))
    assert outlook.next_look() == 1000.0 + EARLY_SECONDS


def test_forcing_ends_the_wait_and_taking_it_back_stops_nothing(outlook):
    outlook.seen([OTHER], 1000.0)
    outlook.switch(FORCED)
    assert not outlook.held
    outlook.seen([OTHER], 1060.0)
    outlook.switch(SUBNET)
    assert not outlook.held, "it has begun"


def test_a_switch_to_authoritative_begins_anew(outlook):
    outlook.seen([], 1000.0)
    outlook.switch(replace(SUBNET, mode="proxy"))
    assert (outlook.guarded, outlook.held, outlook.next_look()) == (False, False, None)
    outlook.switch(SUBNET)
    assert (outlook.held, outlook.next_look()) == (True, 0.0)


def test_a_restart_goes_on_at_once_and_is_not_young(outlook):
    outlook.go_on(1000.0, 1000.0 + CONTINUED_SECONDS - 1)
    assert not outlook.held
    assert outlook.seen([OTHER], 1000.0 + CONTINUED_SECONDS) == ""
    assert not outlook.held


@pytest.mark.parametrize("served", [0.0, 1000.0 - CONTINUED_SECONDS, 1001.0])
def test_one_that_was_away_for_long_or_whose_clock_went_back_begins_anew(outlook, served):
    outlook.go_on(served, 1000.0)
    assert outlook.held


def test_a_sign_of_another_server_makes_us_look_once_a_minute_at_most(outlook):
    assert not outlook.suspect(1000.0), "the first look is due anyway"
    outlook.seen([], 1000.0)
    assert not outlook.suspect(1000.0 + HELD_SECONDS - 1), "our own look found it a moment ago"
    later = 1000.0 + YOUNG_SECONDS
    outlook.seen([], later)
    assert outlook.suspect(later + HELD_SECONDS)
    assert outlook.next_look() == later + HELD_SECONDS
    assert not outlook.suspect(later + HELD_SECONDS), "it is on its way"


def test_a_clock_that_was_set_back_neither_stops_the_looks_nor_makes_old_service_young(outlook):
    outlook.seen([], 90_000.0)
    assert not outlook.is_due(90_001.0)
    assert outlook.is_due(90_000.0 + EARLY_SECONDS)
    assert outlook.is_due(1000.0), "an hour, or a day, earlier"
    assert outlook.seen([OTHER], 1000.0) == ""
    assert not outlook.held
    assert not outlook.is_due(1001.0)


def test_a_look_that_could_not_be_taken_is_tried_again_and_begins_nothing(outlook):
    outlook.blind(1000.0)
    assert (outlook.held, outlook.next_look()) == (True, 1000.0 + BLIND_SECONDS)


@pytest.mark.parametrize(
    "subnet",
    [
        *(replace(SUBNET, mode=mode) for mode in ("proxy", "reservations", "off")),
        replace(SUBNET, remote=IPv4Network("10.78.0.0/24")),
    ],
)
def test_elsewhere_nobody_looks_and_nothing_is_held_back(subnet):
    outlook = Outlook(subnet)
    assert (outlook.guarded, outlook.held, outlook.next_look()) == (False, False, None)
