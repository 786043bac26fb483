"""Backups of the state for programs: one is made and sent, one is uploaded and brought back."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
from aiohttp import web

from appliance.decoding import decoded
from appliance.web.api.body import answer, body
from appliance.web.backups import BACKUPS, Standing, Uploaded
from appliance.web.keys import USER

CHUNK = 1 << 20
Passphrase = Annotated[str, msgspec.Meta(max_length=1000)]


class BackupIn(msgspec.Struct, forbid_unknown_fields=True):
    """How to make a backup."""

    passphrase: Passphrase
    """It is encrypted with it; ten characters at least. Nobody can open the backup without it."""


class RestoreIn(msgspec.Struct, forbid_unknown_fields=True):
    """How to open the backup that was uploaded."""

    passphrase: Passphrase = ""
    """What it was made with; empty for one that is not encrypted."""


class UploadedOut(msgspec.Struct):
    """A backup that waits for a decision: what everybody may read of it."""

    host: str
    """The appliance that it is of."""
    created: float
    """Unix time."""
    version: str
    """Of the program that made it."""
    authority: str
    """SHA-256 of the certificate authority in it."""
    encrypted: bool
    size: int
    """Bytes."""


class OldStateOut(msgspec.Struct):
    """A state that a restore took the place of."""

    name: str
    size: int
    """Bytes that would be free without it."""


class BackupsOut(msgspec.Struct):
    """What is to be decided."""

    uploaded: UploadedOut | None
    """The backup that was uploaded and not restored yet."""
    old_states: list[OldStateOut]
    """Newest first."""
    configuration: str | None
    """The configuration file of the backup that was restored last, until somebody decides about it."""
    network: dict[str, Any] | None
    """The networks of that appliance, as ``PUT /appliance/network`` takes them; other hardware has other NICs."""


class RestoredOut(msgspec.Struct):
    """The daemon begins anew on the restored state at once; everybody has to log in again."""

    missing: list[str]
    """Images and kernels whose content is not here: upload the same files again."""


async def show(request: web.Request) -> web.Response:
    """What was uploaded, and what restores have left."""
    return answer(_out(await request.app[BACKUPS].standing()))


def _out(of: Standing) -> BackupsOut:
    old = [OldStateOut(each.name, each.size) for each in of.old]
    network = decoded(of.network, dict[str, Any]) if of.network else None
    return BackupsOut(uploaded_out(of.uploaded) if of.uploaded else None, old, of.configuration, network)


def uploaded_out(of: Uploaded) -> UploadedOut:
    """A backup that was uploaded."""
    return UploadedOut(
        host=of.header.host,
        created=of.header.created,
        version=of.header.product,
        authority=of.header.authority,
        encrypted=of.encrypted,
        size=of.size,
    )


async def make(request: web.Request) -> web.StreamResponse:
    """Make a backup of configuration, store and keys, and send it; images and kernels are not in it."""
    sent = await body(request, BackupIn)
    return await send(request, await request.app[BACKUPS].make(sent.passphrase, request[USER]))


async def send(request: web.Request, path: Path) -> web.StreamResponse:
    """Send a backup, and remove its file whatever becomes of that."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    name = f"{socket.gethostname()}-{moment}.qrmstate"
    try:
        file = await asyncio.to_thread(path.open, "rb")
    finally:
        await asyncio.to_thread(path.unlink)
    with file:
        response = web.StreamResponse(
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        )
        response.content_type = "application/octet-stream"
        response.content_length = await asyncio.to_thread(file.seek, 0, 2)
        await asyncio.to_thread(file.seek, 0)
        await response.prepare(request)
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            await response.write(chunk)
        await response.write_eof()
        return response


async def upload(request: web.Request) -> web.Response:
    """Bring a backup here; nothing changes until it is restored."""
    chunks, size = request.content.iter_chunked(CHUNK), request.content_length or 0
    return answer(uploaded_out(await request.app[BACKUPS].receive(chunks, size, request[USER])), 201)


async def forget(request: web.Request) -> web.Response:
    """Remove the backup that was uploaded."""
    await request.app[BACKUPS].forget(request[USER])
    return web.Response(status=204)


async def restore(request: web.Request) -> web.Response:
    """Bring the state of the uploaded backup back, and begin anew on it; the present state is kept aside."""
    sent = await body(request, RestoreIn)
    return answer(RestoredOut(await request.app[BACKUPS].restore(sent.passphrase, request[USER])), 200)


async def use_configuration(request: web.Request) -> web.Response:
    """Put the configuration file of the restored backup in force; the daemon starts anew with it."""
    await request.app[BACKUPS].use_configuration(request[USER])
    return web.Response(status=204)


async def dismiss(request: web.Request) -> web.Response:
    """Leave the configuration as it is, and forget the one of the backup."""
    await request.app[BACKUPS].dismiss_configuration(request[USER])
    return web.Response(status=204)


async def remove_old(request: web.Request) -> web.Response:
    """Remove a state that a restore took the place of, for good."""
    await request.app[BACKUPS].remove_old(request.match_info["name"], request[USER])
    return web.Response(status=204)
