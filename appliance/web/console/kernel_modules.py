"""The modules of a kernel that was added by hand: sent by a form, or fetched."""

from typing import Any

from aiohttp import web

from appliance.catalogue import Kernel
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.intake import ModulesWish
from appliance.store import catalogue
from appliance.web.api.uploads import INTAKE
from appliance.web.console.arriving import stopped
from appliance.web.console.page import render, see_other, who
from appliance.web.console.uploads import only_file
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of


async def form(request: web.Request) -> web.Response:
    """GET /kernels/{key}/modules/new"""
    kernel = await _kernel(request)
    try:
        await request.app[INTAKE].modules.check(str(kernel.id))
    except Conflict as refused:
        return render(request, "kernel_modules.html", kernel=kernel, refused=refused)
    return _page(request, kernel, {})


async def bring(request: web.Request) -> web.Response:
    """POST /kernels/{key}/modules/new, multipart: the archive, which goes to disk as it comes."""
    kernel = await _kernel(request)
    try:
        content = await only_file(request, "Choose the archive to upload")
        await request.app[INTAKE].modules.bring(str(kernel.id), content, who(request))
    except (Invalid, Conflict) as error:
        return _page(request, kernel, {}, error)
    return see_other("/kernels")


async def fetch(request: web.Request) -> web.Response:
    """POST /kernels/{key}/modules/fetch with ``url`` and ``sha256``."""
    kernel, sent = await _kernel(request), await fields(request)
    typed = {name: text(sent, name).strip() for name in ("url", "sha256")}
    wish = ModulesWish(kernel.name, typed["url"])
    try:
        task = await request.app[INTAKE].fetch(wish, typed["sha256"], who(request), replace=False)
    except (Invalid, Conflict) as error:
        return _page(request, kernel, typed, error)
    return see_other(f"/tasks/{task.id}")


async def stop(request: web.Request) -> web.Response:
    """POST /kernels/{key}/modules/stop: remove what is half here; nothing there is no error."""
    return await stopped(request, "modules")


async def _kernel(request: web.Request) -> Kernel:
    key = request.match_info["key"]
    return await request.app[SERVICES].store.read(lambda db: catalogue.kernel(db, key))


def _page(
    request: web.Request, kernel: Kernel, typed: dict[str, str], error: ApplianceError | None = None
) -> web.Response:
    field = error.field if error and error.field in ("file", "url", "sha256") else "form"
    shows: dict[str, Any] = {"refused": None, "typed": typed, "errors": {field: error} if error else {}}
    return render(request, "kernel_modules.html", status=status_of(error) if error else 200, kernel=kernel, **shows)
