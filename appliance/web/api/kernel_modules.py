"""The modules of kernels that were added by hand, for programs: sent piece by piece, or fetched."""

import msgspec
from aiohttp import web

from appliance.catalogue import Kernel
from appliance.intake import ModulesWish
from appliance.store import catalogue
from appliance.web.api import tasks, uploads
from appliance.web.api.body import body, key
from appliance.web.keys import SERVICES, USER


class ModulesUploadIn(uploads.FileIn, kw_only=True):
    """Which archive holds the kernel's modules: tar, also packed with gzip, xz or zstd, or squashfs."""


class ModulesFetchIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which archive with the kernel's modules is to be fetched."""

    url: uploads.Url
    """HTTP or HTTPS; not the appliance itself, nor what only it can reach."""
    sha256: uploads.Line
    """Of the file there, hexadecimal. What differs from it is not used."""
    replace: bool = False
    """Begin it in place of another file that is half here for this kernel."""


async def _kernel(request: web.Request) -> Kernel:
    which = key(request)
    return await request.app[SERVICES].store.read(lambda db: catalogue.kernel(db, which))


async def begin(request: web.Request) -> web.Response:
    """Begin to upload an archive with a kernel's `lib/modules/VERSION`, or go on with it, as of an image.

    Once all is here, ``task`` reads what roots on the network need of it, and keeps that with the kernel.
    """
    sent = await body(request, ModulesUploadIn)
    return await uploads.begun(request, ModulesWish((await _kernel(request)).name), sent)


async def take(request: web.Request) -> web.Response:
    """Send the next piece of it, as of an image."""
    return await uploads.taken(request, "modules")


async def show(request: web.Request) -> web.Response:
    """How far the modules are that are uploaded piece by piece, or fetched."""
    return await uploads.shown(request, "modules")


async def forget(request: web.Request) -> web.Response:
    """Remove what is half uploaded of them."""
    return await uploads.forgotten(request, "modules")


async def fetch(request: web.Request) -> web.Response:
    """Fetch an archive with a kernel's modules; the answer is the task that does it and keeps them with the kernel."""
    sent, kernel = await body(request, ModulesFetchIn), await _kernel(request)
    wish = ModulesWish(kernel.name, sent.url)
    task = await request.app[uploads.INTAKE].fetch(wish, sent.sha256, request[USER], replace=sent.replace)
    return await tasks.shown(request, str(task.id))
