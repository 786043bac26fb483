"""The first process inside a lab: builds the switch, runs the daemon and the machines, obeys orders.

``python -m appliance.lab.inside DIRECTORY [WEB_FD]``. Says ``{"ready": true}`` or an error as one JSON line on
standard output; ends when standard input closes, which is when the outside ends.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp.web import AppRunner

from appliance.decoding import converted
from appliance.errors import ApplianceError, first_of
from appliance.lab import control
from appliance.lab.card import read_plan
from appliance.lab.controller import Controller
from appliance.lab.controller_key import controller_key
from appliance.lab.daemon import Daemon
from appliance.lab.directory import LabDirectory
from appliance.lab.machine import Machine
from appliance.lab.network import build_switch
from appliance.lab.plan import AS_SET_UP, LabPlan, Start


class Inside:
    """Everything in the lab that lives."""

    def __init__(self, plan: LabPlan, directory: LabDirectory, web: int | None) -> None:
        self._plan = plan
        self._directory = directory
        self._machines = {each.name: Machine(each, directory, plan.accelerator) for each in plan.machines}
        self._daemon = Daemon(plan.daemon, directory, web) if plan.daemon and web is not None else None
        self._orders: dict[str, Callable[[control.Order], Awaitable[Any]]] = {
            "status": self._status,
            "power-on": self._power_on,
            "power-off": self._power_off,
            "reset": self._reset,
            "screenshot": self._screenshot,
            "type": self._type,
            "qmp": self._qmp,
            "daemon-start": self._daemon_start,
            "daemon-stop": self._daemon_stop,
            "daemon-kill": self._daemon_kill,
        }

    async def run(self) -> None:
        """Start, say so, and serve until the outside is gone."""
        servers: list[asyncio.Server] = []
        controller: AppRunner | None = None
        try:
            async with asyncio.TaskGroup() as self._owner:
                await build_switch(self._plan)
                servers += await self._open_sockets()
                controller = await self._controller()
                await self._daemon_start({})
                _say({"ready": True})
                await _outside_gone()
                await self._power_everything_off()
        finally:
            for server in servers:
                server.close()
            if controller is not None:
                await controller.cleanup()
            await self._daemon_stop({})

    async def _controller(self) -> AppRunner:
        """The power buttons of all machines, for the appliance."""

        async def switch_on(machine: Machine) -> None:
            await machine.power_on(self._owner, AS_SET_UP)

        key = controller_key(self._directory.controller_key, self._directory.controller_password)
        return await Controller(self._machines, switch_on, key).serve()

    async def _open_sockets(self) -> list[asyncio.Server]:
        servers = []
        self._directory.clear_sockets()
        for name, machine in self._machines.items():
            machine.prepare()
            path = self._directory.console(name)
            servers.append(await asyncio.start_unix_server(machine.serial.attach, path))
        return [*servers, await control.serve(self._directory.control, self._obey)]

    async def _power_everything_off(self) -> None:
        for machine in self._machines.values():
            await machine.power_off()

    async def _obey(self, what: str, order: control.Order) -> Any:
        if what not in self._orders:
            raise ApplianceError("lab-order", f"there is no order {what!r}")
        return await self._orders[what](order)

    def _machine(self, order: control.Order) -> Machine:
        name = order.get("machine")
        if name not in self._machines:
            known = ", ".join(self._machines) or "none"
            raise ApplianceError("lab-no-machine", f"there is no machine {name!r} in this lab", f"there are: {known}")
        return self._machines[name]

    async def _status(self, order: control.Order) -> Any:
        return {
            "daemon": self._daemon.pid if self._daemon else None,
            "machines": {
                name: {
                    "running": machine.running,
                    "powered_on_at": machine.powered_on_at,
                    "ended_with": machine.ended_with,
                }
                for name, machine in self._machines.items()
            },
        }

    async def _power_on(self, order: control.Order) -> None:
        start = converted(order.get("start") or {}, Start)
        await self._machine(order).power_on(self._owner, start)

    async def _power_off(self, order: control.Order) -> None:
        await self._machine(order).power_off()

    async def _reset(self, order: control.Order) -> None:
        await self._machine(order).reset()

    async def _screenshot(self, order: control.Order) -> None:
        await self._machine(order).screenshot(order["path"])

    async def _type(self, order: control.Order) -> None:
        self._machine(order).serial.type(order["text"].encode())

    async def _qmp(self, order: control.Order) -> Any:
        return await self._machine(order).qmp(order["command"], order.get("arguments"))

    async def _daemon_start(self, order: control.Order) -> None:
        if self._daemon:
            await self._daemon.start()

    async def _daemon_stop(self, order: control.Order) -> None:
        if self._daemon:
            await self._daemon.stop()

    async def _daemon_kill(self, order: control.Order) -> None:
        if self._daemon:
            await self._daemon.kill()


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


async def _outside_gone() -> None:
    """Wait for the end of standard input, which the outside holds open as long as it lives."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    transport.close()


def main() -> None:
    """Run the inside; exit status 1 after an error, which has been said."""
    directory = LabDirectory(Path(sys.argv[1]))
    web = int(sys.argv[2]) if len(sys.argv) > 2 else None
    os.umask(0o077)
    plan = read_plan(directory)
    try:
        asyncio.run(Inside(plan, directory, web).run())
    except* ApplianceError as group:
        error = first_of(group)
        assert isinstance(error, ApplianceError), "the group has no others"
        _say({"code": error.code, "message": error.message, "hint": error.hint})
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
