"""Orders to switches: what users ask for, one command at a time, and what a crash in between leaves."""

from dataclasses import dataclass

import pytest
from fleet_world import code_of, state
from power_world import SECRET, SETTINGS, Switches

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.power.memory import MemorySwitch
from appliance.power_order import PowerAction
from appliance.power_switch import PowerError, PowerKind, PowerSettings, PowerState
from appliance.reconcile.consequences import MachineAction
from appliance.store import power
from tests.people import ADA


@pytest.fixture
def switches(world):
    return Switches(world)


async def test_a_machine_is_switched_on_and_seen_to_be(switches, node):
    await node.usable()
    memory = await switches.add(node)
    memory.asked.clear()
    task = await switches.ask(node, "on")
    assert (task.status, task.result) == ("done", {"power": "on"})
    assert memory.asked == ["observe", "on", "observe"]
    assert (await switches.switch(node)).seen.state is PowerState.ON


async def test_what_is_so_already_needs_no_command(switches, node):
    await node.usable()
    memory = await switches.add(node, PowerState.ON)
    memory.asked.clear()
    assert (await switches.ask(node, "on")).status == "done"
    assert memory.asked == ["observe"]


async def test_a_cycle_is_off_seen_to_be_off_and_on(switches, node):
    await node.usable()
    memory = await switches.add(node, PowerState.ON)
    memory.asked.clear()
    assert (await switches.ask(node, "cycle")).status == "done"
    assert memory.asked == ["observe", "check_start", "off", "observe", "observe", "observe", "on", "observe"]
    assert memory.booted == [None]


async def test_off_is_what_is_seen_twice(switches, node):
    await node.usable()
    memory = await switches.add(node, PowerState.ON)

    @dataclass
    class Cycling(MemorySwitch):
        """Comes back once by itself, as a controller does in the middle of a cycle."""

        back: bool = False

        async def observe(self):
            state = await super().observe()
            if state is PowerState.OFF and not self.back:
                self.back, self.state = True, PowerState.ON
            return state

    name = (await node.seen()).name
    switches.memory[name] = memory = Cycling(PowerState.ON)
    assert (await switches.ask(node, "off")).status == "done"
    assert memory.state is PowerState.OFF
    assert memory.asked.count("off") == 2


async def test_a_command_that_the_switch_did_not_take_is_given_again_soon(switches, node):
    await node.usable()
    memory = await switches.add(node)

    @dataclass
    class Busy(MemorySwitch):
        """Refuses twice."""

        async def on(self):
            self.asked.append("on")
            if self.asked.count("on") < 3:
                raise PowerError("power-failed", "not now")
            self._turn(PowerState.ON)

    switches.memory[(await node.seen()).name] = memory = Busy()
    began = switches.world.now
    assert (await switches.ask(node, "on")).status == "done"
    assert memory.asked.count("on") == 3
    assert switches.world.now - began < 30


async def test_an_order_that_had_to_wait_for_its_turn_has_all_its_time(switches, node, world):
    """A thousand machines were switched off at once, and sixteen switches are spoken with at a time."""
    await node.usable()
    await switches.add(node, PowerState.ON)
    machine = await node.seen()

    @dataclass
    class Slow(MemorySwitch):
        """Needs a while to go off."""

        async def off(self):
            self.asked.append("off")
            self.at = world.now + 20

        async def observe(self):
            self.state = PowerState.OFF if world.now >= self.at else PowerState.ON
            return self.state

        at: float = world.now + 10_000

    switches.memory[machine.name] = memory = Slow(PowerState.ON)
    task = await world.wishes.power(machine.id, PowerAction.OFF, None, ADA)
    world.now += 1000
    await switches.work()
    assert (await world.task(task.id)).status == "done"
    assert memory.asked.count("off") == 1


