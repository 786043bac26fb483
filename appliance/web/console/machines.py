"""The list of machines and the pages of one: overview, inventory, timeline."""

import sqlite3
from datetime import tzinfo
from typing import Any, Literal

from aiohttp import web

from appliance.events import Event
from appliance.machine import BUSY, State
from appliance.reconcile.views import MachineView, machine_view, machines_page
from appliance.reconcile.views import timeline as read_timeline
from appliance.store.listing import Asked, count
from appliance.store.machine_list import LISTING, groups
from appliance.web.console import words
from appliance.web.console.bulk_acts import MACHINE_ACTS
from appliance.web.console.machine_actions import actions_for
from appliance.web.console.page import render
from appliance.web.console.paging import Shown, read, shown
from appliance.web.console.zone import zone_of
from appliance.web.keys import SERVICES

FILTERS = ("state", "tag", "q")
STATES = ("busy", "offline", "off", "maintenance", "asking", *(state.value for state in State if state not in BUSY))
GROUPINGS: dict[str, Literal["state", "tag"]] = {"state": "state", "tag": "tag"}
TIMELINE_PAGE = 100


async def index(request: web.Request) -> web.Response:
    """GET /machines, filtered by ``state``, ``tag`` and ``q``, counted by ``group``."""
    store, wanted = request.app[SERVICES].store, wanted_of(request)
    total, tags = await store.read(_surroundings)
    found = await read(wanted, lambda asked: machines_page(store, asked), total)
    group = request.query.get("group", "")
    found = found.with_filters({"group": group}, {}) if group in GROUPINGS else found
    counts = await store.read(lambda db: _groups(db, wanted.asked, group))
    return render(
        request,
        "machines.html",
        listed=found,
        states=STATES,
        tags=tags,
        acts=MACHINE_ACTS,
        group=group if counts is not None else "",
        counts=counts or [],
    )


def _groups(db: sqlite3.Connection, asked: Asked, by: str) -> list[tuple[str, int]] | None:
    """How many match in each group, the largest first; None where the address names no grouping."""
    if by not in GROUPINGS:
        return None
    return sorted(groups(db, asked, GROUPINGS[by]).items(), key=lambda each: (-each[1], each[0]))


def _surroundings(db: sqlite3.Connection) -> tuple[int, list[str]]:
    """How many machines there are, and the tags they have."""
    return count(db, LISTING, Asked()), sorted(groups(db, Asked(), "tag"))


def wanted_of(request: web.Request) -> Shown[MachineView]:
    """What the address asks for; some of STATES stand for more than one state, or for none."""
    wanted: Shown[MachineView] = shown(request, "/machines", LISTING, FILTERS)
    word = request.query.get("state", "").strip()
    meant: dict[str, dict[str, Any]] = {
        "busy": {"state": sorted(BUSY)},
        "offline": {"offline": True},
        "off": {"power": ["off"]},
        "maintenance": {"maintenance": True},
        "asking": {"asking": True},
    }
    return wanted.with_filters({"state": word}, meant[word]) if word in meant else wanted


async def show(request: web.Request) -> web.Response:
    """GET /machines/{key}"""
    return await tab_page(request, "machine.html", "overview")


async def inventory(request: web.Request) -> web.Response:
    """GET /machines/{key}/inventory"""
    return await tab_page(request, "machine_inventory.html", "inventory")


async def timeline(request: web.Request) -> web.Response:
    """GET /machines/{key}/timeline, older entries with ``before``."""
    return await tab_page(request, "machine_timeline.html", "timeline", **await _entries(request))


async def _entries(request: web.Request) -> dict[str, Any]:
    before = request.query.get("before", "")
    entries = await read_timeline(
        request.app[SERVICES].store,
        request.match_info["key"],
        before=int(before) if before.isdecimal() and len(before) < 16 else None,
        limit=TIMELINE_PAGE,
    )
    return {"events": entries, "older": entries[-1].id if len(entries) == TIMELINE_PAGE else None, "before": before}


async def tab_page(request: web.Request, template: str, tab: str, **values: Any) -> web.Response:
    """One tab of a machine's page."""
    services = request.app[SERVICES]
    view = await machine_view(services.store, request.match_info["key"])
    now = services.clock()
    return render(
        request,
        template,
        view=view,
        machine=view.machine,
        inventory=view.machine.inventory or {},
        offline=view.offline(now),
        actions=actions_for(view, now),
        tab=tab,
        **values,
    )


async def timeline_text(request: web.Request) -> web.Response:
    """GET /machines/{key}/timeline.txt: to paste for a colleague."""
    store = request.app[SERVICES].store
    view = await machine_view(store, request.match_info["key"])
    entries = await read_timeline(store, view.machine.id, limit=1000)
    head = f"{view.machine.name}, {view.machine.state}, {', '.join(view.machine.macs)}"
    zone = zone_of(request)
    return web.Response(text="\n".join([head, "", *(timeline_line(each, zone) for each in entries), ""]))


def timeline_line(event: Event, zone: tzinfo | None = None) -> str:
    """One entry in one line; a machine's line breaks and control characters do not survive."""
    why = f" ({event.reason})" if event.reason else ""
    line = f"{words.moment(event.at, zone)}  {event.text}{why}"
    return "".join(letter if letter.isprintable() else "?" for letter in line)
