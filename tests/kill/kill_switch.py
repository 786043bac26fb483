"""A Redfish controller with the power button of one played machine, on the loopback of the appliance."""

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from kill_api import User
from kill_machine import Phase, PlayedMachine
from kill_network import Network

from appliance.lab.controller import PORT, USER, Controller
from appliance.lab.controller_key import controller_key
from appliance.lab.plan import MachinePlan

NAME = "played"


@dataclass
class Button:
    """What the controller presses; the machine feels it at its next turn."""

    machine: PlayedMachine
    running: bool

    def __post_init__(self) -> None:
        self.pressed: list[str] = []
        """Each time that the power came or went."""
        self.armable = True
        """Whether the user of the controller may change what it boots from."""
        self.plan = MachinePlan(NAME, "bios", 64, (), (), self.machine.uuid, "P1")

    def _turn(self, running: bool) -> None:
        if running is not self.running:
            self.running = running
            self.pressed.append("on" if running else "off")

    async def power_on(self) -> None:
        """On."""
        self._turn(True)

    async def power_off(self) -> None:
        """The plug is pulled."""
        self._turn(False)

    def tend(self) -> None:
        """The machine has power, or has none."""
        if self.running and self.machine.phase is Phase.OFF:
            self.machine.power_on()
        elif not self.running and self.machine.phase is not Phase.OFF:
            self.machine.power_cut()


class ButtonController(Controller):
    """The lab's, with users who may not do everything."""

    async def _change(self, request: web.Request) -> web.Response:
        button: Any = self.machines[NAME]
        if not button.armable:
            raise web.HTTPForbidden
        return await super()._change(request)


class Switch:
    """Serves in a thread of its own until it is closed."""

    def __init__(self, directory: Path, network: Network, machine: PlayedMachine) -> None:
        self.button = Button(machine, machine.phase is not Phase.OFF)
        self.key = controller_key(directory / "controller.pem", directory / "controller-password")
        self._network, self._ready = network, threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(10), "the controller does not start"

    def _run(self) -> None:
        async def switch_on(machine: Any) -> None:
            await machine.power_on()

        machines: Any = {NAME: self.button}
        with self._network.inside():
            runner = self._loop.run_until_complete(ButtonController(machines, switch_on, self.key).serve())
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    def close(self) -> None:
        """Gone."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def set_up(self, user: User, machine: str) -> None:
        """Tell the appliance of it."""
        user.put(
            f"/machines/{machine}/power",
            kind="redfish",
            address="127.0.0.1",
            port=PORT,
            user=USER,
            system=NAME,
            fingerprint=self.key.fingerprint,
            secret=self.key.password,
        )
