"""Images and kernels for programs. Uploads are streamed: only the disk bounds their size."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.catalogue import Image, Kernel, KernelWords
from appliance.errors import Invalid
from appliance.reconcile.image_consequences import deletion
from appliance.store import catalogue
from appliance.store.catalogue_list import IMAGES, KERNELS
from appliance.store.documents import load
from appliance.store.listing import page
from appliance.web.api import listing, outward, shapes
from appliance.web.api.body import answer, key, text
from appliance.web.api.endpoint import Form
from appliance.web.api.query import Param
from appliance.web.forms import file, parts
from appliance.web.keys import SERVICES, USER

Text = Annotated[str, msgspec.Meta(max_length=4000)]
Name = Annotated[str, msgspec.Meta(max_length=200)]

IMAGES_QUERY = listing.params(IMAGES)
KERNELS_QUERY = listing.params(KERNELS)
IMAGE_UPLOAD = (
    Param("name", Name, "what it is to be called", needed=True),
    Param("format", Name, "`raw`, `raw.zst`, `qcow2`, `tar` or `squashfs`; told from the content when left out"),
    Param("description", Text, "what is in it"),
)
KERNEL_UPLOAD = (
    Param("name", Name, "what it is to be called", needed=True),
    Param("version", Name, "as `uname -r` tells it"),
    Param("cmdline", Text, "default command line"),
)
KERNEL_FILES = Form((("vmlinuz", True), ("initrd", False)))
CHUNK = 1 << 20
"""Bytes in memory for one upload."""


def _image(request: web.Request, of: Image) -> shapes.ImageOut:
    return outward.image(of, request.app[SERVICES].imports.lacks(of))


def _kernel(request: web.Request, of: Kernel) -> shapes.KernelOut:
    return outward.kernel(of, request.app[SERVICES].imports.lacks(of))


async def images(request: web.Request) -> web.Response:
    """Images."""
    wanted = listing.asked(request, IMAGES)
    found = await request.app[SERVICES].store.read(lambda db: page(db, IMAGES, wanted))
    return answer(listing.page(found, [_image(request, load(row[0], Image)) for row in found.rows]))


async def image(request: web.Request) -> web.Response:
    """One image."""
    which = key(request)
    return answer(_image(request, await request.app[SERVICES].store.read(lambda db: catalogue.image(db, which))))


async def add_image(request: web.Request) -> web.Response:
    """Store the body as an image."""
    name = text(request, "name")
    image_format, description = text(request, "format", ""), text(request, "description", "")
    if not request.can_read_body:
        raise Invalid("image-empty", "the request has no body", "send the disk image as the body")
    content = request.content.iter_chunked(CHUNK)
    imports = request.app[SERVICES].imports
    by, length = request[USER], request.content_length or 0
    made = await imports.add_image(name, description, image_format, content, by, length)
    return answer(outward.image(made), 201)


async def image_consequences(request: web.Request) -> web.Response:
    """What it would mean to delete an image."""
    store = request.app[SERVICES].store
    return answer(outward.consequences(await store.read(lambda db: deletion(db, key(request)))))


async def delete_image(request: web.Request) -> web.Response:
    """Forget an image that no deployment uses."""
    await request.app[SERVICES].imports.delete_image(key(request), request[USER])
    return web.Response(status=204)


async def kernels(request: web.Request) -> web.Response:
    """Kernels."""
    wanted = listing.asked(request, KERNELS)
    found = await request.app[SERVICES].store.read(lambda db: page(db, KERNELS, wanted))
    return answer(listing.page(found, [_kernel(request, load(row[0], Kernel)) for row in found.rows]))


async def kernel(request: web.Request) -> web.Response:
    """One kernel."""
    which = key(request)
    return answer(_kernel(request, await request.app[SERVICES].store.read(lambda db: catalogue.kernel(db, which))))


async def add_kernel(request: web.Request) -> web.Response:
    """Store a kernel: a multipart form with the files ``vmlinuz`` and then, if there is one, ``initrd``."""
    name, version = text(request, "name"), text(request, "version", "")
    cmdline = text(request, "cmdline", "")
    if request.content_type != "multipart/form-data":
        hint = "send a form with the file vmlinuz, then the file initrd"
        raise Invalid("body-type", "the body is no multipart form", hint)
    reader = await parts(request)
    vmlinuz, initrd = file(reader, "vmlinuz", CHUNK), file(reader, "initrd", CHUNK)
    words = KernelWords(name, version, cmdline)
    made = await request.app[SERVICES].imports.add_kernel(words, vmlinuz, initrd, request[USER])
    return answer(outward.kernel(made), 201)


async def delete_kernel(request: web.Request) -> web.Response:
    """Forget a kernel."""
    await request.app[SERVICES].imports.delete_kernel(key(request), request[USER])
    return web.Response(status=204)
