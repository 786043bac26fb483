"""Wishes, machines, time and restarts of the daemon in any order: what must be so stays so, and nothing is stuck."""

import asyncio
import tempfile
from pathlib import Path

from fleet_people import People
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from appliance.reconcile.consequences import Action
from tests.people import ADA

MEMORY = Path("/dev/shm")
WHICH = st.integers(0, 1)
STEPS = st.integers(0, 8)
"""That computers do on their way to a deployed system; seven bring them there."""
ACTIONS = st.sampled_from(sorted(Action))
MACHINE_WISHES = st.sampled_from(
    ["rescue", "end-rescue", "break", "mend", "delete", "maintenance-on", "maintenance-off"]
)


class AnyOrder(RuleBasedStateMachine):
    """One fleet; each rule is one thing that somebody or something does."""

    def __init__(self):
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.runner = asyncio.Runner()
        self.people = None

    @initialize(steps=st.tuples(STEPS, STEPS))
    def begins(self, steps):
        self.people = People(Path(self.directory.name))
        self.runner.run(self.people.begin(steps))

    def run(self, doing):
        return self.runner.run(self.people.tries(doing))

    async def _act(self, which, action):
        found = await self.people.deployments()
        if found:
            await self.people.acts(found[which % len(found)].name, action)

    async def _machine_wish(self, which, what):
        found = await self.people.machines()
        if found:
            await self.people.machine_wish(found[which % len(found)].id, what)

    @rule(which=WHICH, action=ACTIONS, turn=st.booleans())
    def somebody_acts(self, which, action, turn):
        self.run(self._act(which, action))
        if turn:
            self.run(self.people.passes(1))

    @rule(which=WHICH, what=MACHINE_WISHES, turn=st.booleans())
    def somebody_wants_of_a_machine(self, which, what, turn):
        self.run(self._machine_wish(which, what))
        if turn:
            self.run(self.people.passes(1))

    @rule(which=WHICH, action=ACTIONS, what=MACHINE_WISHES, other=ACTIONS)
    def three_at_once(self, which, action, what, other):
        async def together():
            tries = self.people.tries
            wishes = self._act(which, action), self._machine_wish(which, what), self._act(which, other)
            await asyncio.gather(*(tries(each) for each in wishes), self.people.world.loop.round())

        self.run(together())

    @rule(which=WHICH)
    def somebody_cancels(self, which):
        async def cancels():
            found = await self.people.tasks()
            if found:
                await self.people.world.wishes.cancel_task(str(found[which % len(found)].id), ADA)

        self.run(cancels())

    @rule(which=WHICH)
    def a_deployment_goes_and_another_comes(self, which):
        async def swaps():
            found = await self.people.deployments()
            if len(found) < 2:
                await self.people.creates()
            else:
                await self.people.world.wishes.delete_deployment(found[which].name, ADA)

        self.run(swaps())

    @rule(seconds=st.sampled_from([1, 30, 700, 1300, 4000]))
    def time_passes(self, seconds):
        self.run(self.people.passes(seconds))

    @rule(which=WHICH)
    def a_computer_is_switched_on(self, which):
        self.run(self.people.computers[which].power_on())

    @rule(which=WHICH, steps=STEPS)
    def a_computer_goes_on(self, which, steps):
        self.run(self.people.go_on([which], steps))

    @rule(steps=STEPS)
    def all_go_on(self, steps):
        self.run(self.people.go_on([0, 1], steps))

    @rule(which=WHICH)
    def an_agent_asks_for_work(self, which):
        async def asks():
            computer = self.people.computers[which]
            if computer.runs == "stack" and computer.held is None:
                await computer.takes_work()

        self.run(asks())

    @rule(which=WHICH, status=st.sampled_from(["running", "done", "failed"]))
    def an_agent_reports(self, which, status):
        computer = self.people.computers[which]
        if computer.held is not None:
            self.run(computer.does(status))

    @rule(which=WHICH, obeys=st.booleans())
    def a_system_speaks(self, which, obeys):
        computer = self.people.computers[which]
        if computer.runs == "system":
            self.run(computer.obeys_if_told() if obeys else computer.reports_active("b"))

    @rule()
    def the_daemon_restarts(self):
        self.runner.run(self.people.restarts_daemon())

    @invariant()
    @precondition(lambda self: self.people is not None)
    def all_is_well(self):
        self.runner.run(self.people.check())

    def teardown(self):
        try:
            if self.people is not None:
                self.runner.run(self.people.check_ends())
        finally:
            if self.people is not None:
                self.runner.run(self.people.opened.aclose())
            self.runner.close()
            self.directory.cleanup()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
