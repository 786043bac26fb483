"""A pool as a whole: adopted, retired, checked and repaired; what is lost is said exactly, and agreed to by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.pool import Deed
from appliance.reconcile.consequences import Consequences
from appliance.reconcile.taskviews import TaskView, task_views
from appliance.store.listing import Asked
from appliance.task import Status
from appliance.web.console.confirm import confirm_page
from appliance.web.console.page import render, see_other, who
from appliance.web.console.pools import pool_of, shown
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

CHECKS = 100
"""Tasks among which the last check of a pool is looked for: who checks more often than that knows what came of it."""


async def ask_retire(request: web.Request) -> web.Response:
    """GET /storage/{pool}/retire"""
    return await _retire_page(request)


async def retire(request: web.Request) -> web.Response:
    """POST /storage/{pool}/retire with its name typed."""
    view, confirm = await pool_of(request), text(await fields(request), "confirm").strip()
    try:
        task = await request.app[SERVICES].storage().pools.retire(str(view.known.id), confirm, who(request))
    except Conflict as error:
        return await _retire_page(request, error)
    return see_other(f"/tasks/{task.id}")


async def _retire_page(request: web.Request, error: Conflict | None = None) -> web.Response:
    view = await pool_of(request)
    foreseen = await request.app[SERVICES].storage().pools.retire_consequences(str(view.known.id))
    title = f"Retire {view.known.name}"
    return act_page(request, title, title, foreseen, shown(view).link, error)


def act_page(
    request: web.Request, title: str, button: str, foreseen: Consequences, back: str, error: ApplianceError | None
) -> web.Response:
    """What it would mean; a refusal that came with the answer stands in place of the button."""
    mistyped = error is not None and error.code == "confirmation-needed"
    refused = foreseen.refused or (f"{error.message}; {error.hint}" if error and not mistyped else "")
    page = confirm_page(
        request,
        title=title,
        texts=foreseen.texts,
        confirm=foreseen.confirm,
        button=button,
        back=back,
        refused=refused.rstrip("."),
        danger=foreseen.destroys,
        wrong=wrong_word(foreseen) if mistyped else None,
    )
    if error and not mistyped:
        page.set_status(status_of(error))
    return page


def wrong_word(foreseen: Consequences) -> Conflict:
    """Something else was typed."""
    return Conflict("confirmation-needed", f"This is not it. Type exactly: {foreseen.confirm}", field="confirm")


async def examine(request: web.Request) -> web.Response:
    """POST /storage/{pool}/examine"""
    view = await pool_of(request)
    task = await request.app[SERVICES].storage().pools.examine(str(view.known.id), who(request))
    return see_other(f"/tasks/{task.id}")


async def ask_repair(request: web.Request) -> web.Response:
    """GET /storage/{pool}/repair: what the last check has found, and what a repair would do."""
    return await _repair_page(request)


async def repair(request: web.Request) -> web.Response:
    """POST /storage/{pool}/repair with the name of its volume group typed."""
    view, confirm = await pool_of(request), text(await fields(request), "confirm").strip()
    try:
        task = await request.app[SERVICES].storage().pools.repair(str(view.known.id), confirm, who(request))
    except Conflict as error:
        return await _repair_page(request, error)
    return see_other(f"/tasks/{task.id}")


async def _repair_page(request: web.Request, error: Conflict | None = None) -> web.Response:
    view = await pool_of(request)
    check = await _last_check(request, view.known.id)
    steps = tuple(str(each) for each in check.task.result.get("steps", ())) if check else ()
    foreseen = await request.app[SERVICES].storage().pools.repair_consequences(str(view.known.id), steps)
    wrong = wrong_word(foreseen) if error and error.code == "confirmation-needed" else None
    return render(
        request,
        "pool_repair.html",
        status=status_of(error) if error else 200,
        pool=shown(view),
        check=check.task if check else None,
        sound=check is not None and bool(check.task.result.get("sound")),
        foreseen=foreseen,
        errors={"confirm": wrong} if wrong else {},
        error=None if wrong else error,
    )


async def _last_check(request: web.Request, pool: int) -> TaskView | None:
    """The last one of this pool that has found something out, unless it was repaired since."""
    check, repaired = [await _last(request, deed, pool) for deed in (Deed.EXAMINE, Deed.REPAIR)]
    return check if check and (repaired is None or repaired.task.id < check.task.id) else None


async def _last(request: web.Request, deed: Deed, pool: int) -> TaskView | None:
    services = request.app[SERVICES]
    asked = Asked({"kind": deed.value, "status": [Status.DONE]}, limit=CHECKS, now=services.clock())
    _, views = await task_views(services.store, asked)
    return next((each for each in views if each.task.arguments.get("pool") == pool), None)


# -- a volume group that is there


async def ask_adopt(request: web.Request) -> web.Response:
    """GET /storage/adopt: the groups that there are; with ``group`` the form for one."""
    return await _adopt_page(request, {"group": request.query.get("group", "")})


async def adopt(request: web.Request) -> web.Response:
    """POST /storage/adopt with ``group``, ``name``, ``kind`` and the group's name typed."""
    sent = await fields(request)
    typed = {name: text(sent, name).strip() for name in ("group", "name", "kind", "confirm")}
    try:
        if typed["kind"] not in ("lvm-thin", "lvm-thick"):
            raise Invalid("pool-kind", "Choose one of these", field="kind")
        pools, thin = request.app[SERVICES].storage().pools, typed["kind"] == "lvm-thin"
        task = await pools.adopt(typed["group"], typed["name"], typed["confirm"], who(request), thin=thin)
    except (Invalid, NotFound, Conflict) as error:
        return await _adopt_page(request, typed, error)
    return see_other(f"/tasks/{task.id}")


async def _adopt_page(
    request: web.Request, typed: Mapping[str, str], error: ApplianceError | None = None
) -> web.Response:
    storage = request.app[SERVICES].storage()
    groups = await storage.views.groups()
    chosen = next((each for each in groups if each.uuid == typed["group"]), None)
    foreseen = await storage.pools.adopt_consequences(chosen.uuid) if chosen else None
    known: Sequence[str] = ("name", "kind", "confirm")
    if error is not None and error.code == "confirmation-needed" and foreseen:
        error = wrong_word(foreseen)
    values: dict[str, Any] = {"name": chosen.name if chosen else "", "kind": "lvm-thin", "confirm": ""}
    return render(
        request,
        "pool_adopt.html",
        status=status_of(error) if error else 200,
        groups=groups,
        chosen=chosen,
        foreseen=foreseen,
        typed={**values, **typed},
        errors={} if error is None else {error.field if error.field in known else "form": error},
    )
