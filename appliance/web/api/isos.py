"""ISOs for programs: what VMs find in their CD-ROM drives. Uploads are streamed: only the disk bounds their size."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.decoding import converted
from appliance.errors import Invalid
from appliance.intake import IsoWish
from appliance.iso import Iso
from appliance.reconcile.isos import Isos
from appliance.store import isos
from appliance.store.documents import load
from appliance.store.isos import LISTING
from appliance.store.listing import page
from appliance.web.api import listing, outward, tasks, uploads
from appliance.web.api.body import answer, body, key, text
from appliance.web.api.query import Param
from appliance.web.keys import SERVICES, USER

QUERY = listing.params(LISTING)
UPLOAD = (
    Param("name", Annotated[str, msgspec.Meta(max_length=200)], "what it is to be called", needed=True),
    Param("description", Annotated[str, msgspec.Meta(max_length=4000)], "what is on it"),
)


class IsoUploadIn(uploads.FileIn, kw_only=True):
    """Which file is to become the ISO."""

    description: uploads.Text = ""


class IsoFetchIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which ISO is to be fetched."""

    name: uploads.Line
    url: uploads.Url
    """HTTP or HTTPS; not the appliance itself, nor what only it can reach."""
    sha256: uploads.Line
    """Of the file there, hexadecimal. What differs from it is not listed."""
    description: uploads.Text = ""
    replace: bool = False
    """Begin it in place of another file that is half here under this name."""


class IsoChangeIn(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of an ISO; null leaves it as it is. Its content never changes."""

    name: uploads.Line | None = None
    """VMs that have it in a drive are not touched."""
    description: uploads.Text | None = None


class IsoOut(msgspec.Struct, kw_only=True):
    """An ISO."""

    id: int
    name: str
    description: str
    size: int
    """Bytes."""
    sha256: str
    created: float
    label: str
    """Its volume identifier, by which systems look for their medium."""
    firmware: list[str]
    """What starts from it: `bios`, `uefi`; empty: nothing does."""
    path: str
    """Its file on the appliance, as the drives of VMs name it."""
    missing: bool
    """Its content is not here: the state was restored without it. Bringing the same file again puts it back."""


def _isos(request: web.Request) -> Isos:
    return request.app[uploads.INTAKE].isos


def _out(request: web.Request, of: Iso) -> IsoOut:
    known, here = _isos(request), msgspec.to_builtins(of)
    return converted({**here, "path": str(known.path(of)), "missing": known.lacks(of)}, IsoOut)


async def index(request: web.Request) -> web.Response:
    """ISOs."""
    wanted = listing.asked(request, LISTING)
    found = await request.app[SERVICES].store.read(lambda db: page(db, LISTING, wanted))
    return answer(listing.page(found, [_out(request, load(row[0], Iso)) for row in found.rows]))


async def show(request: web.Request) -> web.Response:
    """One ISO."""
    which = key(request)
    return answer(_out(request, await request.app[SERVICES].store.read(lambda db: isos.get(db, which))))


async def add(request: web.Request) -> web.Response:
    """Store the body as an ISO."""
    name, description = text(request, "name"), text(request, "description", "")
    if not request.can_read_body:
        raise Invalid("upload-empty", "the request has no body", "send the ISO file as the body")
    content, expected = request.content.iter_chunked(uploads.CHUNK), request.content_length or 0
    return answer(_out(request, await _isos(request).add(name, description, content, request[USER], expected)), 201)


async def change(request: web.Request) -> web.Response:
    """Change what an ISO is called and what is said of it."""
    sent = await body(request, IsoChangeIn)
    changed = await _isos(request).change(key(request), sent.name, sent.description, request[USER])
    return answer(_out(request, changed))


async def consequences(request: web.Request) -> web.Response:
    """What it would mean to delete an ISO."""
    return answer(outward.consequences(await _isos(request).deletion(key(request))))


async def delete(request: web.Request) -> web.Response:
    """Delete an ISO that no VM has in a drive."""
    await _isos(request).delete(key(request), request[USER])
    return web.Response(status=204)


async def fetch(request: web.Request) -> web.Response:
    """Fetch an ISO; the answer is the task that does it. It is listed once its checksum was found right."""
    sent = await body(request, IsoFetchIn)
    wish = IsoWish(sent.name, sent.description, sent.url)
    task = await request.app[uploads.INTAKE].fetch(wish, sent.sha256, request[USER], replace=sent.replace)
    return await tasks.shown(request, str(task.id))


async def begin_upload(request: web.Request) -> web.Response:
    """Begin to upload an ISO piece by piece, or go on with it, as of an image."""
    sent = await body(request, IsoUploadIn)
    return await uploads.begun(request, IsoWish(key(request), sent.description), sent)


async def take_piece(request: web.Request) -> web.Response:
    """Send the next piece of it, as of an image."""
    return await uploads.taken(request, "iso")


async def show_upload(request: web.Request) -> web.Response:
    """How far the ISO is that is uploaded piece by piece, or fetched."""
    return await uploads.shown(request, "iso")


async def forget_upload(request: web.Request) -> web.Response:
    """Remove what is half uploaded of an ISO."""
    return await uploads.forgotten(request, "iso")
