"""The first page: how the fleet is, what runs, what wants a person; and the strip of tasks under every page."""

from collections import Counter
from dataclasses import dataclass
from datetime import tzinfo

import aiosqlite
from aiohttp import web

from appliance.events import Event
from appliance.machine import State
from appliance.reconcile.views import MachineView, machine_views
from appliance.store import events
from appliance.web.console import words
from appliance.web.console.charts import CHARTS
from appliance.web.console.page import render
from appliance.web.console.zone import zone_of
from appliance.web.keys import SERVICES

RECENT = 12
NOISE = frozenset({"dhcp.seen", "dhcp.lease", "tftp.sent", "http.sent"})
"""Kinds that each boot brings by the dozen: in the timeline, not on the first page."""


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing that wants a person: what, why, and where to go."""

    mark: words.Mark
    name: str
    text: str
    link: str


async def show(request: web.Request) -> web.Response:
    """GET /"""
    services = request.app[SERVICES]
    views = await machine_views(services.store)
    now = services.clock()

    async def job(db: aiosqlite.Connection) -> list[Event]:
        return await events.query(db, limit=200)

    recent = [event for event in await services.store.read(job) if event.kind not in NOISE][:RECENT]
    return render(
        request,
        "overview.html",
        counts=_counts(views),
        offline=sum(view.offline(now) for view in views),
        maintenance=sum(view.machine.maintenance for view in views),
        total=len(views),
        running=running(views),
        attention=attention(views, now, zone_of(request)),
        waiting=[view for view in views if view.machine.maintenance and view.machine.state is State.IDLE],
        events=recent,
        charts=CHARTS,
        names={view.machine.id: view.machine.name for view in views},
    )


def _counts(views: list[MachineView]) -> list[tuple[State, int]]:
    counted = Counter(view.machine.state for view in views)
    return [(state, counted[state]) for state in State if counted[state]]


def running(views: list[MachineView]) -> list[MachineView]:
    """Machines with a live attempt, the latest first."""
    busy = [view for view in views if view.live]
    return sorted(busy, key=lambda view: -(view.live.started if view.live else 0))


def attention(views: list[MachineView], now: float, zone: tzinfo | None = None) -> list[Attention]:
    """What wants a person, the worst first."""
    found = [item for view in views if (item := _trouble(view, now, zone))]
    return sorted(found, key=lambda item: (item.mark.tone != "bad", item.name))


def _trouble(view: MachineView, now: float, zone: tzinfo | None) -> Attention | None:
    machine = view.machine
    link = f"/machines/{machine.id}"
    if machine.state is State.FAILED:
        before = f"failed while {machine.failed_from}: " if machine.failed_from else ""
        return Attention(words.mark(machine.state), machine.name, before + machine.failed_reason, f"{link}/timeline")
    if view.deadline and view.advice(now):
        text = f"{view.advice(now)}. It gives up at {words.clock(view.deadline, zone)}."
        return Attention(words.OFFLINE, machine.name, text, link)
    if machine.state is State.ACTIVE and view.deployment and view.offline(now):
        silent = words.ago(machine.last_seen, now)
        text = f"runs {view.deployment.name}, last seen {silent}"
        return Attention(words.OFFLINE, machine.name, text, link)
    return None
