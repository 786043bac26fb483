"""The task that writes an update: what users see of it while the privileged helper is at it, and how it ends."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from appliance.errors import ApplianceError
from appliance.privileged.verbs import update as verbs
from appliance.reconcile.incoming_update import IncomingUpdate
from appliance.reconcile.jobs import JobCancelled, Running
from appliance.reconcile.update_desk import Desk
from appliance.reconcile.update_ending import Ending

log = logging.getLogger(__name__)


class Installation:
    """One of them, from the call to the helper until its end is known: whatever else fails, that goes on."""

    def __init__(self, desk: Desk, state_dir: Path, running: Running) -> None:
        self._desk, self._incoming, self._running = desk, IncomingUpdate(state_dir), running
        self._version = str(running.task.arguments["version"])
        self._heard: asyncio.Queue[tuple[float | None, str]] = asyncio.Queue()
        self._ending = Ending(desk.bus, desk.privileged)

    async def run(self) -> dict[str, Any]:
        """The result of the task. Raises JobCancelled where it was ended, and ApplianceError as the helper does."""
        failure = await self._call()
        if self._ending.done:
            await self._running.say("the slot that was written cannot be started; the version in use was not touched")
            raise JobCancelled
        if failure is not None:
            raise failure
        await asyncio.to_thread(self._incoming.discard)
        if self._ending.cancelled:
            await self._running.say("it was written before it could be cancelled")
        await self._running.say("it starts with the next restart of the appliance")
        return {"version": self._version}

    async def _call(self) -> ApplianceError | None:
        """Have it written, and say how far it is meanwhile. Why it failed, if it did."""
        async with asyncio.TaskGroup() as group:
            following = group.create_task(self._follow(), name="progress of an update")
            watching = group.create_task(self._ending.when_cancelled(self._running), name="whether it is cancelled")
            try:
                await self._desk.privileged.call(verbs.Install(self._version), self._hears)
                failure: ApplianceError | None = None
            except ApplianceError as error:  # kept: the helper may be ending it, and that is to be waited for
                failure = error
            following.cancel()
            if self._ending.over():
                watching.cancel()
        return failure

    def _hears(self, share: float | None, text: str) -> None:
        self._heard.put_nowait((share, text))

    async def _follow(self) -> None:
        """How far it is, is told where that can be; who looks after cancelled tasks is another one."""
        try:
            while True:
                share, text = await self._heard.get()
                await self._running.progress(share or 0.0, text)
        except (ApplianceError, JobCancelled):
            log.debug("the progress of the update is not told any more")
