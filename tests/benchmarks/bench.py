"""The lab that all benchmarks share: two BIOS machines beside an appliance of which we are administrator."""

import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from appliance.errors import ApplianceError
from appliance.lab.administrator import Administrator, first_administrator
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.operator import Operator
from appliance.lab.phases import order
from appliance.lab.plan import APPLIANCE_ADDRESS, LabPlan, plan_machines
from appliance.lab.run import listen

SERVER = f"http://{APPLIANCE_ADDRESS}"

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """A running lab; ``rounds`` is how often what can be repeated is measured."""

    lab: Lab
    user: Administrator
    operators: tuple[Operator, ...]
    rounds: int

    async def fetch(self, *arguments: str) -> str:
        """What curl prints, run in the lab's network; raises ApplianceError with what it said."""
        return (await self.lab.run(["curl", "--silent", "--show-error", "--fail", *arguments])).check("curl").stdout

    async def fetch_as(self, address: str, url: str) -> str:
        """The same from the address that a machine was leased, which is off: scripts go to nobody else."""
        where = [f"{address}/32", "dev", "lo"]
        (await self.lab.run(["ip", "address", "add", *where])).check("ip")
        try:
            return await self.fetch("--interface", address, url)
        finally:
            (await self.lab.run(["ip", "address", "delete", *where])).check("ip")

    async def darken(self) -> None:
        """Switch every machine off, so that the next measurement has the computer for itself."""
        for operator in self.operators:
            await operator.machine.kill()

    async def forget(self, operator: Operator) -> None:
        """Switch a machine off and take it out of the fleet: what it does next, it does for the first time."""
        await operator.machine.kill()
        if operator.id:
            await self.user.api.delete(f"/machines/{operator.id}")
            operator.id = ""


@asynccontextmanager
async def open_bench(rounds: int) -> AsyncIterator[Bench]:
    """A new lab, gone at the end of the block."""
    plan = LabPlan(plan_machines(2, "bios"), daemon=(await build()).plan())
    with listen(None) as web:
        lab = Lab(plan, web=web)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user:
            operators = tuple(Operator(lab, user.api, each, f"bench-{each.name}", say) for each in lab.machines)
            yield Bench(lab, user, operators, rounds)


async def moment(operator: Operator, after: float, ends: Callable[[Item], bool]) -> float:
    """Unix time of the machine's first event since ``after`` for which ``ends`` holds."""
    for item in sorted(await operator.timeline(), key=order):
        if item["at"] >= after and ends(item):
            return float(item["at"])
    raise ApplianceError("bench-event", f"{operator.machine.name} has no such event")


def became(state: str) -> Callable[[Item], bool]:
    """For events that say that a machine came into ``state``."""
    return lambda item: item["kind"] == "machine.state" and item["detail"].get("to") == state


def say(text: str) -> None:
    """Tell how far it is, with the time of day."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)
