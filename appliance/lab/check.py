"""``qrm lab --check``: the main job on all machines of a lab at once, through the API, and what came of it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.lab.administrator import first_administrator
from appliance.lab.lab import Lab
from appliance.lab.machine_check import MachineCheck
from appliance.lab.report import Outcome

DEFAULT_DEADLINE_SECONDS = 20 * 60


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it on each machine, and in how many seconds."""

    outcomes: Sequence[Outcome]
    seconds: float


async def check(lab: Lab, port: int, say: Callable[[str], None], deadline: float) -> Checked:
    """Do the main job on every machine of ``lab``, whose console is at ``port``, within ``deadline`` seconds.

    Raises ApplianceError when it cannot even begin; what goes wrong on a machine is in its outcome.
    """
    started = time.monotonic()
    async with first_administrator(lab, port) as user:
        checks = [MachineCheck(lab, user.api, machine, user.public_key, say) for machine in lab.machines]
        outcomes = await _run_all(checks, deadline)
    return Checked(outcomes, time.monotonic() - started)


async def _run_all(checks: Sequence[MachineCheck], deadline: float) -> list[Outcome]:
    """All at once; a machine that fails does not end the others, the overall deadline ends all."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run(deadline)) for each in checks]
    return [task.result() for task in tasks]
