"""How the appliance itself is, for programs; what it is made of; and its end as it is known."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.health.verdict import PARTS, worst
from appliance.web.api.body import answer, body
from appliance.web.api.shapes import Items
from appliance.web.health import HEALTH, LOST, Report
from appliance.web.keys import USER

Name = Annotated[str, msgspec.Meta(max_length=255)]


class FindingOut(msgspec.Struct):
    """One sentence about one part."""

    part: str
    name: str
    """What people call the part."""
    level: str
    """``good``, ``unknown``, ``warning`` or ``bad``."""
    text: str
    advice: str
    """What to do; empty where there is nothing to do."""


class OwnDiskOut(msgspec.Struct):
    """A disk of the appliance itself."""

    name: str
    """The kernel's, good for this boot only."""
    model: str
    serial: str
    size: int
    """Bytes."""
    transport: str
    own: bool
    """Whether the appliance runs from it."""
    holds: list[str]
    """What is on it."""
    passed: bool | None
    """The disk's own verdict (SMART); null where it gives none."""
    temperature: int | None
    """Degrees Celsius."""
    used: int | None
    """Percent of the writes it was made for."""
    hours: int | None
    """Powered on."""


class HealthOut(msgspec.Struct):
    """How the appliance itself is."""

    name: str
    """What the appliance is called; a factory reset is confirmed with it."""
    version: str
    level: str
    """The worst of all findings."""
    at: float
    """When it was looked at; Unix time."""
    flashed: bool
    """Whether this computer was flashed with the appliance; much is not known of others."""
    findings: list[FindingOut]
    disks: list[OwnDiskOut]


class PackageOut(msgspec.Struct):
    """Something of others that the appliance is made of."""

    kind: str
    name: str
    version: str
    licences: list[str]


class ResetIn(msgspec.Struct, forbid_unknown_fields=True):
    """The confirmation of a factory reset."""

    confirm: Name = ""
    """The appliance's name."""


class ResetOut(msgspec.Struct):
    """What happens now."""

    texts: list[str]


async def show(request: web.Request) -> web.Response:
    """State, disks, memory, clock, certificate, services, slots and temperature, each with what to do."""
    health = request.app[HEALTH]
    return answer(health_out(health.name, await health.version(), await health.report()))


def health_out(name: str, version: str, report: Report) -> HealthOut:
    """A report in its outer shape."""
    found = [
        FindingOut(each.part, PARTS[each.part][0], each.level.value, each.text, each.advice) for each in report.findings
    ]
    disks = [
        OwnDiskOut(
            name=disk.name,
            model=disk.model,
            serial=disk.serial,
            size=disk.size,
            transport=disk.transport,
            own=disk.own,
            holds=disk.holds,
            passed=smart.passed if smart else None,
            temperature=smart.temperature if smart else None,
            used=smart.used if smart else None,
            hours=smart.hours if smart else None,
        )
        for disk, smart in report.facts.disks or ()
    ]
    level = worst(report.findings).value
    return HealthOut(name, version, level, report.facts.now, report.facts.flashed, found, disks)


async def packages(request: web.Request) -> web.Response:
    """Every package in the image, with its version and licences."""
    found = await request.app[HEALTH].packages()
    return answer(Items([PackageOut(each.kind, each.name, each.version, list(each.licences)) for each in found]))


async def identify(request: web.Request) -> web.Response:
    """Read from a disk in bursts for ten seconds, so that its light blinks."""
    await request.app[HEALTH].identify(request.match_info["name"])
    return web.Response(status=204)


async def factory_reset(request: web.Request) -> web.Response:
    """Forget everything, and begin as a freshly flashed appliance; it restarts at once."""
    sent = await body(request, ResetIn)
    await request.app[HEALTH].factory_reset(sent.confirm, request[USER])
    return answer(ResetOut(list(LOST)))
