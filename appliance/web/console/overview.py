"""The first page: how the fleet is, what runs, what wants a person; and the strip of tasks under every page."""

import sqlite3
from dataclasses import dataclass
from datetime import tzinfo

from aiohttp import web

from appliance.accounts import Role
from appliance.events import Event
from appliance.machine import State
from appliance.reconcile.subnet_standing import Standing
from appliance.reconcile.views import MachineView, views_of
from appliance.sighting import ForeignServer
from appliance.store import attempts, events, machine_list, machines
from appliance.store.census import has_pools
from appliance.store.listing import Asked, count
from appliance.store.machine_list import LISTING, groups
from appliance.web.arrival import unfinished
from appliance.web.console import words
from appliance.web.console.charts import CHARTS
from appliance.web.console.page import render, see_other
from appliance.web.console.zone import zone_of
from appliance.web.keys import SERVICES, USER

RECENT = 12
WAITING = 8
RUNNING = TROUBLED = 50
"""Machines of each kind that are shown at most."""
NOISE = frozenset({"dhcp.seen", "dhcp.lease", "tftp.sent", "http.sent"})
"""Kinds that each boot brings by the dozen: in the timeline, not on the first page."""


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing that wants a person: what, why, and where to go."""

    mark: words.Mark
    name: str
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the first page shows of it; never more rows than fit, whatever its size."""

    total: int
    counts: list[tuple[State, int]]
    offline: int
    maintenance: int
    running: list[MachineView]
    troubled: list[MachineView]
    waiting: list[MachineView]
    ready: int
    """How many wait to be taken out of maintenance."""
    events: list[Event]
    names: dict[str, str]
    """Of the machines that the events are of, by id."""


async def show(request: web.Request) -> web.Response:
    """GET /; while a flashed appliance is being set up, its administrators go on with that."""
    if request[USER].role is Role.ADMIN and await unfinished(request):
        return see_other("/setup")
    services = request.app[SERVICES]
    now = services.clock()
    fleet = await services.store.read(lambda db: _fleet(db, now))
    held = services.network.held_back()
    named = {(interface, address) for interface, standing in held for address in standing.held_by}
    foreign = await services.network.foreign_servers()
    others = [Attention(words.NO_LINK, *each, "/network") for each in services.network.cut_off().items()]
    others += [Attention(words.ASIDE, each.subnet, each.text, "/network") for each in services.network.aside()]
    others += [_held(*each) for each in held]
    others += [_foreign(server) for server in foreign if (server.interface, server.address) not in named]
    others += await services.store.read(_pools)
    attended = others + attention([*fleet.troubled, *fleet.running], now, zone_of(request))
    return render(request, "overview.html", fleet=fleet, attention=attended, charts=CHARTS)


def _pools(db: sqlite3.Connection) -> list[Attention]:
    if not has_pools(db):
        return []
    from appliance.web.console.pool_attention import wanting  # who has no pools does without it

    return [Attention(*each) for each in wanting(db)]


def _held(interface: str, standing: Standing) -> Attention:
    text = f"answers on {interface}: no new addresses are given there until it is gone, or is ignored"
    return Attention(words.FOREIGN, ", ".join(standing.held_by), text, "/network")


def _foreign(server: ForeignServer) -> Attention:
    text = f"gives addresses on {server.interface} too; machines take whichever answers first"
    return Attention(words.FOREIGN, server.address, text, "/network")


def _fleet(db: sqlite3.Connection, now: float) -> Fleet:
    by_state = groups(db, Asked(), "state")
    offline, maintenance = Asked({"offline": True}, now=now), Asked({"maintenance": True})
    waiting = Asked({"state": [State.IDLE], "maintenance": True}, limit=WAITING)
    asking = Asked({"asking": True}, limit=TROUBLED, now=now)
    silent = Asked({"state": [State.ACTIVE], "offline": True, "assigned": True}, limit=TROUBLED, now=now)
    failed = Asked({"state": [State.FAILED]}, limit=TROUBLED)
    ready, waits = machine_list.found(db, waiting)
    troubled = [machine for asked in (failed, asking, silent) for machine in machine_list.found(db, asked)[1]]
    recent = _recent(db)
    return Fleet(
        total=sum(by_state.values()),
        counts=[(state, by_state[state]) for state in State if state in by_state],
        offline=count(db, LISTING, offline),
        maintenance=count(db, LISTING, maintenance),
        running=_running(db),
        troubled=views_of(db, troubled),
        waiting=views_of(db, waits),
        ready=ready.total,
        events=recent,
        names=machines.names(db, [event.machine for event in recent if event.machine]),
    )


def _recent(db: sqlite3.Connection) -> list[Event]:
    latest = events.query(db, limit=200, private=False)  # who logs in is no news of the fleet
    return [event for event in latest if event.kind not in NOISE][:RECENT]


def _running(db: sqlite3.Connection) -> list[MachineView]:
    """Machines with a live attempt, the latest first."""
    live = attempts.latest_live(db, RUNNING)
    at_work = {machine.id: machine for machine in machines.some(db, [each.machine for each in live])}
    views = views_of(db, [at_work[each.machine] for each in live if each.machine in at_work])
    return [view for view in views if view.live]


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
    if view.asks(now) and view.deployment:
        text = f"restarted by itself, and waits to be let in to {view.deployment.name}"
        return Attention(words.ASKS, machine.name, text, link)
    if view.deadline and view.advice(now):
        text = f"{view.advice(now)}. It gives up at {words.clock(view.deadline, zone)}."
        return Attention(words.OFFLINE, machine.name, text, link)
    if machine.state is State.ACTIVE and view.deployment and view.offline(now):
        silent = words.ago(machine.last_seen, now)
        text = f"runs {view.deployment.name}, last seen {silent}"
        return Attention(words.OFFLINE, machine.name, text, link)
    return None
