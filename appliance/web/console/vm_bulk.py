"""One order for many VMs: which are meant, what it does to them, and its start as a task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.reconcile.vm_bulk import ACTIONS, VmBulk, begin, counted
from appliance.store.tasks import Item
from appliance.web.console.listing import parse_query
from appliance.web.console.page import render, see_other, who
from appliance.web.console.vm_acts import BULK
from appliance.web.console.vms import COLUMNS, FILTERS, matches, vms_of
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES

NAMED = 40
"""Names on the page; the others are counted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An action as the page of bulk actions asks for it."""

    title: str
    destroys: bool
    needs: str = ""


VM_KIND = SimpleNamespace(path="/vms", acts=BULK, noun=SimpleNamespace(singular="VM", plural="VMs"))
"""What the page of bulk actions knows of the list."""


async def ask(request: web.Request) -> web.Response:
    """GET /vms/bulk: ``chosen`` once for each, or ``all`` with the filters of the list; ``action`` one of BULK."""
    return await _page(request)


async def _page(request: web.Request, error: ApplianceError | None = None) -> web.Response:
    action, items = request.query.get("action", ""), await _meant(request)
    return render(
        request,
        "bulk.html",
        status=422 if error else 200,
        kind=VM_KIND,
        action=action,
        act=BULK.get(action),
        rule=_rule(ACTIONS.get(action)),
        items=items[:NAMED],
        more=len(items) - NAMED,
        counted=counted(len(items)),
        typed={},
        errors={error.field or "form": error} if error else {},
        hand_overs=(),
        query=request.query_string,
        link=lambda name: str(request.rel_url.update_query(action=name)),
    )


def _rule(action: VmBulk | None) -> Rule | None:
    return Rule(action.title, action.destroys) if action else None


async def _meant(request: web.Request) -> Sequence[Item]:
    """Those of ours, by name; what is not there any more is meant all the same, and said to be gone."""
    views = [each for each in (await vms_of(request).list()).vms if each.seen.ours]
    if request.query.get("all"):
        query = parse_query("/vms", request.query, FILTERS, tuple(COLUMNS))
        return [Item(each.seen.id, each.seen.name, "waiting") for each in views if matches(each, query)]
    known: Mapping[str, str] = {each.seen.id: each.seen.name for each in views}
    chosen = dict.fromkeys(request.query.getall("chosen", ()))
    return [Item(key, known.get(key, key[:80]), "waiting") for key in chosen]


async def act(request: web.Request) -> web.Response:
    """POST /vms/bulk, with ``confirm`` where something is lost."""
    services, confirm = request.app[SERVICES], text(await fields(request), "confirm").strip() or None
    action, items = request.query.get("action", ""), await _meant(request)
    try:
        task = await begin(services.store, services.bus, action, items, confirm, who(request), services.clock())
    except (Invalid, Conflict) as error:
        return await _page(request, error)
    return see_other(f"/tasks/{task.id}")
