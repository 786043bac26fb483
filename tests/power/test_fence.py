"""A machine is called off only when it was told to be, and then seen to be."""

import pytest

from appliance.power.fence import confirmed_off
from appliance.power.manual import ManualSwitch
from appliance.power.memory import MemorySwitch
from appliance.power_switch import PowerError, PowerState


class Clock:
    """Seconds that pass by pausing only."""

    def __init__(self):
        self.at = 0.0
        self.then = {}

    def now(self):
        return self.at

    async def pause(self, seconds):
        self.at += seconds
        self.then.pop(self.at, lambda: None)()


async def fence(switch, clock, seconds=10.0):
    await confirmed_off(switch, seconds, clock.now, clock.pause)


async def test_told_and_then_seen():
    switch = MemorySwitch(PowerState.ON)
    await fence(switch, Clock())
    assert switch.asked == ["off", "observe", "observe"]


async def test_a_machine_that_comes_back_is_told_again():
    """The order came in the middle of a cycle."""
    switch, clock = MemorySwitch(PowerState.ON), Clock()
    clock.then[1.0] = lambda: setattr(switch, "state", PowerState.ON)
    await fence(switch, clock)
    assert switch.asked == ["off", "observe", "observe", "off", "observe", "observe"]
    assert switch.state is PowerState.OFF


async def test_told_even_when_it_is_off_already():
    """Somebody may have pressed the button the moment after it was looked at."""
    switch = MemorySwitch(PowerState.OFF)
    await fence(switch, Clock())
    assert switch.asked[0] == "off"


async def test_waits_for_a_slow_one():
    switch, clock = MemorySwitch(PowerState.ON, deaf=True), Clock()
    clock.then[4.0] = lambda: setattr(switch, "state", PowerState.OFF)
    await fence(switch, clock)
    assert clock.at == 5.0
    assert switch.asked.count("off") == 1


@pytest.mark.parametrize("state", [PowerState.ON, PowerState.UNKNOWN])
async def test_never_claims_what_it_has_not_seen(state):
    switch, clock = MemorySwitch(state, deaf=True), Clock()
    with pytest.raises(PowerError) as caught:
        await fence(switch, clock)
    assert caught.value.code == "power-still-on"
    assert clock.at == 10.0


async def test_an_order_that_was_not_taken_is_given_again():
    switch, clock = MemorySwitch(PowerState.ON, failing=PowerError("power-unreachable", "no answer")), Clock()
    clock.then[3.0] = lambda: setattr(switch, "failing", None)
    await fence(switch, clock)
    assert switch.asked == ["off", "off", "off", "off", "observe", "observe"]


async def test_off_without_a_taken_order_is_not_enough():
    """What refuses the order may tell of another machine, or of one that is being switched on."""

    class Stubborn(MemorySwitch):
        async def off(self):
            raise PowerError("power-failed", "not now")

    clock = Clock()
    with pytest.raises(PowerError) as caught:
        await fence(Stubborn(PowerState.OFF), clock)
    assert caught.value.code == "power-failed"


async def test_the_last_reason_is_told():
    clock = Clock()
    with pytest.raises(PowerError) as caught:
        await fence(MemorySwitch(failing=PowerError("power-unreachable", "no answer")), clock)
    assert caught.value.code == "power-unreachable"


@pytest.mark.parametrize("code", ["power-refused", "power-certificate", "power-unsupported"])
async def test_what_cannot_get_better_ends_at_once(code):
    switch, clock = MemorySwitch(failing=PowerError(code, "no")), Clock()
    with pytest.raises(PowerError) as caught:
        await fence(switch, clock)
    assert caught.value.code == code
    assert switch.asked == ["off"]


async def test_a_switch_that_cannot_look_confirms_nothing():
    with pytest.raises(PowerError) as caught:
        await fence(ManualSwitch("web1"), Clock())
    assert caught.value.code == "power-unsupported"
