"""How the appliance itself is, asked of the privileged helper and of the daemon's own parts; and back to how it was."""

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from aiohttp import web

from appliance import __version__
from appliance.accounts import Asker, require_person
from appliance.console_tls import ConsoleTls
from appliance.decoding import decoded
from appliance.errors import ApplianceError, Conflict
from appliance.health.facts import Certificate, Facts, Room
from appliance.health.verdict import Finding, verdicts
from appliance.privileged import hardware
from appliance.privileged.computer import Computer
from appliance.privileged.verb import Verb
from appliance.privileged.verbs.disks import DiskState, Identify, List, ReadSmart, Smart
from appliance.privileged.verbs.hardware import Hardware, Look
from appliance.privileged.verbs.reset import Factory
from appliance.privileged.verbs.services import States
from appliance.privileged.verbs.update import Slots
from appliance.web.services import Services

log = logging.getLogger(__name__)

R = TypeVar("R")
SHARE = Path("/usr/share/qrm")
"""Where the image says what is in it."""
FRESH_SECONDS = 5.0
"""How long what was found out is good: disks need not be asked for every reader."""


@dataclass(frozen=True, slots=True)
class Package:
    """Something of others that the appliance is made of."""

    kind: str
    name: str
    version: str
    licences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Facts with what they mean."""

    facts: Facts
    findings: list[Finding]


class Health:
    """Looks when it is asked, and not more often than every few seconds."""

    def __init__(self, services: Services, certificate: Callable[[], Certificate | None]) -> None:
        self._services, self._certificate = services, certificate
        self._looking = asyncio.Lock()
        self._last: Report | None = None

    @property
    def name(self) -> str:
        """What the appliance is called."""
        return socket.gethostname()

    async def report(self) -> Report:
        """How everything is."""
        async with self._looking:
            if self._last is None or not 0 <= self._services.clock() - self._last.facts.now < FRESH_SECONDS:
                facts = await self._facts()
                self._last = Report(facts, verdicts(facts))
            return self._last

    async def _facts(self) -> Facts:
        services, unknown = self._services, dict[str, str]()
        space = services.room()
        flashed = services.privileged.here
        slots = await self._asked(Slots(), "slots", unknown)
        units = await self._asked(States(), "services", unknown)
        found, disks = await self._hardware(flashed), await self._disks(unknown)
        return Facts(
            now=services.clock(),
            flashed=flashed,
            slots=slots,
            disks=disks,
            units=tuple(units) if units is not None else None,
            hardware=found,
            certificate=self._certificate(),
            room=Room(space.total, space.available) if space else None,
            trouble=services.trouble(),
            served=services.network.served(),
            cut_off=tuple(services.network.cut_off().items()),
            held_by=tuple((interface, how.held_by) for interface, how in services.network.held_back()),
            aside=tuple(services.network.aside()),
            unknown=unknown,
        )

    async def _asked(self, verb: Verb[R], part: str, unknown: dict[str, str]) -> R | None:
        """The answer of the helper; None, and why, where there is none."""
        if not self._services.privileged.here:
            return None
        try:
            return await self._services.privileged.call(verb)
        except ApplianceError as error:
            unknown[part] = f"It could not be asked: {error.message}."
            return None

    async def _hardware(self, flashed: bool) -> Hardware | None:
        """Of a computer without a helper as much as anybody may see."""
        if not flashed:
            return await hardware.look(Look(), Computer(), lambda *_: None)
        return await self._asked(Look(), "memory", {})

    async def _disks(self, unknown: dict[str, str]) -> tuple[tuple[DiskState, Smart | None], ...] | None:
        found = await self._asked(List(), "disks", unknown)
        if found is None:
            return None
        said: list[tuple[DiskState, Smart | None]] = []
        for disk in found:  # one after the other: disks of one controller wait for each other anyway
            smart = await self._asked(ReadSmart(disk.name), "disk", {})
            said.append((disk, smart))
        return tuple(said)

    async def identify(self, disk: str) -> None:
        """Have the light of a disk blink for some seconds. Raises NotFound, ApplianceError ``helper-missing``."""
        await self._services.privileged.call(Identify(disk))

    async def packages(self) -> list[Package]:
        """What the image is made of; none where this computer was not flashed with one."""
        try:
            text = await asyncio.to_thread((SHARE / "packages.json").read_bytes)
            return decoded(text, list[Package])
        except (OSError, msgspec.DecodeError):
            return []

    async def version(self) -> str:
        """Of the image where there is one, else of the program."""
        try:
            lines = (await asyncio.to_thread((SHARE / "version").read_text)).splitlines()
        except (OSError, UnicodeDecodeError):
            return __version__
        said = next((line.partition("=")[2] for line in lines if line.startswith("VERSION=")), "")
        return said.strip()[:80] or __version__

    async def factory_reset(self, confirm: str, by: Asker) -> None:
        """Have everything forgotten at the next start, and restart at once.

        Raises Conflict ``confirmation-needed`` unless ``confirm`` is the appliance's name, Denied for a token, and
        ApplianceError ``helper-missing``.
        """
        require_person(by, "reset the appliance")
        if confirm.strip() != self.name:
            message = f"this is confirmed with the appliance's name, {self.name}"
            raise Conflict("confirmation-needed", message, "type it exactly", "confirm")
        log.warning("%s resets the appliance to how it was flashed", by)
        await self._services.privileged.call(Factory())


def certificate_facts(tls: ConsoleTls | None) -> Certificate | None:
    """Of the console's certificate; None where somebody else ends TLS."""
    if tls is None:
        return None
    return Certificate(tls.chain.ends if tls.chain else None, tls.notice())


LOST = (
    "Everything that this appliance has learnt is lost: machines, deployments, leases, users, tokens, images, kernels,"
    " network settings, certificates and logs.",
    "Machines that are switched on go on running. Nothing on their disks is touched, and nothing on the data disks of"
    " this appliance; but nobody knows any more what is on them.",
    "The appliance restarts at once, and asks to be set up like a new one: over the network only where DHCP gives it an"
    " address, on its own screen always. The version that runs stays installed.",
    "A backup brings the state back. Without one there is no way back.",
)
"""What a factory reset does, for people."""


HEALTH = web.AppKey("health", Health)
"""``request.app[HEALTH]``."""