async def test_what_cannot_look_has_done_nothing_before_its_command_left(switches, node):
    """Wake-on-LAN: nobody sees that the machine starts, but everybody that no packet could be sent."""
    await node.usable()
    memory = await switches.add(node, settings=PowerSettings(PowerKind.WAKE_ON_LAN), secret="")
    memory.failing = PowerError("power-failed", "no packet could be sent")
    task = await switches.ask(node, "on")
    assert (task.status, task.code) == ("failed", "power-failed")
    memory.failing = None
    assert (await switches.ask(node, "on")).status == "done"


async def test_a_start_from_the_network_is_armed_right_before_it(switches, node):
    await node.usable()
    memory = await switches.add(node, PowerState.ON)
    memory.asked.clear()
    assert (await switches.ask(node, "network-once")).status == "done"
    before, after = ["observe", "check_start", "off", "observe", "observe"], ["observe", "boot_network_once", "on"]
    assert memory.asked == [*before, *after, "observe"]
    assert memory.booted == [False], "as BIOS, which is what it is"


async def test_a_switch_that_obeys_nothing_fails_the_task(switches, node):
    await node.usable()
    memory = await switches.add(node, PowerState.ON)
    memory.deaf = True
    task = await switches.ask(node, "off")
    assert (task.status, task.code) == ("failed", "power-still-on")
    assert "still on 180 seconds" in task.reason
    assert memory.asked.count("off") == 6, "every half minute, and not at every look"
    assert await switches.world.store.read(power.open_orders) == []


async def test_a_refused_password_is_tried_once(switches, node):
    await node.usable()
    memory = await switches.add(node)
    memory.asked.clear()
    memory.failing = PowerError("power-refused", "the user or the password is wrong")
    task = await switches.ask(node, "on")
    assert (task.status, task.code) == ("failed", "power-refused")
    assert memory.asked == ["observe"]


async def test_the_password_reaches_the_driver_and_nothing_else(switches, node, tmp_path):
    await node.usable()
    await switches.add(node)
    await switches.ask(node, "on")
    assert switches.opened[-1] == (SETTINGS, SECRET)
    entries = await switches.world.store.read(lambda db: audit_rows(db))
    told = [str(event) for event in await switches.world.events()]
    assert SECRET not in str(entries) + str(told)
    assert "(a secret)" in str(entries)
    assert all(SECRET.encode() not in file.read_bytes() for file in tmp_path.glob("store.db*"))


def audit_rows(db):
    cursor = db.execute("SELECT action, doc FROM audit")
    return [(row[0], bytes(row[1]).decode()) for row in cursor.fetchall()]


async def test_a_sealed_password_opens_for_its_machine_only(switches, node):
    await node.usable()
    await switches.add(node)
    machine = await node.seen()
    sealed = await switches.world.store.read(lambda db: power.secret(db, machine.id))
    assert switches.sealer.open(sealed, machine.id) == SECRET
    with pytest.raises(ApplianceError, match="cannot be read"):
        switches.sealer.open(sealed, "another")


async def test_a_stored_password_goes_to_no_other_address(switches, node):
    await node.usable()
    await switches.add(node)
    machine = await node.seen()
    other = PowerSettings(PowerKind.IPMI, "192.0.2.66", user="root")
    assert await code_of(Invalid, switches.wishes.set_switch(machine.id, other, None, ADA)) == "power-secret-missing"
    same = PowerSettings(PowerKind.IPMI, "192.0.2.10", user="admin")
    assert (await switches.wishes.set_switch(machine.id, same, None, ADA)).secret_set


async def test_one_order_at_a_time(switches, node):
    await node.usable()
    await switches.add(node)
    machine = await node.seen()
    await switches.world.wishes.power(machine.id, PowerAction.ON, None, ADA)
    again = switches.world.wishes.power(machine.id, PowerAction.CYCLE, None, ADA)
    assert await code_of(Conflict, again) == "power-busy"
    assert await code_of(Conflict, switches.wishes.remove_switch(machine.id, ADA)) == "power-busy"


