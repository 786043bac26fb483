"""The list of VMs with their states as they are, and the pages of one: overview, hardware, timeline."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError, NotFound
from appliance.events import Event
from appliance.reconcile.taskviews import TaskView, task_view
from appliance.reconcile.vms.service import Vms
from appliance.reconcile.vms.shown import VmDetail, VmView
from appliance.store import events, isos
from appliance.vm import VmState
from appliance.web.api.uploads import INTAKE
from appliance.web.console import vm_words
from appliance.web.console.charts import VM_CHARTS
from appliance.web.console.listing import Query, listed, parse_query
from appliance.web.console.page import render
from appliance.web.console.vm_acts import BULK, actions_for
from appliance.web.keys import SERVICES


def _in(state: VmState) -> Callable[[VmView], bool]:
    return lambda view: view.seen.state is state


SHOWN: Mapping[str, Callable[[VmView], bool]] = {
    **{state.value: _in(state) for state in VmState},
    "at work": lambda view: view.work is not None,
    "ours": lambda view: view.seen.ours,
    "foreign": lambda view: not view.seen.ours,
}
"""What the list can be narrowed to."""
COLUMNS: Mapping[str, Callable[[VmView], Any]] = {
    "name": lambda view: (view.seen.name, view.host.name),
    "state": lambda view: (view.seen.state, view.seen.name),
    "host": lambda view: (view.host.name, view.seen.name),
    "cpus": lambda view: view.seen.cpus,
    "memory": lambda view: view.seen.memory,
}
FILTERS = ("state", "host", "q")
EVENTS_PAGE = 100


def vms_of(request: web.Request) -> Vms:
    """Whoever knows VMs."""
    return request.app[SERVICES].vms()


async def index(request: web.Request) -> web.Response:
    """GET /vms, filtered by ``state``, ``host`` and ``q``."""
    found = await vms_of(request).list()
    query = parse_query("/vms", request.query, FILTERS, tuple(COLUMNS))
    of = listed(found.vms, query, lambda each: matches(each, query), COLUMNS)
    return render(
        request,
        "vms.html",
        listed=of,
        states=tuple(SHOWN),
        hosts=found.hosts,
        silent=[each for each in found.hosts if each.trouble],
        restarts=await vms_of(request).needing_restart(of.rows),
        acts=BULK,
        words=vm_words,
    )


def matches(view: VmView, query: Query) -> bool:
    """Every word that was typed is in its name or its host's, or begins its id."""
    if (narrowed := SHOWN.get(query.filters.get("state", ""))) and not narrowed(view):
        return False
    if (host := query.filters.get("host")) and view.host.name != host:
        return False
    known = f"{view.seen.name} {view.host.name}".lower()
    words = query.filters.get("q", "").lower().split()
    return all(word in known or view.seen.id.startswith(word) for word in words)


async def show(request: web.Request) -> web.Response:
    """GET /vms/{key}"""
    return await tab_page(request, "vm.html", "overview", charts=VM_CHARTS)


async def hardware(request: web.Request) -> web.Response:
    """GET /vms/{key}/hardware"""
    return await tab_page(request, "vm_hardware.html", "hardware", isos=await discs(request))


async def discs(request: web.Request) -> dict[str, str]:
    """The names of ISOs by the paths that drives have them at."""
    known = request.app[INTAKE].isos
    return {str(known.path(each)): each.name for each in await request.app[SERVICES].store.read(isos.every)}


async def timeline(request: web.Request) -> web.Response:
    """GET /vms/{key}/timeline, older entries with ``before``."""
    view = await vms_of(request).find(request.match_info["key"])
    before = request.query.get("before", "")
    last = int(before) if before.isdecimal() and len(before) < 16 else None

    def job(db: sqlite3.Connection) -> list[Event]:
        return events.of_vm(db, view.seen.id, before=last, limit=EVENTS_PAGE)

    told = await request.app[SERVICES].store.read(job)
    older = told[-1].id if len(told) == EVENTS_PAGE else None
    return await tab_page(request, "vm_timeline.html", "timeline", events=told, older=older, before=before)


async def tab_page(request: web.Request, template: str, tab: str, **values: Any) -> web.Response:
    """One tab of a VM's page; where its host does not answer, what is known of it still."""
    view, detail, trouble = await _looked_at(request)
    found = detail.found if detail else None
    return render(
        request,
        template,
        view=view,
        seen=view.seen,
        detail=detail,
        trouble=trouble,
        vm=vm_words.shown(found) if found else None,
        live=found.live if found else None,
        restart=vm_words.restart_words(found.needs_restart) if found else "",
        actions=actions_for(view, found),
        words=vm_words,
        task=await _task(request, view),
        tab=tab,
        link=f"/vms/{view.seen.id}",
        **values,
    )


async def _looked_at(request: web.Request) -> tuple[VmView, VmDetail | None, str]:
    """The VM, what its host says of it, and why the host says nothing; one that is being made has no definition."""
    vms, key = vms_of(request), request.match_info["key"]
    view = await vms.find(key)
    if view.old:
        return view, None, "its host does not answer"
    if vm_words.vm_mark(view) is vm_words.COMING:
        return view, None, ""
    try:
        detail = await vms.get(view.seen.id)
    except ApplianceError as error:
        if error.code != "host-unreachable":
            raise
        return view, None, error.message
    return detail.view, detail, ""


async def _task(request: web.Request, view: VmView) -> TaskView | None:
    """What is at work with it, and how far that is."""
    services = request.app[SERVICES]
    if view.work is None or view.work.task is None:
        return None
    try:
        return await task_view(services.store, str(view.work.task), services.clock())
    except NotFound:
        return None  # it ended while we looked
