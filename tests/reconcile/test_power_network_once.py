"""A start from the network that cannot be had: the machine keeps its power, or gets it back, and everybody is told."""

from dataclasses import dataclass, field

import pytest
from power_world import Switches

from appliance.power.memory import MemorySwitch
from appliance.power_order import PowerAction
from appliance.power_switch import PowerError, PowerKind, PowerSettings, PowerState
from appliance.store import power
from tests.people import ADA

UNSUPPORTED = PowerError("power-unsupported", "the controller cannot make this system boot from the network")
REFUSED = PowerError("power-refused", "the controller does not accept this user and password, or not for this")
BUSY = PowerError("power-failed", "not now")


class Killed(BaseException):
    """kill -9, as far as what runs in the daemon is concerned."""


@pytest.fixture
def switches(world):
    return Switches(world)


@pytest.fixture
async def memory(switches, node):
    """The switch of a machine that runs, and was not asked yet."""
    await node.usable()
    made = await switches.add(node, PowerState.ON)
    made.asked.clear()
    return made


async def put(switches, node, other):
    """Another switch in the place of the machine's."""
    switches.memory[(await node.seen()).name] = other
    return other


async def told(world):
    """The last event of power, its text and its reason."""
    event = (await world.events("machine.power"))[-1]
    return event.text, event.reason


@pytest.mark.parametrize("action", ["network-once", "cycle"])
@pytest.mark.parametrize("why", [UNSUPPORTED, REFUSED])
async def test_what_cannot_start_again_as_wanted_keeps_its_power(switches, node, memory, action, why):
    memory.refusing["check_start"] = why
    task = await switches.ask(node, action)
    assert (task.status, task.code, task.reason) == ("failed", why.code, why.message)
    assert memory.asked == ["observe", "check_start"]
    assert memory.state is PowerState.ON


async def test_who_cannot_say_whether_it_can_is_asked_for_three_minutes(switches, node, memory):
    memory.refusing["check_start"] = BUSY
    assert (await switches.ask(node, "network-once")).code == BUSY.code
    assert memory.asked.count("check_start") > 10
    assert "off" not in memory.asked


async def test_an_order_that_had_to_wait_for_its_turn_is_not_late_at_its_first_trouble(switches, node, world, memory):
    machine = await node.seen()
    task = await world.wishes.power(machine.id, PowerAction.OFF, None, ADA)
    world.now += 1000

    @dataclass
    class Busy(MemorySwitch):
        async def observe(self):
            if "observe" in self.asked:
                self.refusing.clear()
            return await super().observe()

    await put(switches, node, Busy(PowerState.ON, refusing={"observe": BUSY}))
    await switches.work()
    assert (await world.task(task.id)).status == "done"


@pytest.mark.parametrize("why", [UNSUPPORTED, REFUSED, BUSY])
async def test_a_start_that_is_refused_once_the_power_is_away_is_a_plain_one(switches, node, world, memory, why):
    memory.refusing["boot_network_once"] = why
    task = await switches.ask(node, "network-once")
    assert (memory.state, memory.booted) == (PowerState.ON, [None])
    assert (task.status, task.code) == ("failed", "power-not-from-network")
    assert task.reason == f"it is on again, but not from the network: {why.message}"
    name = (await node.seen()).name
    assert await told(world) == (f"{name} was switched off and on again, but not into the network", task.reason)
    assert (await switches.switch(node)).wanted is PowerState.ON


async def test_what_only_a_person_can_mend_is_not_tried_twice(switches, node, memory):
    memory.refusing["boot_network_once"] = REFUSED
    await switches.ask(node, "network-once")
    assert memory.asked.count("boot_network_once") == 1


async def test_a_controller_that_was_busy_for_a_moment_is_asked_again(switches, node, memory):
    @dataclass
    class Busy(MemorySwitch):
        async def boot_network_once(self, uefi):
            if self.asked.count("boot_network_once") == 2:
                self.refusing.clear()
            await super().boot_network_once(uefi)

    memory = await put(switches, node, Busy(PowerState.ON, refusing={"boot_network_once": BUSY}))
    assert (await switches.ask(node, "network-once")).status == "done"
    assert memory.booted == [False]
    assert memory.asked.count("on") == 1


@pytest.mark.parametrize("at", ["on", "observe"])
@pytest.mark.parametrize("why", [UNSUPPORTED, REFUSED])
async def test_power_that_was_taken_is_given_back_although_a_refusal_came_in_between(switches, node, memory, at, why):
    """The same password switched it off a moment ago: it may be that of a controller without a session left."""

    @dataclass
    class Moody(MemorySwitch):
        refusals: int = 2

        def _take(self, what):
            self.asked.append(what)
            if self.refusals and what == at and self.state is PowerState.OFF and self.asked.count("observe") > 3:
                self.refusals -= 1
                raise why

    memory = await put(switches, node, Moody(PowerState.ON))
    began = switches.world.now
    task = await switches.ask(node, "cycle")
    assert (task.status, memory.state, memory.refusals) == ("done", PowerState.ON, 0)
    assert switches.world.now - began >= 120, "seldom: an account may be locked by it"


async def test_power_that_cannot_be_given_back_is_told_with_what_is_to_be_done(switches, node, world, memory):
    memory.refusing["on"] = REFUSED
    task = await switches.ask(node, "cycle")
    assert (task.status, task.code, memory.state) == ("failed", "power-refused", PowerState.OFF)
    assert task.reason == f"{REFUSED.message}; its power was taken away, and not given back: switch it on by hand"
    name = (await node.seen()).name
    assert await told(world) == (f"{name} could not be switched off and on again", task.reason)
    assert memory.asked.count("on") <= 5


