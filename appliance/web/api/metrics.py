"""The last day of the daemon in numbers, for charts."""

import asyncio
from typing import Annotated

import msgspec
from aiohttp import web

from appliance.web.api.body import answer
from appliance.web.api.query import Param, given
from appliance.web.keys import SERVICES

HOUR = 3600
LONGEST = 86400
QUERY = (
    Param("seconds", Annotated[int, msgspec.Meta(ge=1, le=LONGEST)], f"how far back, in seconds; {HOUR} when left out"),
)


class HistoryOut(msgspec.Struct):
    """Columns of equal length, oldest first, at most 720 long; a chart takes them as they are."""

    time: list[float]
    """Unix time of each point."""
    dhcp: list[float]
    """DHCP packets per second, both directions."""
    boot: list[float]
    """Bytes per second of boot files and images, by TFTP and HTTP."""
    dns: list[float]
    """DNS questions per second."""
    cpu: list[float]
    """Share of one processor core that the daemon takes: 1 is all of it."""
    memory: list[float]
    """Resident memory in bytes."""
    lag: list[float]
    """The longest delay of the event loop, in seconds."""


async def history(request: web.Request) -> web.Response:
    """Traffic and load, a sample every ten seconds."""
    seconds = given(request, QUERY).get("seconds", HOUR)
    services, now = request.app[SERVICES], asyncio.get_running_loop().time()
    times, columns = services.history.columns(seconds, now, services.clock())
    empty: dict[str, list[float]] = {name: [] for name in HistoryOut.__struct_fields__}
    return answer(HistoryOut(**{**empty, **columns, "time": times}))
