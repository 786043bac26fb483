"""The appliance of the lab: the real daemon as a child, started as systemd would start it."""

import asyncio
import socket
import sys
from asyncio.subprocess import Process
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.lab.configuration import configuration
from appliance.lab.directory import LabDirectory
from appliance.lab.plan import DaemonPlan
from appliance.lab.process import end, start
from appliance.lab.redact import redact

READY_SECONDS = 120
STOP_SECONDS = 20


class Daemon:
    """Starts, stops and kills the daemon; the listening socket of the console stays open in between."""

    def __init__(self, plan: DaemonPlan, directory: LabDirectory, web: int) -> None:
        self._plan = plan
        self._directory = directory
        self._web = web
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        """Whether the daemon's process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Process id as seen inside the lab."""
        return self._process.pid if self._process and self.running else None

    async def start(self) -> None:
        """Start and wait until it is ready; raises ``lab-daemon`` with its last words when it ends instead."""
        if self.running:
            return
        self._directory.config.write_text(configuration(self._plan, self._directory.daemon_state))
        with _listening(self._directory.notify) as notify:
            self._process = await self._spawn()
            await self._wait_ready(notify, self._process)

    async def _spawn(self) -> Process:
        serve = [sys.executable, "-m", "appliance", "serve", "--config", str(self._directory.config)]
        return await start(
            [sys.executable, "-m", "appliance.lab.activate", str(self._web), "web", *serve],
            log=self._directory.daemon_log,
            environment={"NOTIFY_SOCKET": str(self._directory.notify), "MALLOC_ARENA_MAX": "1"},  # as the unit has it
            pass_fds=(self._web,),
        )

    async def _wait_ready(self, notify: socket.socket, process: Process) -> None:
        async with asyncio.TaskGroup() as group:
            ready = group.create_task(_ready(notify))
            ended = group.create_task(process.wait())
            await asyncio.wait((ready, ended), timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            was_ready = ready.done()
            ready.cancel()
            ended.cancel()
        if not was_ready:
            await end(process)
            raise ApplianceError("lab-daemon", f"the daemon does not start: {redact(self.last_words())}")

    def last_words(self) -> str:
        """The end of the daemon's log."""
        return self._directory.daemon_log.read_text(errors="replace").strip()[-2000:]

    async def stop(self) -> None:
        """Ask it to end, as systemd does; kill it after ``STOP_SECONDS``."""
        if self._process is not None:
            await end(self._process, grace=STOP_SECONDS)

    async def kill(self) -> None:
        """Kill it, as a power cut would."""
        if self._process is not None:
            await end(self._process)


def _listening(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    notify.bind(str(path))
    return notify


async def _ready(notify: socket.socket) -> None:
    """Wait for READY=1 (sd_notify(3)); other assignments are not for us."""
    loop = asyncio.get_running_loop()
    while b"READY=1" not in (await loop.sock_recv(notify, 4096)).splitlines():
        pass
