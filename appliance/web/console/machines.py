"""The list of machines and the pages of one: overview, inventory, timeline."""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from aiohttp import web

from appliance.events import Event
from appliance.machine import BUSY, State
from appliance.reconcile.views import MachineView, machine_view, machine_views
from appliance.reconcile.views import timeline as read_timeline
from appliance.web.console import words
from appliance.web.console.listing import listed, parse_query
from appliance.web.console.machine_actions import actions_for
from appliance.web.console.page import render
from appliance.web.console.zone import zone_of
from appliance.web.keys import SERVICES

COLUMNS: Mapping[str, Callable[[MachineView], Any]] = {
    "name": lambda view: view.machine.name,
    "state": lambda view: (view.machine.state.value, view.machine.name),
    "deployment": lambda view: (view.deployment is None, view.deployment.name if view.deployment else ""),
    "address": lambda view: tuple(int(part) for part in (view.machine.address or "0.0.0.0").split(".")),  # noqa: S104
    "memory": lambda view: ((view.machine.inventory or {}).get("memory") or {}).get("bytes") or 0,
    "seen": lambda view: -(view.machine.last_seen or 0),
}
STATES = ("busy", "offline", "maintenance", *(state.value for state in State if state not in BUSY))
TIMELINE_PAGE = 100


async def index(request: web.Request) -> web.Response:
    """GET /machines, filtered by ``state`` and ``q``."""
    services = request.app[SERVICES]
    query = parse_query("/machines", request.query, ("state", "q"), tuple(COLUMNS))
    views = await machine_views(services.store)
    now = services.clock()

    def matches(view: MachineView) -> bool:
        return _in_state(view, query.filters.get("state", ""), now) and _has_text(view, query.filters.get("q", ""))

    found = listed(views, query, matches, COLUMNS)
    return render(request, "machines.html", listed=found, states=STATES)


def _in_state(view: MachineView, wanted: str, now: float) -> bool:
    machine = view.machine
    match wanted:
        case "":
            return True
        case "busy":
            return machine.state in BUSY
        case "offline":
            return view.offline(now)
        case "maintenance":
            return machine.maintenance
        case _:
            return machine.state.value == wanted


def _has_text(view: MachineView, text: str) -> bool:
    return all(word in _searchable(view) for word in text.lower().split())


def _searchable(view: MachineView) -> str:
    machine, inventory = view.machine, view.machine.inventory or {}
    system = inventory.get("system") or {}
    disks = inventory.get("disks") or []
    parts = [
        machine.name,
        machine.address,
        machine.serial,
        machine.uuid,
        machine.firmware,
        machine.notes,
        *machine.macs,
    ]
    parts += [view.deployment.name if view.deployment else "", system.get("manufacturer"), system.get("product")]
    parts += [disk.get("serial") for disk in disks]
    return " ".join(str(part) for part in parts if part).lower()


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
    offline = view.offline(services.clock())
    return render(
        request,
        template,
        view=view,
        machine=view.machine,
        inventory=view.machine.inventory or {},
        offline=offline,
        actions=actions_for(view),
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
