"""The list of deployments and the pages of one."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from appliance.deployment import Deployment, Wanted
from appliance.errors import ApplianceError, Conflict
from appliance.events import Event
from appliance.machine import State
from appliance.reconcile.consequences import Action, Consequences
from appliance.reconcile.views import DeploymentView, deployment_view, deployments_page
from appliance.store import events
from appliance.store.deployment_list import LISTING
from appliance.store.listing import Asked, count
from appliance.web.console import words
from appliance.web.console.bulk_acts import DEPLOYMENT_ACTS
from appliance.web.console.machine_actions import Button
from appliance.web.console.page import render
from appliance.web.console.paging import Shown, read, shown
from appliance.web.console.words import Mark
from appliance.web.keys import SERVICES

STATES = ("active", "deploying", "stopped", "failed", "not running")
ICONS = {
    Action.START: "play",
    Action.STOP: "square",
    Action.RELEASE: "undo-2",
    Action.REDEPLOY: "refresh-cw",
    Action.RETRY: "rotate-ccw",
}
WORDS = {
    Action.START: "Start",
    Action.STOP: "Stop",
    Action.RELEASE: "Release",
    Action.REDEPLOY: "Re-deploy",
    Action.RETRY: "Retry",
}


def deployment_mark(view: DeploymentView) -> Mark:
    """How a deployment is: as its machine is, once it has one."""
    if view.on is None:
        return words.WAITING if view.deployment.wanted is Wanted.RUNNING else words.RELEASED
    if view.on.machine.state is State.IDLE:
        return words.WAITING  # assigned, and the loop has not begun the attempt yet
    return words.mark(view.on.machine.state)


async def index(request: web.Request) -> web.Response:
    """GET /deployments, filtered by ``state``, ``image``, ``tag`` and ``q``."""
    store, wanted = request.app[SERVICES].store, wanted_of(request)
    total = await store.read(lambda db: count(db, LISTING, Asked()))
    found = await read(wanted, lambda asked: deployments_page(store, asked), total)
    return render(
        request, "deployments.html", listed=found, states=STATES, acts=DEPLOYMENT_ACTS, mark_of=deployment_mark
    )


def wanted_of(request: web.Request) -> Shown[DeploymentView]:
    """What the address asks for; one of STATES has no machine."""
    wanted: Shown[DeploymentView] = shown(request, "/deployments", LISTING, ("state", "image", "tag", "q"))
    word = request.query.get("state", "").strip()
    return wanted.with_filters({"state": word}, {"state": ["released"]}) if word == "not running" else wanted


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What each action would do, or why it is refused."""

    by_action: dict[Action, Consequences]

    def buttons(self, deployment: Deployment) -> list[Button]:
        """The deployment's buttons, all of them always and in this order, so that nothing moves about."""
        order = (Action.START, Action.STOP, Action.RETRY, Action.REDEPLOY, Action.RELEASE)
        made = [self._button(deployment, action) for action in order]
        refused = "it is on a machine; release it first" if deployment.machine else ""
        edit = Button("Edit", "pencil", f"/deployments/{deployment.id}/edit", menu=True)
        return [*made, edit, Button("Delete", "trash-2", f"/deployments/{deployment.id}/delete", refused, menu=True)]

    def _button(self, deployment: Deployment, action: Action) -> Button:
        foreseen = self.by_action[action]
        at_once = action is Action.RETRY or (action is Action.START and deployment.machine is not None)
        return Button(
            WORDS[action],
            ICONS[action],
            f"/deployments/{deployment.id}/{action.value}",
            foreseen.refused,
            value="yes" if at_once else "",
            primary=action in (Action.START, Action.RETRY) and not foreseen.refused,
        )


async def foresee(request: web.Request, deployment: Deployment, action: Action) -> Consequences:
    """What the action would do; a start that finds no machine is refused with the reasons."""
    try:
        return await request.app[SERVICES].wishes.consequences(str(deployment.id), action)
    except Conflict as error:
        return Consequences(refused=error.message)


async def show(request: web.Request) -> web.Response:
    """GET /deployments/{key}"""
    return await deployment_page(request, request.match_info["key"])


async def deployment_page(request: web.Request, key: str, problem: ApplianceError | None = None) -> web.Response:
    """The page of one deployment, with what went wrong when something did."""
    view = await deployment_view(request.app[SERVICES].store, key)
    return await _tab(request, view, "deployment.html", "overview", problem=problem)


async def timeline(request: web.Request) -> web.Response:
    """GET /deployments/{key}/timeline"""
    store = request.app[SERVICES].store
    view = await deployment_view(store, request.match_info["key"])

    def job(db: sqlite3.Connection) -> list[Event]:
        return events.query(db, deployment=view.deployment.id, limit=200)

    entries = await store.read(job)
    return await _tab(request, view, "deployment_timeline.html", "timeline", problem=None, events=entries)


async def _tab(request: web.Request, view: DeploymentView, template: str, tab: str, **values: Any) -> web.Response:
    foreseen = Foreseen({action: await foresee(request, view.deployment, action) for action in Action})
    return render(
        request,
        template,
        status=409 if values.get("problem") else 200,
        view=view,
        deployment=view.deployment,
        mark_shown=deployment_mark(view),
        actions=foreseen.buttons(view.deployment),
        tab=tab,
        **values,
    )
