"""Where VMs are put: never where there is no room, always where there is, and the same each time."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Conflict
from appliance.hypervisor.placement import Need, Policy, Room, obstacle, place, place_all

GIB = 1 << 30
ROOMS = st.lists(
    st.builds(
        Room,
        st.text("abcdef", min_size=1, max_size=4),
        st.integers(1, 64),
        st.floats(0, 100),
        st.integers(-GIB, 64 * GIB),
    ),
    max_size=6,
    unique_by=lambda room: room.host,
)
NEEDS = st.builds(Need, st.integers(1, 32), st.integers(1, 32 * GIB))
POLICIES, SEEDS = st.sampled_from(Policy), st.integers(0, 1 << 32)
SMALL = Need(2, GIB)


@given(NEEDS, ROOMS, POLICIES, SEEDS)
def test_a_host_with_room_is_found_where_there_is_one(need, rooms, policy, seed):
    fitting = {each.host for each in rooms if each.cpus >= need.cpus and each.memory >= need.memory}
    if fitting:
        assert place(need, rooms, policy, seed) in fitting
        assert place(need, rooms, policy, seed) == place(need, rooms, policy, seed)
        return
    with pytest.raises(Conflict) as caught:
        place(need, rooms, policy, seed)
    assert caught.value.code == "host-none-fits"
    assert all(each.host in caught.value.message for each in rooms), "each says why"


@given(NEEDS, ROOMS, SEEDS, st.randoms())
def test_only_the_first_that_fits_goes_by_their_order(need, rooms, seed, dice):
    mixed = dice.sample(rooms, len(rooms))
    if all(obstacle(need, each) for each in rooms):
        return
    for policy in set(Policy) - {Policy.FIRST}:
        assert place(need, rooms, policy, seed) == place(need, mixed, policy, seed)
    assert place(need, mixed, Policy.FIRST, seed) == next(each.host for each in mixed if not obstacle(need, each))


@given(st.lists(NEEDS, max_size=8), ROOMS, POLICIES, SEEDS)
def test_no_memory_is_promised_twice(needs, rooms, policy, seed):
    try:
        chosen = place_all(needs, rooms, policy, seed)
    except Conflict:
        return
    assert len(chosen) == len(needs)
    for room in rooms:
        taken = sum(need.memory for need, host in zip(needs, chosen, strict=True) if host == room.host)
        assert taken <= max(0, room.memory)


def test_it_fits_to_the_last_byte_and_no_further():
    assert obstacle(SMALL, Room("a", 2, 9.0, GIB)) == ""
    assert "MiB" in obstacle(SMALL, Room("a", 2, 0.0, GIB - 1))
    assert "CPUs" in obstacle(SMALL, Room("a", 1, 0.0, GIB))


def test_each_policy_has_its_own_idea():
    small = Room("small", 4, 0.0, 3 * GIB)
    busy = Room("busy", 64, 60.0, 60 * GIB)
    idle = Room("idle", 64, 30.0, 20 * GIB)
    rooms = [small, busy, idle]
    assert place(SMALL, rooms, Policy.LOAD, 1) == "small"
    assert place(replace(SMALL, cpus=3), rooms, Policy.LOAD, 1) == "idle", "three of four would be busy"
    assert place(SMALL, rooms, Policy.MEMORY, 1) == "busy"
    assert place(SMALL, rooms, Policy.FIRST, 1) == "small"


def test_several_are_spread_by_load_and_piled_up_by_first():
    rooms = [Room(name, 8, 0.0, 64 * GIB) for name in "abcd"]
    assert set(Counter(place_all([SMALL] * 8, rooms, Policy.LOAD, 1)).values()) == {2}
    assert set(Counter(place_all([SMALL] * 8, rooms, Policy.MEMORY, 1)).values()) == {2}
    assert place_all([SMALL] * 8, rooms, Policy.FIRST, 1) == ("a",) * 8


def test_chance_takes_every_host_about_as_often():
    rooms = [Room(name, 8, 0.0, 64 * GIB) for name in "abcd"]
    often = Counter(place(SMALL, rooms, Policy.RANDOM, seed) for seed in range(400))
    assert len(often) == 4
    assert min(often.values()) > 60


def test_all_or_none():
    with pytest.raises(Conflict):
        place_all([SMALL] * 3, [Room("a", 8, 0.0, 2 * GIB)], Policy.FIRST, 1)
    assert place_all([], [], Policy.LOAD, 1) == ()
