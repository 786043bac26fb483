"""What a VM uses and shows: figures of now and of the last week, and its screen."""

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from appliance.accounts import Role
from appliance.vm_figure import DiskRate, NicRate, Span
from appliance.web.api.body import answer, key
from appliance.web.api.endpoint import Endpoint
from appliance.web.api.query import Param, Position, given
from appliance.web.keys import SERVICES

if TYPE_CHECKING:
    from appliance.reconcile.vm_statistics.sampling import Live

SHOWN_AGAIN = 5
"""Seconds in which a browser shows a screen again without asking."""
QUERY = (Param("span", Span, "how far back; `hour` when left out"),)
PICTURE_QUERY = (Param("at", Position, "any number: with another one a browser asks again for what it has shown"),)


class VmColumnsOut(msgspec.Struct, kw_only=True):
    """Figures over time, as a chart takes them; null where nothing was measured: it was off, or nobody looked."""

    cpu: list[float | None]
    """Processor cores: 1 is the whole of one."""
    memory: list[float | None]
    """Bytes of its host's memory that it holds."""
    used: list[float | None]
    """Bytes of its own memory that its system uses, where a driver in it tells."""
    read: list[float | None]
    """Bytes per second, of all its disks."""
    written: list[float | None]
    """Bytes per second, of all its disks."""
    reads: list[float | None]
    """Per second, of all its disks."""
    writes: list[float | None]
    """Per second, of all its disks."""
    received: list[float | None]
    """Bytes per second, of all its network cards."""
    sent: list[float | None]
    """Bytes per second, of all its network cards."""


class VmUseOut(msgspec.Struct, kw_only=True):
    """What a VM uses now; null is what nobody knows yet."""

    at: float
    """Unix time."""
    cpu: float | None
    """Processor cores: 1 is the whole of one."""
    memory: int | None
    """Bytes of its host's memory that it holds."""
    used: int | None
    """Bytes of its own memory that its system uses, where a driver in it tells."""
    disks: list[DiskRate] | None
    """Null while its host does something else with it, and cannot tell."""
    nics: list[NicRate] | None
    """``number``: which of the cards in the definition that runs, from 0."""


class VmStatisticsOut(VmColumnsOut, kw_only=True):
    """Averages of each point, the oldest first, with the highest that was measured beside them."""

    time: list[float]
    """Unix time of each point: 10 seconds apart in an hour, 2 minutes in a day, 20 in a week."""
    peaks: VmColumnsOut
    live: VmUseOut | None
    """Null where it does not run, or its host does not answer."""


async def statistics(request: web.Request) -> web.Response:
    """Figures of now and of the last hour, day or week."""
    span = given(request, QUERY).get("span", Span.HOUR)
    found = await request.app[SERVICES].vm_figures().use(key(request), Span(span))
    history, peaks = found.history, VmColumnsOut(**found.history.peaks)
    live = _live(found.live) if found.live else None
    return answer(VmStatisticsOut(time=history.time, live=live, peaks=peaks, **history.averages))


def _live(live: "Live") -> VmUseOut:
    now = live.rates
    return VmUseOut(
        at=live.wall,
        cpu=now.cpu,
        memory=now.memory,
        used=now.used,
        disks=None if now.disks is None else list(now.disks),
        nics=None if now.nics is None else list(now.nics),
    )


async def screenshot(request: web.Request) -> web.Response:
    """Its first screen as a PNG, small where its host lets us make it so; taken when somebody asks."""
    given(request, PICTURE_QUERY)
    picture = await request.app[SERVICES].vm_figures().screenshot(key(request))
    kept = f"private, max-age={SHOWN_AGAIN}"
    return web.Response(body=picture.png, content_type="image/png", headers={"Cache-Control": kept})


VM_FIGURES: tuple[Endpoint, ...] = (
    Endpoint("GET", "/vms/{key}/statistics", statistics, 200, VmStatisticsOut, query=QUERY),
    Endpoint("GET", "/vms/{key}/screenshot", screenshot, 200, bytes, query=PICTURE_QUERY, role=Role.OPERATOR),
)
"""A screen may show what only those may see who can open the console."""
