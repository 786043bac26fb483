"""Kernels: list, upload, delete."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from appliance.catalogue import Kernel, KernelWords
from appliance.errors import Conflict, Invalid
from appliance.machine import check_name
from appliance.store import catalogue
from appliance.web.console.arriving import arriving, stopped
from appliance.web.console.confirm import confirm_page, confirmed
from appliance.web.console.listing import listed, parse_query
from appliance.web.console.page import render, see_other, who
from appliance.web.console.uploads import CHUNK, Upload, receive, require_free
from appliance.web.forms import chunks, file
from appliance.web.keys import SERVICES

COLUMNS: Mapping[str, Callable[[Kernel], Any]] = {
    "name": lambda kernel: kernel.name,
    "version": lambda kernel: kernel.version,
    "created": lambda kernel: -kernel.created,
}


async def index(request: web.Request) -> web.Response:
    """GET /kernels, filtered by ``q``."""
    query = parse_query("/kernels", request.query, ("q",), tuple(COLUMNS))
    words = query.filters.get("q", "").lower().split()
    services = request.app[SERVICES]
    everything = await services.store.read(catalogue.kernels)
    found = listed(everything, query, lambda kernel: all(word in kernel.name for word in words), COLUMNS)
    arrivals = await arriving(request, "kernel")
    return render(request, "kernels.html", listed=found, lacks=services.imports.lacks, arrivals=arrivals)


async def form(request: web.Request) -> web.Response:
    """GET /kernels/new"""
    return render(request, "kernel_new.html", typed={}, error=None)


async def upload(request: web.Request) -> web.Response:
    """POST /kernels/new, multipart: the text fields, then ``vmlinuz``, then ``initrd``, which may be empty."""
    received = Upload()
    try:
        await receive(request, received, "vmlinuz")
        await _store(request, received)
    except (Invalid, Conflict) as error:
        return render(request, "kernel_new.html", status=422, typed=received.fields, error=error)
    return see_other("/kernels")


async def _store(request: web.Request, received: Upload) -> None:
    if received.file is None or received.reader is None:
        raise Invalid("file-missing", "Choose the kernel to upload", field="vmlinuz")
    name = check_name(received.text("name"))
    await require_free(request, catalogue.kernel, "kernel", name)
    vmlinuz, initrd = chunks(received.file, CHUNK), file(received.reader, "initrd", CHUNK)
    words = KernelWords(name, received.text("version"), received.text("cmdline"))
    await request.app[SERVICES].imports.add_kernel(words, vmlinuz, initrd, who(request))


async def stop_upload(request: web.Request) -> web.Response:
    """POST /kernels/uploads/{key}/stop: remove what is half here; nothing there is no error."""
    return await stopped(request, "kernel")


async def _kernel(request: web.Request) -> Kernel:
    key = request.match_info["key"]
    return await request.app[SERVICES].store.read(lambda db: catalogue.kernel(db, key))


async def ask_delete(request: web.Request) -> web.Response:
    """GET /kernels/{key}/delete"""
    return await _delete_page(request, await _kernel(request))


async def delete(request: web.Request) -> web.Response:
    """POST /kernels/{key}/delete with its name typed."""
    kernel = await _kernel(request)
    if wrong := await confirmed(request, kernel.name):
        return await _delete_page(request, kernel, wrong)
    await request.app[SERVICES].imports.delete_kernel(str(kernel.id), who(request))
    return see_other("/kernels")


async def _delete_page(request: web.Request, kernel: Kernel, wrong: Conflict | None = None) -> web.Response:
    users = await request.app[SERVICES].store.read(lambda db: catalogue.users_of_kernel(db, kernel.id))
    used = f"{', '.join(users[:5])} starts with it; choose another kernel there first" if users else ""
    return confirm_page(
        request,
        title=f"Delete {kernel.name}",
        texts=("The stored kernel and initrd are deleted. Machines that run it go on running.",),
        confirm=kernel.name,
        button=f"Delete {kernel.name}",
        back="/kernels",
        refused="it comes with the appliance" if kernel.builtin else used,
        wrong=wrong,
    )
