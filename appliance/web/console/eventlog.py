"""The event log, newest first, filtered by kind, machine and deployment."""

import sqlite3
from dataclasses import dataclass

from aiohttp import web

from appliance.accounts import Role
from appliance.errors import NotFound
from appliance.events import KINDS, PRIVATE, Event
from appliance.store import deployments, events, machines
from appliance.web.console.listing import parse_query
from appliance.web.console.page import render
from appliance.web.keys import SERVICES, USER

PER_PAGE = 100
FILTERS = ("kind", "machine", "deployment", "before")


@dataclass(frozen=True, slots=True)
class _Found:
    events: list[Event]
    machines: dict[str, str]
    """Names of those that they are of, by id."""
    machine: str | None = None
    """Id of the machine that the filter names."""
    unknown: str = ""
    """What the filter names and nobody has heard of."""


async def index(request: web.Request) -> web.Response:
    """GET /events"""
    query = parse_query("/events", request.query, FILTERS, ("id",))
    private = request[USER].role is Role.ADMIN
    found = await request.app[SERVICES].store.read(lambda db: _find(db, query.filters, private=private))
    kinds = sorted((kind, meaning) for kind, meaning in KINDS.items() if private or kind not in PRIVATE)
    older = str(found.events[-1].id) if len(found.events) == PER_PAGE else ""
    return render(request, "events.html", found=found, query=query, kinds=kinds, older=older)


def _find(db: sqlite3.Connection, filters: dict[str, str], *, private: bool) -> _Found:
    named = machines.find_id(db, filters["machine"]) if "machine" in filters else None
    try:
        wanted = filters.get("deployment")
        deployment = deployments.get(db, wanted).id if wanted else None
    except NotFound as error:
        return _Found([], {}, named, error.message)
    before = filters.get("before", "")
    listed = events.query(
        db,
        kind=filters.get("kind"),
        machine=named or filters.get("machine"),
        deployment=deployment,
        before=int(before) if before.isdecimal() and len(before) < 16 else None,
        limit=PER_PAGE,
        private=private,
    )
    return _Found(listed, machines.names(db, _machines_of(listed, named)), named)


def _machines_of(listed: list[Event], named: str | None) -> list[str]:
    return sorted({str(event.machine) for event in listed if event.machine} | ({named} if named else set()))
