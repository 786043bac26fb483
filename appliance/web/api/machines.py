"""Machines for programs."""

import sqlite3
from dataclasses import replace

import msgspec
from aiohttp import web

from appliance.reconcile.views import machine_view, machines_page
from appliance.reconcile.wishes import MachineChange
from appliance.store import machines
from appliance.store.event_list import LISTING as LOG
from appliance.store.listing import Asked, Found, count, page
from appliance.store.machine_list import LISTING, groups
from appliance.web.api import listing, outward, query, shapes
from appliance.web.api.body import answer, body, key
from appliance.web.api.events import event_page
from appliance.web.keys import SERVICES, USER

QUERY = listing.params(LISTING)
SUMMARY_QUERY = tuple(each for each in QUERY if each.name in LISTING.filters)
TIMELINE = replace(LOG, filters={name: each for name, each in LOG.filters.items() if name != "machine"})
TIMELINE_QUERY = listing.params(TIMELINE)


class MachineSummary(msgspec.Struct):
    """Counts of machines. ``states`` and ``tags`` have only what is there; a machine with two tags counts for both."""

    total: int
    states: dict[str, int]
    tags: dict[str, int]
    maintenance: int
    """Seen, but not used."""
    offline: int
    """Silent for longer than they should be."""
    assigned: int
    """With a deployment on them."""


async def index(request: web.Request) -> web.Response:
    """Machines, without their inventories."""
    services, wanted = request.app[SERVICES], listing.asked(request, LISTING)
    found, views = await machines_page(services.store, wanted)
    return answer(listing.page(found, [outward.machine(view, wanted.now) for view in views]))


async def summary(request: web.Request) -> web.Response:
    """How many machines there are of what, among those that match."""
    services, now = request.app[SERVICES], request.app[SERVICES].clock()
    filters = query.given(request, SUMMARY_QUERY)
    wanted = Asked(filters=filters, now=now)

    def job(db: sqlite3.Connection) -> MachineSummary:
        def many(**more: bool) -> int:
            # A condition that is asked for already is not weakened by another on the same.
            agrees = all(filters.get(name, value) == value for name, value in more.items())
            return count(db, LISTING, Asked(filters={**filters, **more}, now=now)) if agrees else 0

        return MachineSummary(
            total=many(),
            states=groups(db, wanted, "state"),
            tags=groups(db, wanted, "tag"),
            maintenance=many(maintenance=True),
            offline=many(offline=True),
            assigned=many(assigned=True),
        )

    return answer(await services.store.read(job))


async def show(request: web.Request) -> web.Response:
    """One machine with its inventory."""
    services = request.app[SERVICES]
    view = await machine_view(services.store, key(request))
    return answer(outward.machine_detail(view, services.clock()))


async def change(request: web.Request) -> web.Response:
    """Change what users may change."""
    services, given = request.app[SERVICES], await body(request, shapes.MachineIn)
    wanted = MachineChange(
        given.name,
        given.maintenance,
        given.broken,
        given.notes,
        given.hand_over,
        given.boot_program,
        _address(given.reserved_address),
        given.dhcp_options,
        given.tags,
        given.add_tags,
        given.remove_tags,
    )
    changed = await services.wishes.change_machine(key(request), wanted, request[USER])
    return answer(outward.machine_detail(await machine_view(services.store, changed.id), services.clock()))


def _address(given: str | msgspec.UnsetType | None) -> str | None:
    """Unset leaves the reservation as it is, null takes it away."""
    return None if isinstance(given, msgspec.UnsetType) else given or ""


async def delete(request: web.Request) -> web.Response:
    """Forget the machine."""
    await request.app[SERVICES].wishes.delete_machine(key(request), request[USER])
    return web.Response(status=204)


async def events(request: web.Request) -> web.Response:
    """The machine's timeline, newest first."""
    store, wanted = request.app[SERVICES].store, listing.asked(request, TIMELINE)
    which = key(request)

    def job(db: sqlite3.Connection) -> Found:
        found = machines.get(db, which)
        return page(db, LOG, replace(wanted, filters={**wanted.filters, "machine": found.id}))

    return answer(event_page(await store.read(job)))
