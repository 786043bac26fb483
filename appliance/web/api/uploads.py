"""What arrives piece by piece, or from an address, for programs: images and kernels, and what is common to all."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.errors import Invalid
from appliance.half_upload import Identity, Piece, parse_range
from appliance.intake import ImageWish, KernelWish, Place, Wish
from appliance.reconcile.intake import Arrival, Intake
from appliance.web.api import tasks
from appliance.web.api.body import LARGEST_NUMBER, answer, body, key, storable
from appliance.web.api.shapes import Items
from appliance.web.keys import USER

CHUNK = 1 << 20
Line = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=4000)]
Url = Annotated[str, msgspec.Meta(max_length=2000)]
Size = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_NUMBER)]
Rest = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_NUMBER)]

INTAKE = web.AppKey("intake", Intake)
"""``request.app[INTAKE]``."""


class FileIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which file is to be uploaded piece by piece."""

    file: Line
    """What it is called where it comes from."""
    size: Size
    """Bytes."""
    sha256: Line = ""
    """Of the whole file, hexadecimal: with it, what came is compared at the end. Left out where it is not known."""
    mark: Line = ""
    """Anything that you know your file by besides, such as when it was changed."""
    replace: bool = False
    """Begin it in place of another one that is half uploaded under this name."""


class ImageUploadIn(FileIn, kw_only=True):
    """Which file is to become the image."""

    description: Text = ""
    format: Line = ""
    """`raw`, `raw.zst`, `qcow2`, `tar` or `squashfs`, compared with what it is; told from the content when left out."""


class KernelUploadIn(FileIn, kw_only=True):
    """Which files are to become the kernel: its own bytes, and behind them those of its initrd."""

    version: Line = ""
    cmdline: Text = ""
    initrd_size: Rest = 0
    """How many of the bytes, at the end, are the initrd; 0: there is none."""


class FetchIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which image is to be fetched."""

    name: Line
    url: Url
    """HTTP or HTTPS; not the appliance itself, nor what only it can reach."""
    sha256: Line
    """Of the file there, hexadecimal. What differs from it is not listed."""
    description: Text = ""
    replace: bool = False
    """Begin it in place of another file that is half here under this name."""


class ArrivalOut(msgspec.Struct, kw_only=True):
    """An image, an ISO, a kernel or the modules of one, on their way."""

    kind: str
    """``image``, ``iso``, ``kernel`` or ``modules``."""
    name: str
    """Of the image, ISO or kernel."""
    file: str
    size: int
    """Bytes."""
    sha256: str
    mark: str
    url: str
    """Where it is fetched from; empty where it is uploaded."""
    turn: str
    """Names who may send its pieces; each beginning gives another one. Empty where that is not you."""
    received: int
    """Bytes that are here: the next piece begins at this one."""
    by: str
    begun: float
    """Unix time; it is removed a day after its last byte."""
    task: int | None
    """The task that fetches it, or that looks at it and lists it, now that all is here."""


def _out(of: Arrival, turn: str = "") -> ArrivalOut:
    file = of.half.of
    return ArrivalOut(
        kind=of.place.kind,
        name=of.place.name,
        file=file.name,
        size=file.size,
        sha256=file.sha256,
        mark=file.mark,
        url=of.url,
        turn=turn,
        received=of.received,
        by=of.half.by,
        begun=of.half.begun,
        task=of.task.id if of.task else None,
    )


async def index(request: web.Request) -> web.Response:
    """What is half uploaded, or being fetched."""
    return answer(Items([_out(each) for each in await request.app[INTAKE].standing()]))


async def begun(request: web.Request, wish: Wish, sent: FileIn) -> web.Response:
    """Begin an upload, or go on with it."""
    of = Identity(sent.file, sent.size, sent.sha256, sent.mark)
    found = await request.app[INTAKE].begin(wish, of, request[USER], replace=sent.replace)
    return answer(_out(found, found.half.turn))


async def begin_image(request: web.Request) -> web.Response:
    """Begin to upload an image piece by piece, or go on with it: ``received`` says where, ``turn`` lets you send.

    Who asks last may send: a line that hangs is no obstacle to a new one. Once all is here, ``task`` lists it.
    """
    sent = await body(request, ImageUploadIn)
    return await begun(request, ImageWish(key(request), sent.description, sent.format), sent)


async def begin_kernel(request: web.Request) -> web.Response:
    """Begin to upload a kernel piece by piece, or go on with it, as of an image."""
    sent = await body(request, KernelUploadIn)
    return await begun(request, KernelWish(key(request), sent.version, sent.cmdline, sent.initrd_size), sent)


def piece_of(request: web.Request) -> Piece:
    """Where the body of a request belongs; raises Invalid."""
    piece = parse_range(request.headers.get("Content-Range", ""))
    if request.content_length is not None and request.content_length != piece.length:
        text = f"the piece has {request.content_length} bytes, and Content-Range says {piece.length}"
        raise Invalid("piece-length", text, "let Content-Range say what is sent", "Content-Range")
    return piece


async def taken(request: web.Request, kind: str) -> web.Response:
    """Store the piece that is the body."""
    turn, piece = storable(request.match_info["turn"], "turn"), piece_of(request)
    chunks = request.content.iter_chunked(CHUNK)
    found = await request.app[INTAKE].take(Place(kind, key(request)), turn, piece, chunks, request[USER])
    return answer(_out(found, found.half.turn))


async def take_image(request: web.Request) -> web.Response:
    """Send the next piece of it, of any length; ``Content-Range: bytes FIRST-LAST/SIZE`` says where it belongs.

    What came of a piece that is cut off is kept. After the last one ``task`` looks at it, and lists it.
    """
    return await taken(request, "image")


async def take_kernel(request: web.Request) -> web.Response:
    """Send the next piece of it, as of an image; the initrd comes right behind the kernel."""
    return await taken(request, "kernel")


async def shown(request: web.Request, kind: str) -> web.Response:
    """How far one of a kind is."""
    return answer(_out(await request.app[INTAKE].at(Place(kind, key(request)))))


async def show_image(request: web.Request) -> web.Response:
    """How far the image is that is uploaded piece by piece, or fetched."""
    return await shown(request, "image")


async def show_kernel(request: web.Request) -> web.Response:
    """How far the kernel is that is uploaded piece by piece."""
    return await shown(request, "kernel")


async def forgotten(request: web.Request, kind: str) -> web.Response:
    """Remove one of a kind."""
    await request.app[INTAKE].forget(Place(kind, key(request)), request[USER])
    return web.Response(status=204)


async def forget_image(request: web.Request) -> web.Response:
    """Remove what is half uploaded of an image."""
    return await forgotten(request, "image")


async def forget_kernel(request: web.Request) -> web.Response:
    """Remove what is half uploaded of a kernel."""
    return await forgotten(request, "kernel")


async def fetch(request: web.Request) -> web.Response:
    """Fetch an image; the answer is the task that does it. It is listed once its checksum was found right."""
    sent = await body(request, FetchIn)
    wish = ImageWish(sent.name, sent.description, url=sent.url)
    task = await request.app[INTAKE].fetch(wish, sent.sha256, request[USER], replace=sent.replace)
    return await tasks.shown(request, str(task.id))
