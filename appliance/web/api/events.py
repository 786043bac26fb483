"""The event log for programs."""

import sqlite3
from dataclasses import replace

from aiohttp import web

from appliance.accounts import Role
from appliance.events import Event
from appliance.store import deployments
from appliance.store.documents import load
from appliance.store.event_list import FOR_ALL, LISTING
from appliance.store.listing import Found, page
from appliance.web.api import listing, outward, shapes
from appliance.web.api.body import answer
from appliance.web.api.listing import Page
from appliance.web.keys import SERVICES, USER

QUERY = listing.params(LISTING)


async def index(request: web.Request) -> web.Response:
    """Events, newest first."""
    wanted = listing.asked(request, LISTING)

    def job(db: sqlite3.Connection) -> Found:
        named = wanted.filters.get("deployment", "0")
        if not (named.isascii() and named.isdecimal()):
            deployments.get(db, named)  # a name that is mistyped; what was deleted is asked for by its number
        return page(db, LISTING if request[USER].role is Role.ADMIN else FOR_ALL, wanted)

    return answer(event_page(await request.app[SERVICES].store.read(job)))


def event_page(found: Found) -> Page[shapes.EventOut]:
    """A page of the event log."""
    return listing.page(found, [_event(number, document) for number, document in found.rows])


def _event(number: int, document: bytes) -> shapes.EventOut:
    return outward.event(replace(load(document, Event), id=number))
