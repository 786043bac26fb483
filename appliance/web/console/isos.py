"""ISOs: list, one, bring, change, delete."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.intake import IsoWish
from appliance.iso import Iso
from appliance.machine import check_name
from appliance.reconcile.isos import Isos
from appliance.store import isos
from appliance.web.api.uploads import INTAKE
from appliance.web.console.arriving import arriving, stopped
from appliance.web.console.confirm import confirm_page, confirmed
from appliance.web.console.listing import listed, parse_query
from appliance.web.console.page import render, see_other, who
from appliance.web.console.uploads import CHUNK, Upload, receive
from appliance.web.forms import chunks, fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

COLUMNS: Mapping[str, Callable[[Iso], Any]] = {
    "name": lambda iso: iso.name,
    "size": lambda iso: iso.size,
    "created": lambda iso: -iso.created,
}


def _isos(request: web.Request) -> Isos:
    return request.app[INTAKE].isos


async def _iso(request: web.Request) -> Iso:
    key = request.match_info["key"]
    return await request.app[SERVICES].store.read(lambda db: isos.get(db, key))


async def index(request: web.Request) -> web.Response:
    """GET /isos"""
    query = parse_query("/isos", request.query, ("q",), tuple(COLUMNS))
    words = query.filters.get("q", "").lower().split()
    everything = await request.app[SERVICES].store.read(isos.every)

    def fits(iso: Iso) -> bool:
        known = f"{iso.name} {iso.description} {iso.label}".lower()
        return all(word in known for word in words)

    found, arrivals = listed(everything, query, fits, COLUMNS), await arriving(request, "iso")
    return render(request, "isos.html", listed=found, lacks=_isos(request).lacks, arrivals=arrivals)


async def show(request: web.Request) -> web.Response:
    """GET /isos/{key}"""
    iso = await _iso(request)
    used, trouble = await _used(request, iso)
    known = _isos(request)
    return render(
        request, "iso.html", iso=iso, used=used, trouble=trouble, lacks=known.lacks(iso), file=str(known.path(iso))
    )


async def _used(request: web.Request, iso: Iso) -> tuple[list[str], str]:
    """The VMs that have it in a drive; why they cannot be told, where that is so."""
    known = _isos(request)
    try:
        return list(await known.in_drives(known.path(iso))), ""
    except ApplianceError as error:
        return [], error.message


async def form(request: web.Request) -> web.Response:
    """GET /isos/new"""
    return render(request, "iso_new.html", typed={}, error=None)


async def upload(request: web.Request) -> web.Response:
    """POST /isos/new, multipart: the text fields, then the file, which goes to disk as it comes."""
    received = Upload()
    try:
        await receive(request, received, "file")
        iso = await _store(request, received)
    except (Invalid, Conflict) as error:
        return render(request, "iso_new.html", status=422, typed=received.fields, error=error)
    return see_other(f"/isos/{iso.id}")


async def _store(request: web.Request, received: Upload) -> Iso:
    if received.file is None:
        raise Invalid("file-missing", "Choose the file to upload", field="file")
    name, known = check_name(received.text("name")), _isos(request)
    await known.check_free(name)
    content, expected = chunks(received.file, CHUNK), request.content_length or 0
    return await known.add(name, received.text("description"), content, who(request), expected)


async def fetch_form(request: web.Request) -> web.Response:
    """GET /isos/fetch/new"""
    return render(request, "iso_fetch.html", typed={}, error=None)


async def fetch(request: web.Request) -> web.Response:
    """POST /isos/fetch/new with ``url``, ``sha256``, ``name`` and ``description``."""
    sent = await fields(request)
    typed = {name: text(sent, name).strip() for name in ("url", "sha256", "name", "description")}
    wish = IsoWish(typed["name"], typed["description"], typed["url"])
    try:
        task = await request.app[INTAKE].fetch(wish, typed["sha256"], who(request), replace=False)
    except (Invalid, Conflict) as error:
        return render(request, "iso_fetch.html", status=status_of(error), typed=typed, error=error)
    return see_other(f"/tasks/{task.id}")


async def stop_upload(request: web.Request) -> web.Response:
    """POST /isos/uploads/{key}/stop: remove what is half here; nothing there is no error."""
    return await stopped(request, "iso")


async def edit(request: web.Request) -> web.Response:
    """GET /isos/{key}/edit"""
    iso = await _iso(request)
    return _edit_page(request, iso, iso.name, iso.description)


def _edit_page(
    request: web.Request, iso: Iso, name: str, description: str, error: ApplianceError | None = None
) -> web.Response:
    errors = {error.field or "form": error} if error else {}
    shows: dict[str, Any] = {"name": name, "description": description, "errors": errors}
    return render(request, "iso_edit.html", status=422 if error else 200, iso=iso, **shows)


async def save(request: web.Request) -> web.Response:
    """POST /isos/{key}/edit"""
    sent = await fields(request)
    name, description = text(sent, "name").strip(), text(sent, "description").strip()
    iso = await _iso(request)
    try:
        await _isos(request).change(str(iso.id), name, description, who(request))
    except (Invalid, Conflict) as error:
        return _edit_page(request, iso, name, description, error)
    return see_other(f"/isos/{iso.id}")


async def ask_delete(request: web.Request) -> web.Response:
    """GET /isos/{key}/delete"""
    return await _delete_page(request, await _iso(request))


async def delete(request: web.Request) -> web.Response:
    """POST /isos/{key}/delete with its name typed."""
    iso = await _iso(request)
    if wrong := await confirmed(request, iso.name):
        return await _delete_page(request, iso, wrong)
    await _isos(request).delete(str(iso.id), who(request))
    return see_other("/isos")


async def _delete_page(request: web.Request, iso: Iso, wrong: ApplianceError | None = None) -> web.Response:
    foreseen = await _isos(request).deletion(str(iso.id))
    return confirm_page(
        request,
        title=f"Delete {iso.name}",
        texts=foreseen.texts,
        confirm=iso.name,
        button=f"Delete {iso.name}",
        back=f"/isos/{iso.id}",
        refused=foreseen.refused,
        wrong=wrong,
    )