@dataclass
class Restoring(MemorySwitch):
    """Comes on by itself once it was seen to be off: its firmware is set to restore its power."""

    left: int = 0
    """How often."""
    seen_off: int = field(default=0)

    async def observe(self):
        state = await super().observe()
        self.seen_off = self.seen_off + 1 if state is PowerState.OFF else 0
        if self.seen_off == 2 and self.left:
            self.left -= 1
            self._turn(PowerState.ON)
        return state


async def test_what_came_on_by_itself_is_restarted_into_the_network_once_more(switches, node, memory):
    memory = await put(switches, node, Restoring(PowerState.ON, left=1))
    assert (await switches.ask(node, "network-once")).status == "done"
    assert memory.booted == [None, False]
    assert memory.asked.count("off") == 2


async def test_what_comes_on_by_itself_each_time_is_said_to_have_done_so(switches, node, world, memory):
    memory = await put(switches, node, Restoring(PowerState.ON, left=9))
    task = await switches.ask(node, "network-once")
    assert (task.status, task.code) == ("failed", "power-not-from-network")
    assert "came on by itself" in task.reason
    assert (memory.booted, memory.asked.count("off"), memory.state) == ([None, None], 2, PowerState.ON)
    name = (await node.seen()).name
    assert (await told(world))[0] == f"{name} was switched off and on again, but not into the network"


async def test_a_cycle_is_one_whoever_switched_on(switches, node, world, memory):
    memory = await put(switches, node, Restoring(PowerState.ON, left=1))
    assert (await switches.ask(node, "cycle")).status == "done"
    assert memory.asked.count("off") == 1
    assert "on" not in memory.asked
    assert (await told(world))[1] == "ada asked for it; it came on by itself before it was told to"


async def test_what_came_on_by_itself_while_it_could_not_be_armed_did_not_start_from_the_network(
    switches, node, memory
):
    @dataclass
    class Impatient(MemorySwitch):
        async def boot_network_once(self, uefi):
            if self.asked.count("boot_network_once") == 0:
                self._turn(PowerState.ON)
            else:
                self.refusing.clear()
            await super().boot_network_once(uefi)

    memory = await put(switches, node, Impatient(PowerState.ON, refusing={"boot_network_once": BUSY}))
    assert (await switches.ask(node, "network-once")).status == "done"
    assert memory.booted == [None, False]


async def test_a_start_that_was_armed_at_last_is_not_taken_for_a_plain_one_after_a_crash(switches, node, memory):
    """Refused once, armed, and on: killed before anybody wrote down that the switch took it."""

    @dataclass
    class Dying(MemorySwitch):
        async def boot_network_once(self, uefi):
            if "boot_network_once" in self.asked:
                self.refusing.clear()
            await super().boot_network_once(uefi)

        def _turn(self, state):
            super()._turn(state)
            if self.booted == [False] and self.asked.count("on") == 1:
                raise Killed

    memory = await put(switches, node, Dying(PowerState.ON, refusing={"boot_network_once": BUSY}))
    with pytest.raises(BaseExceptionGroup):
        await switches.ask(node, "network-once")
    switches.__post_init__()
    await switches.work()
    assert (memory.booted, memory.asked.count("off")) == ([False], 1)
    assert await switches.world.store.read(power.open_orders) == []


async def test_a_switch_that_arms_nothing_is_not_told_to_and_nobody_wonders(switches, node, world):
    await node.usable()
    memory = await switches.add(node, settings=PowerSettings(PowerKind.WAKE_ON_LAN), secret="")
    world.now += 600
    await world.deploy()
    await world.act("start")
    memory.asked.clear()
    await switches.turn()
    assert memory.asked == ["on"]
    assert (await told(world))[1] == "the deploy needs it, and it was off"


@dataclass
class Dying(MemorySwitch):
    """Refuses to be armed; its daemon is killed right before its nth call, or once that has been carried out."""

    left: int = 0
    after: bool = False

    def _take(self, what):
        self.left -= 1
        if not self.left and not self.after:
            raise Killed
        try:
            super()._take(what)
        except PowerError:
            if not self.left:
                raise Killed from None
            raise

    def _turn(self, state):
        super()._turn(state)
        if not self.left:
            raise Killed

    async def observe(self):
        await super().observe()
        if not self.left:
            raise Killed
        return self.state


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 10))
async def test_a_killed_daemon_gives_the_power_back_all_the_same(switches, node, world, memory, at, after):
    machine = await node.seen()
    refusing = {"boot_network_once": REFUSED}
    memory = switches.memory[machine.name] = Dying(PowerState.ON, refusing=refusing, left=at, after=after)
    task = await world.wishes.power(machine.id, PowerAction.NETWORK_ONCE, None, ADA)
    try:
        await switches.work()
    except BaseExceptionGroup:
        switches.__post_init__()
        await switches.work()
    assert (memory.asked.count("off"), memory.left < 1) == (1 + (at == 3 and after), True)
    assert (memory.state, memory.booted) == (PowerState.ON, [None])
    assert await world.store.read(power.open_orders) == []
    ended = await world.task(task.id)
    assert (ended.status, ended.code) == ("failed", "power-not-from-network")
