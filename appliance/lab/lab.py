"""A running lab, seen from outside: what ``qrm lab`` and the tests hold in their hands."""

import asyncio
import json
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from appliance.errors import ApplianceError
from appliance.lab import control, namespace
from appliance.lab.card import Card, write_card, write_plan
from appliance.lab.directory import LabDirectory, create, default_base, open_kept, remove
from appliance.lab.plan import AS_SET_UP, LabPlan, MachinePlan, Start
from appliance.lab.process import Finished, end, run, start
from appliance.lab.serial import read_log

STOP_SECONDS = 40


class LabMachine:
    """One machine of a running lab, at arm's length."""

    def __init__(self, plan: MachinePlan, directory: LabDirectory) -> None:
        self.plan = plan
        self._directory = directory

    @property
    def name(self) -> str:
        """Its name in the lab, such as ``node1``."""
        return self.plan.name

    async def _order(self, order: str, **arguments: Any) -> Any:
        return await control.ask(self._directory.control, order, machine=self.name, **arguments)

    async def power_on(self, start: Start = AS_SET_UP) -> None:
        """Switch it on; nothing happens when it is on. Raises ``lab-qemu`` when QEMU refuses.

        ``start`` holds for this time: a kernel that QEMU itself loads, past boot order and netboot, or another disk
        to try first.
        """
        await self._order("power-on", start=asdict(start))

    async def kill(self) -> None:
        """Pull the plug."""
        await self._order("power-off")

    async def reset(self) -> None:
        """Press the reset button."""
        await self._order("reset")

    async def qmp(self, command: str, **arguments: Any) -> Any:
        """Ask its QEMU something, for example ``qmp("device_del", id="dev0")``."""
        return await self._order("qmp", command=command, arguments=arguments)

    async def type(self, text: str) -> None:
        """Type on its serial console."""
        await self._order("type", text=text)

    async def screenshot(self, path: Path | None = None) -> Path:
        """Its screen as a PNG file, in the lab's directory if no ``path`` is given."""
        target = path or self._directory.path / f"{self.name}.png"
        await self._order("screenshot", path=str(target.absolute()))
        return target

    async def status(self) -> dict[str, Any]:
        """``running``, ``powered_on_at`` (unix time or null), ``ended_with`` (exit status of QEMU or null)."""
        status = await control.ask(self._directory.control, "status")
        return dict(status["machines"][self.name])

    def serial_text(self) -> str:
        """What it said on its serial port so far."""
        return read_log(self._directory.serial_log(self.name))


class Lab:
    """A lab for the length of an ``async with`` block. Its end, even by SIGKILL, is the end of all that is in it.

    ``web`` is the console's listening socket, needed when the plan has a daemon. ``state`` names a directory that
    stays; without it everything is in a new one below ``base`` that is removed at the end.
    """

    def __init__(
        self, plan: LabPlan, *, web: socket.socket | None = None, state: Path | None = None, base: Path | None = None
    ) -> None:
        self.plan = plan
        self._web = web
        self._state = state
        self._base = base or default_base()
        self._exits = AsyncExitStack()
        self._process: Process | None = None
        self.directory = LabDirectory(Path())

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as exits:
            self.directory, lock = open_kept(self._state) if self._state else create(self._base)
            exits.callback(remove, self.directory)
            exits.callback(os.close, lock)
            await self._enter(lock, exits)
            self._exits = exits.pop_all()
        return self

    async def _enter(self, lock: int, exits: AsyncExitStack) -> None:
        write_plan(self.directory, self.plan)
        self.directory.temporary.mkdir(exist_ok=True)
        self._process = await self._start_inside(lock)
        exits.push_async_callback(self._stop_inside, self._process)
        await self._wait_ready(self._process)
        port = self._web.getsockname()[1] if self._web and self.plan.daemon else None
        names = tuple(machine.name for machine in self.plan.machines)
        write_card(self.directory, Card(self._process.pid, port, names))

    async def _start_inside(self, lock: int) -> Process:
        web = [self._web.fileno()] if self._web else []
        inside = [sys.executable, "-m", "appliance.lab.inside", str(self.directory.path), *map(str, web)]
        return await start(
            namespace.unshare_argv(inside, root=os.getuid() == 0),
            log=self.directory.inside_log,
            environment={"TMPDIR": str(self.directory.temporary), "PYTHONPATH": _python_path()},
            pass_fds=[lock, *web],
            own_session=True,
            talk=True,
        )

    async def _wait_ready(self, process: Process) -> None:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise ApplianceError("lab-inside", f"the lab does not start: {self.last_words()}")
        message = json.loads(line)
        if "code" in message:
            raise ApplianceError(message["code"], message["message"], message["hint"])

    async def _stop_inside(self, process: Process) -> None:
        """Let the inside end by itself, so that the daemon can; kill it if it does not."""
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            pass
        finally:
            await end(process)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    def last_words(self) -> str:
        """The end of what the inside said; empty when all was well."""
        return self.directory.inside_log.read_text(errors="replace").strip()[-2000:]

    @property
    def machines(self) -> tuple[LabMachine, ...]:
        """All machines, in the order of the plan."""
        return tuple(LabMachine(plan, self.directory) for plan in self.plan.machines)

    def machine(self, name: str) -> LabMachine:
        """The machine called ``name``; raises KeyError."""
        return {machine.name: machine for machine in self.machines}[name]

    def inside_argv(self, argv: Sequence[str]) -> list[str]:
        """``argv`` so that it runs in the lab's network, as root of it."""
        assert self._process is not None, "the lab is not running"
        return namespace.enter_argv(self._process.pid, argv, root=os.getuid() == 0)

    async def run(self, argv: Sequence[str], *, stdin: str = "", seconds: float = 60) -> Finished:
        """Run a program in the lab's network to its end; TimeoutError after ``seconds``."""
        return await run(self.inside_argv(argv), stdin=stdin, seconds=seconds)

    async def status(self) -> dict[str, Any]:
        """``daemon``: its process id inside the lab, or None; ``machines``: ``LabMachine.status`` by name."""
        return dict(await control.ask(self.directory.control, "status"))

    async def daemon_start(self) -> None:
        """Start the daemon again and wait until it is ready."""
        await control.ask(self.directory.control, "daemon-start")

    async def daemon_stop(self) -> None:
        """Stop the daemon in good order: the appliance is switched off."""
        await control.ask(self.directory.control, "daemon-stop")

    async def daemon_kill(self) -> None:
        """Kill the daemon where it stands."""
        await control.ask(self.directory.control, "daemon-kill")


def _python_path() -> str:
    """Where the inside finds this package, also when it is not installed but run from a checkout."""
    here = str(Path(__file__).parents[2])
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