async def test_what_is_lost_is_said_and_has_to_be_confirmed(switches, node):
    await node.active()
    memory = await switches.add(node, PowerState.ON)
    machine = await node.seen()
    told = await switches.world.wishes.machine_consequences(machine.id, MachineAction.POWER_OFF)
    assert told.confirm == machine.name
    assert "web-1 may run" in told.texts[0]
    assert "not written to its disk is lost" in told.texts[0]
    asked = switches.world.wishes.power(machine.id, PowerAction.OFF, None, ADA)
    assert await code_of(Conflict, asked) == "confirmation-needed"
    assert (await switches.ask(node, "off", machine.name)).status == "done"
    assert memory.state is PowerState.OFF
    assert await state(node) == "active", "power is beside the state"


async def test_a_machine_without_a_switch_is_switched_by_hand(switches, node):
    await node.usable()
    machine = await node.seen()
    assert await code_of(Conflict, switches.world.wishes.power(machine.id, PowerAction.ON, None, ADA)) == "power-none"


class Killed(BaseException):
    """kill -9, as far as what runs in the daemon is concerned."""


@dataclass
class Dying:
    """A switch whose daemon is killed right before, or right after, it is told to do something."""

    memory: MemorySwitch
    at: str
    after: bool

    def __getattr__(self, name):
        async def call(*arguments):
            if name == self.at and not self.after:
                raise Killed
            result = await getattr(self.memory, name)(*arguments)
            if name == self.at:
                raise Killed
            return result

        return call


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", ["observe", "check_start", "off", "boot_network_once", "on"])
async def test_a_killed_daemon_goes_on_where_the_switch_is(switches, node, at, after):
    await node.usable()
    memory = await switches.add(node, PowerState.ON)
    machine = await node.seen()
    await switches.world.wishes.power(machine.id, PowerAction.NETWORK_ONCE, None, ADA)
    switches.board._drivers = lambda *_: Dying(memory, at, after)
    with pytest.raises(BaseExceptionGroup):
        await switches.work()
    switches.__post_init__()
    await switches.work()
    assert memory.state is PowerState.ON
    if (at, after) == ("on", True):
        assert memory.booted == [False], "it runs, and is left alone"
    assert len(memory.booted) == 1, "started once, whenever it was"
    assert await switches.world.store.read(power.open_orders) == []


async def test_a_cycle_that_is_cancelled_gives_the_power_back(switches, node, world):
    await node.usable()
    memory = await switches.add(node, PowerState.ON)
    machine = await node.seen()
    task = await world.wishes.power(machine.id, PowerAction.CYCLE, None, ADA)

    @dataclass
    class Cancelling(MemorySwitch):
        """Somebody cancels as soon as the power is away."""

        async def off(self):
            await super().off()
            await world.wishes.cancel_task(str(task.id), ADA)

    switches.memory[machine.name] = memory = Cancelling(PowerState.ON)
    await switches.work()
    assert (await world.task(task.id)).status == "done"
    assert memory.booted == [None]


async def test_how_far_an_order_is_is_told_once_for_each_stage(switches, node, world, monkeypatch):
    """There may be thousands of them, each of which looks every two seconds."""
    await node.usable()
    await switches.add(node, PowerState.ON)
    heard, publish = [], world.bus.publish
    monkeypatch.setattr(world.bus, "publish", lambda item: (heard.append(item), publish(item)))
    assert (await switches.ask(node, "cycle")).status == "done"
    told = [item.detail["status"] for item in heard if getattr(item, "kind", "") == "task.changed"]
    assert told == ["waiting", "running", "running", "running", "done"]


async def test_a_cancelled_order_sends_nothing_and_frees_the_switch(switches, node, world):
    await node.usable()
    memory = await switches.add(node, PowerState.ON)
    machine = await node.seen()
    memory.asked.clear()
    task = await world.wishes.power(machine.id, PowerAction.OFF, None, ADA)
    await world.wishes.cancel_task(str(task.id), ADA)
    await switches.work()
    assert (await world.task(task.id)).status == "cancelled"
    await switches.turn()
    assert await world.store.read(power.open_orders) == []
    assert memory.asked == []
