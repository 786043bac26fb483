"""The form for a new deployment, with what each choice would mean while it is made."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from appliance.catalogue import Image
from appliance.cloud_init import USER_DATA
from appliance.delivery import Delivery
from appliance.deployment import Requirements
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.machine import Machine
from appliance.reconcile.choosing import for_roots
from appliance.reconcile.root_kernels import kernels_for_roots
from appliance.reconcile.seeds import SealedPart, SealedSeed
from appliance.store import catalogue, deployments, fitting, machines
from appliance.web.console import deployment_values, seed_values
from appliance.web.console.deployment_values import Typed, fits, requirements, typed
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields
from appliance.web.keys import SERVICES

SHOWN = 50
"""Machines in the list of those that would do: it is to help choosing, not a second list of machines."""
OFFERED = 500
"""Machines to choose from, those that are free before others; a longer list is no help, and slow to send."""


async def show(request: web.Request) -> web.Response:
    """GET /deployments/new; parameters fill fields in, as a link from a machine or an image does."""
    return await _page(request, _linked(request))


def _linked(request: web.Request) -> Typed:
    """What a link fills in. Nothing for cloud-init is among it: what comes from elsewhere is not to run as root."""
    return typed({name: value for name, value in request.query.items() if name not in seed_values.FIELDS})


async def choices(request: web.Request) -> web.Response:
    """GET /deployments/new/choices: the part of the form that depends on the rest of it."""
    form = _linked(request)
    return render(request, "deployment_choices.html", **await _surroundings(request, form))


async def _surroundings(request: web.Request, form: Typed) -> dict[str, Any]:
    def job(db: sqlite3.Connection) -> dict[str, Any]:
        images = catalogue.images(db)
        if not form.values["image"] and len(images) == 1:
            form.values["image"] = images[0].name
        chosen = next((image for image in images if form.values["image"] in (image.name, str(image.id))), None)
        machine = machines.find(db, form.values["machine"]) if form.values["machine"] else None
        would = _one_fit(db, machine, form, chosen) if machine else _every_fit(db, form, chosen)
        places = {"pools": for_roots(db), "kernels": kernels_for_roots(db), "unsent": seed_values.FIELDS}
        return {"form": form, "images": images, "image": chosen, "machine": machine, **places, **would}

    return await request.app[SERVICES].store.read(job)


def _one_fit(db: sqlite3.Connection, machine: Machine, form: Typed, image: Image | None) -> dict[str, Any]:
    found = fits([machine], form, image, deployments.taken(db))
    return {"fits": found, "fitting": sum(not fit.objection for fit in found), "candidates": 1}


def _every_fit(db: sqlite3.Connection, form: Typed, image: Image | None) -> dict[str, Any]:
    """Those that would do are counted without reading them; those that are shown are looked at one by one."""
    passed = fitting.hurdles(requirements(form), image, form.delivery, form.wanted_disk)
    shown = machines.with_inventories(db, fitting.by_name(db, passed, SHOWN))
    return {
        "fits": fits(shown, form, image, deployments.taken(db)),
        "fitting": fitting.counted(db, passed),
        "candidates": machines.number(db),
    }


async def _page(request: web.Request, form: Typed, status: int = 200) -> web.Response:
    """The whole form, with machines to choose from."""

    def job(db: sqlite3.Connection) -> list[Machine]:
        every = fitting.hurdles(Requirements(), None, Delivery.DISK, None)
        return machines.some(db, fitting.by_name(db, every, OFFERED))

    offered = await request.app[SERVICES].store.read(job)
    around = await _surroundings(request, form)
    chosen: Machine | None = around["machine"]
    if chosen is not None and chosen.id not in {each.id for each in offered}:
        offered.append(chosen)
    every = sorted(offered, key=lambda each: each.name)
    return render(request, "deployment_new.html", status=status, machines=every, offered=OFFERED, **around)


async def create(request: web.Request) -> web.Response:
    """POST /deployments/new; on success the page that says what a start would do."""
    sent = _text_fields(await fields(request))
    form = typed(sent)
    if shows_only(form, sent):
        return await _page(request, form, status=422 if form.errors else 200)
    seed = sealed(request, form)
    new = replace(deployment_values.wish(form), seed=seed)
    if not form.errors:
        try:
            made = await request.app[SERVICES].wishes.create_deployment(new, who(request))
            return see_other(f"/deployments/{made.id}/start")
        except (Invalid, NotFound, Conflict) as error:
            form.errors[field_of(error)] = error
    return await _page(request, form, status=422)


def shows_only(form: Typed, sent: Mapping[str, str]) -> bool:
    """Whether nothing is to be kept yet: what fits is to be shown, or the form for cloud-init is to make its text."""
    if seed_values.MAKE in sent:
        try:
            form.values[USER_DATA] = seed_values.made(form.values)
        except Invalid as error:
            form.errors[error.field] = error
    return seed_values.MAKE in sent or "show" in sent


def sealed(request: web.Request, form: Typed) -> SealedSeed:
    """What cloud-init is to be given; what is wrong with it is noted in ``form.errors``."""
    found: dict[str, SealedPart] = {}
    for part, text in seed_values.given(form.values).items():
        try:
            found |= request.app[SERVICES].seeds.sealed({part: text})
        except Invalid as error:
            form.errors[error.field] = error
    return found


_TYPED_IN = {"requirements.disk_bytes": "disk_size", "wipe_on_release": "wipe"}
"""Where what the API calls so is typed."""


def field_of(error: ApplianceError) -> str:
    """The field that an error stands beside; ``form`` where there is none: what only a disk has is not shown then."""
    if error.code in ("machine-unknown", "pool-unknown", "kernel-unknown"):
        return error.code.removesuffix("-unknown")
    if error.code == "disk-unused":
        return "form"
    return _TYPED_IN.get(error.field, error.field) or "form"


def _text_fields(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in values.items() if isinstance(value, str)}
