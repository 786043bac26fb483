"""Forms that change a deployment, an image or a kernel after it was made."""

import sqlite3
from typing import Any

from aiohttp import web

from appliance.catalogue import Image, Kernel
from appliance.cloud_init import USER_DATA
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.reconcile.changes import Changes, DeploymentChange
from appliance.reconcile.choosing import for_roots
from appliance.reconcile.root_kernels import kernels_for_roots
from appliance.reconcile.views import deployment_view
from appliance.store import catalogue
from appliance.web.console.deployment_form import field_of, sealed, shows_only
from appliance.web.console.deployment_values import Typed, keys_of, requirements, root_size, stored, typed
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES


def _changes(request: web.Request) -> Changes:
    services = request.app[SERVICES]
    return Changes(services.store, services.bus, services.clock)


async def edit_deployment(request: web.Request) -> web.Response:
    """GET /deployments/{key}/edit"""
    view = await deployment_view(request.app[SERVICES].store, request.match_info["key"])
    values = stored(view.deployment, view.image.name)
    try:
        texts = await request.app[SERVICES].seeds.of(str(view.deployment.id))
    except Conflict as error:
        form = typed(values)
        form.errors[error.field] = error
        return await _deployment_page(request, form)
    return await _deployment_page(request, typed({**values, **texts}))


async def _deployment_page(request: web.Request, form: Typed) -> web.Response:
    store = request.app[SERVICES].store
    view = await deployment_view(store, request.match_info["key"])
    form.values["delivery"] = view.deployment.delivery
    shows: dict[str, Any] = {
        "deployment": view.deployment,
        "images": await store.read(catalogue.images),
        "pools": await store.read(for_roots),
        "kernels": await store.read(kernels_for_roots),
    }
    return render(request, "deployment_edit.html", status=422 if form.errors else 200, form=form, **shows)


async def save_deployment(request: web.Request) -> web.Response:
    """POST /deployments/{key}/edit"""
    sent = await fields(request)
    text_fields = {name: value for name, value in sent.items() if isinstance(value, str)}
    form = typed(text_fields)
    if shows_only(form, text_fields):
        return await _deployment_page(request, form)
    values = form.values
    change = DeploymentChange(
        values["name"],
        values["image"] or None,
        requirements(form),
        keys_of(form),
        bool(values["wipe"]),
        values["wipe_method"],
        values["pool"] if "pool" in sent else None,
        (root_size(form) or 0) if "root_size" in sent else None,
        values["kernel"] if "kernel" in sent else None,
        sealed(request, form) if USER_DATA in sent else {},
    )
    if not form.errors:
        try:
            made = await _changes(request).deployment(request.match_info["key"], change, who(request))
            return see_other(f"/deployments/{made.id}")
        except (Invalid, Conflict) as error:
            form.errors[field_of(error)] = error
        except NotFound as error:
            if (where := field_of(error)) not in ("image", "pool", "kernel"):
                raise
            form.errors[where] = error
    return await _deployment_page(request, form)


async def edit_image(request: web.Request) -> web.Response:
    """GET /images/{key}/edit"""
    image = await _image(request)
    return _image_page(request, image, image.name, image.description)


async def _image(request: web.Request) -> Image:
    def job(db: sqlite3.Connection) -> Image:
        return catalogue.image(db, request.match_info["key"])

    return await request.app[SERVICES].store.read(job)


def _image_page(
    request: web.Request, image: Image, name: str, description: str, error: ApplianceError | None = None
) -> web.Response:
    errors = {error.field or "form": error} if error else {}
    shows: dict[str, Any] = {"name": name, "description": description, "errors": errors}
    return render(request, "image_edit.html", status=422 if error else 200, image=image, **shows)


async def save_image(request: web.Request) -> web.Response:
    """POST /images/{key}/edit"""
    sent = await fields(request)
    name, description = text(sent, "name").strip(), text(sent, "description").strip()
    image = await _image(request)
    try:
        await _changes(request).image(str(image.id), name, description, who(request))
    except (Invalid, Conflict) as error:
        return _image_page(request, image, name, description, error)
    return see_other(f"/images/{image.id}")


async def edit_kernel(request: web.Request) -> web.Response:
    """GET /kernels/{key}/edit"""
    kernel = await _kernel(request)
    return _kernel_page(request, kernel, kernel.name, kernel.cmdline)


async def _kernel(request: web.Request) -> Kernel:
    def job(db: sqlite3.Connection) -> Kernel:
        return catalogue.kernel(db, request.match_info["key"])

    return await request.app[SERVICES].store.read(job)


def _kernel_page(
    request: web.Request, kernel: Kernel, name: str, cmdline: str, error: ApplianceError | None = None
) -> web.Response:
    errors = {error.field or "form": error} if error else {}
    shows: dict[str, Any] = {"name": name, "cmdline": cmdline, "errors": errors}
    return render(request, "kernel_edit.html", status=422 if error else 200, kernel=kernel, **shows)


async def save_kernel(request: web.Request) -> web.Response:
    """POST /kernels/{key}/edit"""
    sent = await fields(request)
    name, cmdline = text(sent, "name").strip(), text(sent, "cmdline").strip()
    kernel = await _kernel(request)
    try:
        await _changes(request).kernel(str(kernel.id), name, cmdline, who(request))
    except (Invalid, Conflict) as error:
        return _kernel_page(request, kernel, name, cmdline, error)
    return see_other("/kernels")
