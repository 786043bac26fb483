"""Shutting a VM down: the agent, the button, the plug, each in its time, and an end whatever the VM does."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.hypervisor.shutting_down import PRESS_AGAIN, ShuttingDown, after, look_again, next_order
from appliance.vm import Order, VmState, is_to_be_done

RUNNING = VmState.RUNNING


def conducted(at, agent=True, obeys=None, state=RUNNING):
    """What it is told, with seconds; ``obeys``: the order that its system follows."""
    now, told = at.began, []
    for _ in range(200):
        if order := next_order(now, state, at):
            silent = order is Order.ASK_AGENT and not agent
            told.append((order, now - at.began))
            at = after(now, order, at, silent)
            if order in (obeys, Order.OFF) and not silent:
                return told
        now = look_again(now, at)
    raise AssertionError("it never ends")


def test_an_agent_that_answers_is_enough():
    assert conducted(ShuttingDown(1000), obeys=Order.ASK_AGENT) == [(Order.ASK_AGENT, 0)]


def test_without_an_agent_the_button_is_pressed_at_once():
    told = conducted(ShuttingDown(1000), agent=False, obeys=Order.ASK_ACPI)
    assert told == [(Order.ASK_AGENT, 0), (Order.ASK_ACPI, 0)]


def test_a_frozen_agent_does_not_take_all_of_the_time():
    told = conducted(ShuttingDown(1000), obeys=Order.ASK_ACPI)
    assert told == [(Order.ASK_AGENT, 0), (Order.ASK_ACPI, 60)]


def test_a_system_that_ignores_everything_is_off_when_it_was_said():
    told = conducted(ShuttingDown(1000, 60))
    assert told == [
        (Order.ASK_AGENT, 0),
        (Order.ASK_ACPI, 30),
        (Order.ASK_ACPI, 30 + PRESS_AGAIN),
        (Order.OFF, 60),
    ]


def test_what_hears_nothing_is_not_waited_for():
    for state in (VmState.PAUSED, VmState.CRASHED, VmState.ASLEEP, VmState.UNKNOWN):
        assert conducted(ShuttingDown(1000), state=state) == [(Order.OFF, 0)]


def test_what_shuts_down_has_its_time():
    at = ShuttingDown(1000, 60)
    assert next_order(1059, VmState.STOPPING, at) is None
    assert next_order(1060, VmState.STOPPING, at) is Order.OFF
    assert next_order(1059, VmState.OFF, at) is None
    assert next_order(1060, VmState.OFF, at) is None


@given(st.floats(0, 600), st.booleans(), st.sampled_from([None, *Order]))
def test_it_ends_in_time_whatever_the_vm_does(patience, agent, obeys):
    told = conducted(ShuttingDown(1000, patience), agent, obeys)
    assert all(seconds <= patience + 1e-9 for _, seconds in told)
    assert [seconds for _, seconds in told] == sorted(seconds for _, seconds in told)


@given(st.floats(0, 300), st.sampled_from(VmState), st.sampled_from([None, *Order]), st.booleans())
def test_no_order_is_refused_for_the_state_that_it_is_given_in(passed, state, told, agent):
    at = ShuttingDown(1000, agent=agent, told=told, told_at=1000)
    if order := next_order(1000 + passed, state, at):
        assert is_to_be_done(order, state, "web1")
