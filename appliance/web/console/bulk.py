"""One act on many machines or deployments: which are meant, what it does to them, and its start as a task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.machine import HAND_OVERS
from appliance.reconcile.bulk import DEPLOYMENTS, MACHINES, BulkAsked, Noun, begin, items_meant
from appliance.reconcile.bulk_actions import Arguments
from appliance.store.tasks import Item
from appliance.web.console import deployments, machines
from appliance.web.console.bulk_acts import DEPLOYMENT_ACTS, MACHINE_ACTS, Act
from appliance.web.console.page import render, see_other, who
from appliance.web.console.paging import Shown
from appliance.web.doors import Handler
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES

NAMED = 40
"""Names on the page; the others are counted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What many of can be chosen."""

    noun: Noun
    path: str
    acts: Mapping[str, Act]
    wanted: Callable[[web.Request], "Shown[object]"]
    """What the filters of the list in the request's address ask for."""


KINDS = (
    Kind(MACHINES, "/machines", MACHINE_ACTS, machines.wanted_of),  # type: ignore[arg-type]
    Kind(DEPLOYMENTS, "/deployments", DEPLOYMENT_ACTS, deployments.wanted_of),  # type: ignore[arg-type]
)


def handlers(kind: Kind) -> tuple[Handler, Handler]:
    """GET and POST of ``/machines/bulk`` or ``/deployments/bulk``.

    The address says which are meant: ``chosen`` once for each, or ``all`` with the filters of the list.
    """
    return partial(_ask, kind), partial(_act, kind)


async def _ask(kind: Kind, request: web.Request) -> web.Response:
    try:
        return await _page(kind, request, {})
    except Invalid as error:
        return await _page(kind, request, {}, error)


async def _page(
    kind: Kind, request: web.Request, typed: Mapping[str, str], error: ApplianceError | None = None
) -> web.Response:
    action = request.query.get("action", "")
    items = await _meant(kind, request, action) if error is None or error.field not in _SELECTION else ()
    return render(
        request,
        "bulk.html",
        status=422 if error else 200,
        kind=kind,
        action=action,
        act=kind.acts.get(action),
        rule=kind.noun.actions.get(action),
        items=items[:NAMED],
        more=len(items) - NAMED,
        counted=kind.noun.counted(len(items)),
        typed=typed,
        errors={error.field or "form": error} if error else {},
        hand_overs=HAND_OVERS,
        query=request.query_string,
        link=partial(_link, request),
    )


_SELECTION = ("machines", "deployments")


def _link(request: web.Request, action: str) -> str:
    """This page with another action."""
    return str(request.rel_url.update_query(action=action))


async def _meant(kind: Kind, request: web.Request, action: str) -> Sequence[Item]:
    services = request.app[SERVICES]
    asked = _asked(kind, request, action, Arguments(), None)
    return await services.store.read(lambda db: items_meant(db, kind.noun, asked, services.clock()))


def _asked(kind: Kind, request: web.Request, action: str, arguments: Arguments, confirm: str | None) -> BulkAsked:
    if request.query.get("all"):
        filters = msgspec.to_builtins(dict(kind.wanted(request).asked.filters))
        return BulkAsked(action, None, filters, confirm, arguments)
    return BulkAsked(action, tuple(request.query.getall("chosen", ())), None, confirm, arguments)


async def _act(kind: Kind, request: web.Request) -> web.Response:
    services, sent = request.app[SERVICES], await fields(request)
    names = ("tags", "hand_over", "ssh_keys", "confirm")
    typed = {name: text(sent, name) for name in names}
    arguments = Arguments(
        tuple(typed["tags"].replace(",", " ").split()),
        typed["hand_over"] or None,
        tuple(line.strip() for line in typed["ssh_keys"].splitlines() if line.strip()),
    )
    asked = _asked(kind, request, request.query.get("action", ""), arguments, typed["confirm"].strip() or None)
    try:
        task = await begin(services.store, services.bus, kind.noun, asked, who(request), services.clock())
    except (Invalid, Conflict) as error:
        return await _page(kind, request, typed, error)
    return see_other(f"/tasks/{task.id}")
