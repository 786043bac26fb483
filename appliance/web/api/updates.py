"""Updates of the appliance for programs: bring one, install it, restart into it, go back."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance import __version__
from appliance.half_upload import Identity
from appliance.reconcile.incoming_update import Progress, Waiting
from appliance.reconcile.update_standing import Standing
from appliance.reconcile.update_uploads import missing
from appliance.reconcile.updates import Updates
from appliance.updates.bundle import older
from appliance.updates.news import told
from appliance.updates.record import Stage, Update
from appliance.updates.slots import Slot
from appliance.web.api import tasks
from appliance.web.api.body import answer, body, storable
from appliance.web.api.uploads import piece_of
from appliance.web.keys import USER

CHUNK = 1 << 20
Line = Annotated[str, msgspec.Meta(max_length=200)]
Url = Annotated[str, msgspec.Meta(max_length=2000)]

UPDATES = web.AppKey("updates", Updates)
"""``request.app[UPDATES]``."""


class SlotOut(msgspec.Struct):
    """One of the two places that hold a system."""

    letter: str
    """``A`` or ``B``."""
    version: str
    """Empty where it is not known."""
    running: bool
    next: bool
    """Whether the next restart starts it."""
    good: bool
    """False: it holds nothing that could be started."""
    installed: str
    """When, ISO 8601; empty: with the flashed image."""


class TryOut(msgspec.Struct):
    """One start of a new version that was not good."""

    at: float
    reasons: list[str]


class UpdateOut(msgspec.Struct):
    """One update, as far as it came."""

    slot: str
    version: str
    from_version: str
    begun: float
    """Unix time."""
    ended: float | None
    """When it was decided; null while it is not."""
    stage: Stage
    text: str
    """The same in words."""
    reason: str
    """Why it is not good; empty where it is, or where that is not known yet."""
    tries: list[TryOut]


class BundleOut(msgspec.Struct):
    """An update that was brought, with a good signature."""

    version: str
    build: str
    description: str
    size: int
    """Bytes."""
    received: float
    """Unix time."""
    older: bool
    """Whether it is older than what runs; then it takes a confirmation."""


class UploadIn(msgspec.Struct, forbid_unknown_fields=True):
    """Which file is to be uploaded piece by piece."""

    name: Line
    size: int
    """Bytes."""
    sha256: Line = ""
    """Of the whole file, hexadecimal: with it, what came is compared at the end. Left out where it is not known."""
    mark: Line = ""
    """Anything that you know your file by besides, such as when it was changed."""
    replace: bool = False
    """Begin it in place of another one that is half uploaded."""


class UploadOut(msgspec.Struct):
    """An update that is uploaded piece by piece."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    mark: str
    turn: str
    """Names who may send its pieces; each beginning gives another one. Empty: all is here."""
    received: int
    """Bytes that are here: the next piece begins at this one."""
    by: str
    begun: float
    """Unix time; it is removed a day after its last byte."""
    bundle: BundleOut | None
    """What it is, once all is here and its signature was found good."""


class UpdateStateOut(msgspec.Struct):
    """Slots, what waits to be installed, and what became of updates."""

    here: bool
    """False: this computer is no flashed appliance, and is not updated from here."""
    version: str
    """The one that runs."""
    slots: list[SlotOut]
    restart: bool
    """Whether a restart starts another slot than the one that runs."""
    on_trial: bool
    """Whether what runs was not judged yet; until it is, no update is fetched or installed."""
    bundle: BundleOut | None
    upload: UploadOut | None
    """The update that is half uploaded."""
    task: int | None
    """The task that brings or installs an update at the moment."""
    updates: list[UpdateOut]
    """Newest first."""
    trouble: str
    """Why the slots are not known; empty where they are."""


class DownloadIn(msgspec.Struct, forbid_unknown_fields=True):
    """Where the update is."""

    url: Url
    """HTTP or HTTPS; not the appliance itself."""


class InstallIn(msgspec.Struct, forbid_unknown_fields=True):
    """What to install."""

    version: Line
    """As ``bundle`` says it: what was agreed to."""
    confirm: Line | None = None
    """The version once more, where it is older than what runs."""


class BackIn(msgspec.Struct, forbid_unknown_fields=True):
    """Which slot to start next."""

    slot: Line
    confirm: Line | None = None
    """``slot A``: what only the present version can read is put aside."""


async def show(request: web.Request) -> web.Response:
    """Slots, what waits to be installed, and what became of updates."""
    return answer(_out(await request.app[UPDATES].standing()))


