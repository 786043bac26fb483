"""``qrm lab --check``: the main job on all machines of a lab at once, through the API, and what came of it."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.errors import ApplianceError
from appliance.lab import ssh
from appliance.lab.api import Api, connect
from appliance.lab.lab import Lab
from appliance.lab.machine_check import MachineCheck
from appliance.lab.report import Outcome
from appliance.lab.setup_link import read_setup_link

ADMINISTRATOR = "lab"
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
    async with connect(port, lab.directory.daemon_state / "ca.pem") as api:
        await _set_up(lab, api)
        key = await ssh.make_key(lab.directory.ssh_key)
        checks = [MachineCheck(lab, api, machine, key, say) for machine in lab.machines]
        outcomes = await _run_all(checks, deadline)
    return Checked(outcomes, time.monotonic() - started)


async def _set_up(lab: Lab, api: Api) -> None:
    """What the person with the set-up link does: become the first administrator, and log in."""
    password = secrets.token_urlsafe(24)
    token = read_setup_link(lab.directory.daemon_state).token
    await api.post("/setup", token=token, name=ADMINISTRATOR, password=password)
    await api.log_in(ADMINISTRATOR, password)
    await _must_be_refused(api, token)


async def _must_be_refused(api: Api, token: str) -> None:
    """The link is good once; an appliance that takes it again could be taken over."""
    try:
        await api.post("/setup", token=token, name="intruder", password=secrets.token_urlsafe(24))
    except ApplianceError as error:
        if error.code == "lab-api":
            raise
        return
    raise ApplianceError("lab-setup", "the one-time set-up link worked twice")


async def _run_all(checks: Sequence[MachineCheck], deadline: float) -> list[Outcome]:
    """All at once; a machine that fails does not end the others, the overall deadline ends all."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run(deadline)) for each in checks]
    return [task.result() for task in tasks]
