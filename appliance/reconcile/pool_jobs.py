"""The tasks that change pools and volumes: how far they are, and how they are cancelled."""

import asyncio
from dataclasses import dataclass
from typing import Any

from appliance.errors import ApplianceError
from appliance.pool import Deed, Work
from appliance.reconcile.jobs import JobCancelled, Running
from appliance.reconcile.pool_work import PoolWork
from appliance.store import pools

HEAR_EVERY = 1.0
"""Seconds between two looks at how far it is, and whether somebody has cancelled it."""
STAYS = frozenset({Deed.GROW, Deed.MAKE, Deed.ADOPT, Deed.EXTEND, Deed.RETIRE, Deed.EXAMINE, Deed.REPAIR})
"""What goes on to its end once it has begun: half of it would be worse than all of it."""


@dataclass(slots=True)
class _Heard:
    """What a driver told last."""

    fraction: float = 0.0
    message: str = ""

    def __call__(self, fraction: float | None, message: str) -> None:
        self.fraction, self.message = fraction if fraction is not None else self.fraction, message


async def run(work_of: PoolWork, running: Running) -> dict[str, Any]:
    """Do what the task is for; raises what the driver raises, and JobCancelled."""
    work = await running.store.read(lambda db: pools.work_of_task(db, running.task.id))
    if work is None:  # it was done, and the daemon ended before the task did
        return _result(running)
    if work.deed not in STAYS:
        await _check(work_of, running, work)
    heard = _Heard()
    async with asyncio.TaskGroup() as group:
        doing = group.create_task(_outcome(work_of, work, heard), name=f"pool work {work.id}")
        cancelled = await _followed(running, work, doing, heard)
    if cancelled and await work_of.take_back(work):
        raise JobCancelled
    result = None if doing.cancelled() else doing.result()
    if isinstance(result, Exception):
        raise result
    return result or _result(running)


async def _check(work_of: PoolWork, running: Running, work: Work) -> None:
    try:
        await running.check()
    except JobCancelled:
        await work_of.take_back(work)
        raise


async def _followed(
    running: Running, work: Work, doing: "asyncio.Task[dict[str, Any] | Exception]", heard: _Heard
) -> bool:
    """Tell how far it is until it has ended; whether somebody has cancelled it."""
    while not doing.done():
        await asyncio.wait({doing}, timeout=HEAR_EVERY)
        try:
            await running.progress(heard.fraction, heard.message)
        except JobCancelled:
            if work.deed not in STAYS and not doing.done():
                doing.cancel()
                return True
    return False


async def _outcome(work_of: PoolWork, work: Work, heard: _Heard) -> dict[str, Any] | Exception:
    """An error is handed over as it is, and not in a group of errors."""
    try:
        return await work_of.carry_out(work, heard)
    except ApplianceError as error:
        return error


def _result(running: Running) -> dict[str, Any]:
    return {key: running.task.arguments[key] for key in ("pool", "volume") if key in running.task.arguments}
