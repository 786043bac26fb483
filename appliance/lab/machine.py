"""One computer of the lab while it lives: its QEMU, its serial port, its buttons."""

import asyncio
import os
import shutil
import socket
import time
from asyncio.subprocess import Process
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from appliance.errors import ApplianceError
from appliance.lab import qemu
from appliance.lab.directory import LabDirectory
from appliance.lab.plan import Accelerator, MachinePlan, Start
from appliance.lab.process import end, start
from appliance.lab.qmp import LONGEST_LINE, Qmp
from appliance.lab.serial import BoundedLog, SerialPort


@dataclass(slots=True)
class _Running:
    process: Process
    qmp: Qmp
    ended: asyncio.Event


class Machine:
    """A machine that can be switched on and off. Its disks and its UEFI variables live in the lab's directory."""

    def __init__(self, plan: MachinePlan, directory: LabDirectory, accelerator: Accelerator) -> None:
        self.plan = plan
        self._directory = directory
        self._accelerator = accelerator
        self._running: _Running | None = None
        self._switching = asyncio.Lock()
        self.serial = SerialPort(BoundedLog(directory.serial_log(plan.name)))
        self.powered_on_at: float | None = None
        """Unix time of the last power-on."""
        self.ended_with: int | None = None
        """Exit status of the last QEMU: 0 when the machine switched itself off."""

    @property
    def running(self) -> bool:
        """Whether the machine has power."""
        return self._running is not None

    def prepare(self) -> None:
        """Make the blank disks and the factory-new UEFI variables, unless they are there already."""
        for disk in self.plan.disks:
            _make_sparse(self._directory.path / disk.file, disk.size)
        name = qemu.variables_file(self.plan)
        if name and not (self._directory.path / name).exists():
            shutil.copyfile(qemu.factory_variables(self.plan), self._directory.path / name)

    async def power_on(self, owner: asyncio.TaskGroup, how: Start) -> None:
        """Start QEMU; tasks that serve it belong to ``owner``. Nothing happens when it is on.

        Raises ``lab-qemu`` with what QEMU said when it refuses to start.
        """
        async with self._switching:
            if self._running is None:
                await self._start(owner, how)

    async def _start(self, owner: asyncio.TaskGroup, how: Start) -> None:
        with ExitStack() as stack:
            qmp_here, qmp_there = _socket_pair(stack)
            serial_here, serial_there = _socket_pair(stack)
            channels = qemu.Channels(qmp=qmp_there.fileno(), serial=serial_there.fileno())
            process = await start(
                qemu.command_line(self.plan, self._directory.path, channels, self._accelerator, how),
                log=self._directory.qemu_log(self.plan.name),
                pass_fds=(channels.qmp, channels.serial),
            )
            self.powered_on_at = time.time()
            qmp = Qmp(*await _streams(qmp_here))
            line = await _streams(serial_here)
        self._running = running = _Running(process, qmp, asyncio.Event())
        owner.create_task(self._live(running, line))
        await self._negotiate(running)
        await self._pull_cables(running)

    async def _negotiate(self, running: _Running) -> None:
        try:
            await running.qmp.execute("qmp_capabilities")
        except ApplianceError:
            await running.ended.wait()
            said = self._directory.qemu_log(self.plan.name).read_text(errors="replace").strip()[-1000:]
            raise ApplianceError("lab-qemu", f"QEMU does not start {self.plan.name}: {said}") from None

    async def _pull_cables(self, running: _Running) -> None:
        """QEMU plugs every cable in; firmware looks at the links only after seconds of other work."""
        for index, nic in enumerate(self.plan.nics):
            if not nic.cable:
                await running.qmp.execute("set_link", {"name": qemu.netdev(index), "up": False})

    async def _live(self, running: _Running, line: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_until_closed(running.qmp.listen()))
                group.create_task(_until_closed(self.serial.pump(*line)))
                self.ended_with = await running.process.wait()
        finally:
            await end(running.process)
            self._running = None
            running.ended.set()

    async def power_off(self) -> None:
        """Pull the plug: the machine gets no chance to write anything down."""
        if running := self._running:
            running.process.kill()
            await running.ended.wait()

    async def qmp(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """Ask QEMU something; raises ``lab-machine-off`` without power, ``lab-qmp`` with QEMU's words."""
        if self._running is None:
            raise ApplianceError("lab-machine-off", f"{self.plan.name} is off")
        return await self._running.qmp.execute(command, arguments)

    async def reset(self) -> None:
        """Press the reset button."""
        await self.qmp("system_reset")

    async def screenshot(self, path: str) -> None:
        """Write the screen as PNG to ``path``."""
        await self.qmp("screendump", {"filename": path, "format": "png"})


def _make_sparse(path: os.PathLike[str], size: int) -> None:
    with open(path, "ab") as file:
        if file.tell() == 0:
            file.truncate(size)


def _socket_pair(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Our end and QEMU's end; QEMU's is closed here when the stack unwinds, after QEMU got its copy."""
    here, there = socket.socketpair()
    stack.enter_context(there)
    return here, there


async def _streams(end_here: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(sock=end_here, limit=LONGEST_LINE)


async def _until_closed(work: Any) -> None:
    """Run ``work``; a connection that breaks because QEMU was killed is an end like any other."""
    with suppress(ConnectionError):
        await work