def _out(of: Standing) -> UpdateStateOut:
    return UpdateStateOut(
        here=of.here,
        version=__version__,
        slots=[_slot(each) for each in of.slots],
        restart=of.restart,
        on_trial=of.on_trial is not None,
        bundle=_bundle(of.waiting, of.older) if of.waiting else None,
        upload=_progress(of.half) if of.half else None,
        task=of.task.id if of.task else None,
        updates=[_update(each) for each in reversed(of.record.updates)],
        trouble=of.trouble,
    )


def _slot(of: Slot) -> SlotOut:
    return SlotOut(of.letter, __version__ if of.booted else of.version, of.booted, of.first, of.good, of.installed)


def _bundle(of: Waiting, is_older: bool) -> BundleOut:
    about = of.bundle
    return BundleOut(about.version, about.build, about.description, of.size, of.received, is_older)


def _progress(of: Progress) -> UploadOut:
    half, file, waits = of.half, of.half.of, of.waiting
    bundle = _bundle(waits, older(waits.bundle.version, __version__)) if waits else None
    return UploadOut(file.name, file.size, file.sha256, file.mark, half.turn, of.received, half.by, half.begun, bundle)


def _update(of: Update) -> UpdateOut:
    return UpdateOut(
        slot=of.slot,
        version=of.version,
        from_version=of.from_version,
        begun=of.begun,
        ended=of.ended,
        stage=of.stage,
        text=told(of),
        reason=of.reason,
        tries=[TryOut(each.at, list(each.reasons)) for each in of.tries],
    )


async def upload(request: web.Request) -> web.Response:
    """Bring a signed update; nothing changes until it is installed."""
    chunks, size = request.content.iter_chunked(CHUNK), request.content_length or 0
    await request.app[UPDATES].receive(chunks, size, request[USER])
    standing = await request.app[UPDATES].standing()
    assert standing.waiting is not None
    return answer(_bundle(standing.waiting, standing.older), 201)


async def show_upload(request: web.Request) -> web.Response:
    """How far the update is that is uploaded piece by piece."""
    found = await request.app[UPDATES].uploads.standing()
    if found is None:
        raise missing()
    return answer(_progress(found))


async def begin_upload(request: web.Request) -> web.Response:
    """Begin to upload an update piece by piece, or go on with it: ``received`` says where, ``turn`` lets you send.

    Who asks last may send: a line that hangs is no obstacle to a new one. A file that is here as a whole is looked at.
    """
    sent = await body(request, UploadIn)
    of = Identity(sent.name, sent.size, sent.sha256, sent.mark)
    return answer(_progress(await request.app[UPDATES].uploads.begin(of, request[USER], replace=sent.replace)))


async def take_piece(request: web.Request) -> web.Response:
    """Send the next piece of it, of any length; ``Content-Range: bytes FIRST-LAST/SIZE`` says where it belongs.

    What came of a piece that is cut off is kept. After the last one the signature is looked at, and ``bundle`` says
    what it is.
    """
    piece, chunks = piece_of(request), request.content.iter_chunked(CHUNK)
    turn = storable(request.match_info["turn"], "turn")
    return answer(_progress(await request.app[UPDATES].uploads.take(turn, piece, chunks, request[USER])))


async def forget_upload(request: web.Request) -> web.Response:
    """Remove what is half uploaded."""
    await request.app[UPDATES].uploads.forget(request[USER])
    return web.Response(status=204)


async def discard(request: web.Request) -> web.Response:
    """Remove the update that was brought."""
    await request.app[UPDATES].discard(request[USER])
    return web.Response(status=204)


async def download(request: web.Request) -> web.Response:
    """Fetch a signed update; the answer is the task that does it."""
    sent = await body(request, DownloadIn)
    task = await request.app[UPDATES].download(sent.url, request[USER])
    return await tasks.shown(request, str(task.id))


async def install(request: web.Request) -> web.Response:
    """Write the update to the slot that does not run; the answer is the task that does it. Nothing restarts."""
    sent = await body(request, InstallIn)
    task = await request.app[UPDATES].install(sent.version, sent.confirm, request[USER])
    return await tasks.shown(request, str(task.id))


async def restart(request: web.Request) -> web.Response:
    """Restart the appliance, into the slot that is started next."""
    await request.app[UPDATES].restart(request[USER])
    return web.Response(status=204)


async def back(request: web.Request) -> web.Response:
    """Have the other slot started next, with the store that it can read. Nothing restarts."""
    sent = await body(request, BackIn)
    await request.app[UPDATES].go_back(sent.slot, sent.confirm, request[USER])
    return web.Response(status=204)
