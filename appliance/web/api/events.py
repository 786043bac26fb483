"""The event log for programs."""

from collections.abc import Sequence

import aiosqlite
from aiohttp import web

from appliance.errors import NotFound
from appliance.events import Event
from appliance.store import deployments, events, machines
from appliance.web.api import outward
from appliance.web.api.body import answer, number, text
from appliance.web.keys import SERVICES

LIMIT = 200
LONGEST = 1000
"""Events of one answer."""


async def index(request: web.Request) -> web.Response:
    """Events, newest first; ``machine`` and ``deployment`` are ids or names."""
    machine, deployment = text(request, "machine", ""), text(request, "deployment", "")
    before, limit = number(request, "before"), number(request, "limit", 1, LONGEST) or LIMIT

    async def job(db: aiosqlite.Connection) -> Sequence[Event]:
        return await events.query(
            db,
            machine=await _machine(db, machine) if machine else None,
            deployment=await _deployment(db, deployment) if deployment else None,
            before=before,
            limit=limit,
        )

    return answer(outward.event_page(await request.app[SERVICES].store.read(job), limit))


async def _machine(db: aiosqlite.Connection, key: str) -> str:
    found = await machines.find(db, key)
    return found.id if found else key  # the events of a deleted machine stay, under its id


async def _deployment(db: aiosqlite.Connection, key: str) -> int:
    try:
        return (await deployments.get(db, key)).id
    except NotFound:
        if key.isdecimal() and len(key) < 16:
            return int(key)
        raise
