"""The form for a new deployment, with what each choice would mean while it is made."""

from collections.abc import Mapping
from typing import Any

import aiosqlite
from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.store import catalogue, deployments, machines
from appliance.web.console import deployment_values
from appliance.web.console.deployment_values import Typed, fits, typed
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields
from appliance.web.keys import SERVICES

SHOWN = 50
"""Machines in the list of those that would do: it is to help choosing, not a second list of machines."""


async def show(request: web.Request) -> web.Response:
    """GET /deployments/new; parameters fill fields in, as a link from a machine or an image does."""
    form = typed(request.query)
    return render(request, "deployment_new.html", **await _surroundings(request, form))


async def choices(request: web.Request) -> web.Response:
    """GET /deployments/new/choices: the part of the form that depends on the rest of it."""
    form = typed(request.query)
    return render(request, "deployment_choices.html", **await _surroundings(request, form))


async def _surroundings(request: web.Request, form: Typed) -> dict[str, Any]:
    async def job(db: aiosqlite.Connection) -> dict[str, Any]:
        images, every = await catalogue.images(db), await machines.every(db)
        if not form.values["image"] and len(images) == 1:
            form.values["image"] = images[0].name
        chosen = next((image for image in images if form.values["image"] in (image.name, str(image.id))), None)
        machine = next((m for m in every if form.values["machine"] in (m.id, m.name)), None)
        pool = [machine] if machine else every
        candidates = fits(pool, form, chosen, await deployments.taken(db))
        return {
            "form": form,
            "images": images,
            "machines": every,
            "image": chosen,
            "machine": machine,
            "fits": candidates[:SHOWN],
            "fitting": sum(not fit.objection for fit in candidates),
            "candidates": len(candidates),
        }

    return await request.app[SERVICES].store.read(job)


async def create(request: web.Request) -> web.Response:
    """POST /deployments/new; on success the page that says what a start would do."""
    form = typed(_text_fields(await fields(request)))
    new = deployment_values.wish(form)
    if not form.errors:
        try:
            made = await request.app[SERVICES].wishes.create_deployment(new, who(request))
            return see_other(f"/deployments/{made.id}/start")
        except (Invalid, NotFound, Conflict) as error:
            form.errors[_field_of(error)] = error
    return render(request, "deployment_new.html", status=422, **await _surroundings(request, form))


def _field_of(error: ApplianceError) -> str:
    if error.code == "machine-unknown":
        return "machine"
    return error.field or "form"


def _text_fields(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in values.items() if isinstance(value, str)}
