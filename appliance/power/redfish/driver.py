"""A machine behind a Redfish controller."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from appliance.power.redfish import document
from appliance.power.redfish.client import Answer, Client, talking
from appliance.power.redfish.document import CYCLE, OFF, ON, Document
from appliance.power.tolerant import ordered
from appliance.power_switch import PowerError, PowerSettings, PowerState

SECONDS = 35.0
"""For one call, all its requests together but for the end of its session."""
TASK_PAUSE = 0.5
TASK_LOOKS = 20
"""How often a task is looked at, so many seconds apart, before its order counts as taken."""


@dataclass(frozen=True, slots=True)
class System:
    """A computer system of a controller, as it was a moment ago."""

    client: Client
    path: str
    answer: Answer

    @property
    def document(self) -> Document:
        """What the controller says of it."""
        return self.answer.document


@dataclass(frozen=True, slots=True)
class Redfish:
    """A system of one controller."""

    settings: PowerSettings
    secret: str = field(repr=False)
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def observe(self) -> PowerState:
        """The system's PowerState."""
        async with self._system() as system:
            return document.power_state(system.document)

    async def on(self) -> None:
        """Reset: On, or what the controller has for it."""
        async with self._system() as system:
            await ordered(lambda: self._switch_on(system), lambda: _state(system), PowerState.ON)

    async def off(self) -> None:
        """Reset: ForceOff."""
        async with self._system() as system:
            await ordered(lambda: self._reset(system, OFF), lambda: _state(system), PowerState.OFF)

    async def cycle(self) -> None:
        """Reset: PowerCycle, or ForceRestart; what is off is switched on."""
        async with self._system() as system:
            if document.power_state(system.document) is PowerState.OFF:
                await self._switch_on(system)
            else:
                await self._reset(system, CYCLE)

    async def check_start(self, network: bool, uefi: bool) -> None:
        """Looks for the network among the boot sources; of resets some list only what the present state allows."""
        if network:
            async with self._system() as system:
                next(document.boot_changes(system.document, uefi))

    async def boot_network_once(self, uefi: bool) -> None:
        """Boot source override, once (DSP0268, ComputerSystem, Boot)."""
        async with self._system() as system:
            refused: PowerError | None = None
            for change in document.boot_changes(system.document, uefi):
                try:
                    return await self._change(system, change)
                except PowerError as error:
                    if error.code != "power-failed":
                        raise
                    refused = refused or error
            text = "the controller cannot make this system boot from the network in this mode"
            raise refused or PowerError("power-unsupported", text, "set the mode in its firmware")

    @asynccontextmanager
    async def _system(self) -> AsyncIterator[System]:
        try:
            async with asyncio.timeout(SECONDS), talking(self.settings, self.secret) as client:
                yield await found(client, self.settings.system)
        except TimeoutError:
            text = f"the controller {self.settings.address} did not finish in {SECONDS:.0f} seconds"
            raise PowerError("power-unreachable", text, "it is busy: try again in a minute") from None

    async def _switch_on(self, system: System) -> None:
        """A button is pressed only for what is seen to be off: the same press switches off what is on."""
        off = document.power_state(system.document) is PowerState.OFF
        await self._reset(system, (*ON, "PushPowerButton") if off else ON)

    async def _reset(self, system: System, wanted: tuple[str, ...]) -> None:
        action = document.reset_action(system.document)
        chosen = document.reset_type(wanted, await _possible(system.client, action))
        if not chosen:
            text = f"the controller can do none of {', '.join(wanted)} with this system"
            raise PowerError("power-unsupported", text, "update the controller")
        target = document.path_of(action.get("target"))
        await self._taken(system.client, await system.client.ask("POST", target, {"ResetType": chosen}))

    async def _change(self, system: System, change: Document) -> None:
        """To the system itself, or, where that cannot be changed, to the document that it names for changes."""
        answer = await _patched(system.client, system.path, change, system.answer.etag)
        if answer.status in (400, 405, 501) and (other := document.settings_path(system.document)):
            etag = (await system.client.get(other)).etag
            answer = await _patched(system.client, other, change, etag)
        await self._taken(system.client, answer)

    async def _taken(self, client: Client, answer: Answer) -> None:
        """Waits for the task of a 202 (DSP0266, section 12.2), but not for ever: what goes on has been taken."""
        client.good(answer)
        if answer.status != 202 or not answer.headers.get("Location"):
            return
        monitor = document.own_path(answer.headers["Location"])
        for _ in range(TASK_LOOKS):
            look = await client.ask("GET", monitor)
            if look.status == 404:  # some forget a task as soon as it is done
                return
            failed = document.task_failed(client.good(look).document)
            if failed:
                raise PowerError("power-failed", "the controller took the order, and then failed", "look at its log")
            if failed is False and look.status != 202:
                return
            await self.pause(TASK_PAUSE)


async def found(client: Client, system: str) -> System:
    """The system that is meant; raises PowerError where that is none, or one of several."""
    root = (await client.get(document.ROOT)).document
    paths = document.members((await client.get(document.link(root, "Systems"))).document)
    path = document.named_by_path(paths, system)
    if path:
        return System(client, path, await client.get(path))
    for each in paths if system else ():
        answer = await client.get(each)
        if document.is_called(answer.document, system):
            return System(client, each, answer)
    raise document.which(len(paths), system)


async def _state(system: System) -> PowerState:
    return document.power_state((await system.client.get(system.path)).document)


async def _possible(client: Client, action: Document) -> tuple[str, ...] | None:
    listed = document.allowed(action)
    if listed is None and (info := action.get("@Redfish.ActionInfo")):
        return document.allowed_by_info((await client.get(document.path_of(info))).document)
    return listed


async def _patched(client: Client, path: str, change: Document, etag: str) -> Answer:
    """Sends a change with the version it is meant for, in each of the spellings that controllers compare with.

    412: some call their versions weak and then want them strong; some want any; some cannot take one at all. 428: one
    is wanted that was never told.
    """
    spellings = dict.fromkeys((etag, etag.removeprefix("W/"), "*")) if etag else {}
    for match in spellings:
        answer = await client.ask("PATCH", path, change, **{"If-Match": match})
        if answer.status != 412:
            return answer
    answer = await client.ask("PATCH", path, change)
    return answer if answer.status != 428 else await client.ask("PATCH", path, change, **{"If-Match": "*"})
