"""Volumes that are made and changed: each a page with one short form. What takes long leads to its task."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from appliance.accounts import Asker
from appliance.catalogue import ROOTS
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.pool import Deed, is_long
from appliance.reconcile.pool_asking import Done
from appliance.reconcile.pool_shown import PoolView, VolumeView
from appliance.reconcile.volume_wishes import Volumes, VolumeWish
from appliance.sizes import parse_size
from appliance.store import catalogue
from appliance.web.console.page import render, see_other, who
from appliance.web.console.pool_words import copying, room_in_words
from appliance.web.console.pools import pool_of, shown
from appliance.web.console.volumes import link_of, volume_of
from appliance.web.console.zone import zone_of
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

Typed = dict[str, str]
FIELDS = ("name", "size", "image")
UNIT = "GiB"
"""What a number alone counts."""
LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Form:
    """One change of a volume."""

    template: str
    begin: Callable[[VolumeView, str], Typed]
    """What its fields begin with; given a word for now."""
    ask: Callable[[Volumes, tuple[str, str], Typed, Asker], Awaitable[Done]]
    """Asks for it; given the pool and the volume."""


def _size(typed: Typed) -> int:
    return parse_size(typed["size"], UNIT, "size")


async def _grow(volumes: Volumes, of: tuple[str, str], typed: Typed, by: Asker) -> Done:
    return await volumes.grow(*of, _size(typed), by)


async def _rename(volumes: Volumes, of: tuple[str, str], typed: Typed, by: Asker) -> Done:
    return await volumes.rename(*of, typed["name"], by)


async def _clone(volumes: Volumes, of: tuple[str, str], typed: Typed, by: Asker) -> Done:
    return await volumes.clone(*of, VolumeWish(typed["name"], _size(typed) if typed["size"] else 0), by)


async def _snapshot(volumes: Volumes, of: tuple[str, str], typed: Typed, by: Asker) -> Done:
    return await volumes.snapshot(*of, VolumeWish(typed["name"]), by)


def _its_size(view: VolumeView, now: str) -> Typed:
    return {"size": room_in_words(view.volume.size)}


def _its_name(view: VolumeView, now: str) -> Typed:
    return {"name": view.volume.name}


def _name_with_time(view: VolumeView, now: str) -> Typed:
    return {"name": f"{view.volume.name[: LONGEST_NAME - len(now) - 1]}-{now}"}


CHANGES: Mapping[str, Form] = {
    "grow": Form("volume_grow.html", _its_size, _grow),
    "rename": Form("volume_rename.html", _its_name, _rename),
    "clone": Form("volume_clone.html", lambda view, now: {}, _clone),
    "snapshot": Form("volume_snapshot.html", _name_with_time, _snapshot),
}


async def ask(request: web.Request) -> web.Response:
    """GET /storage/{pool}/volumes/{volume}/{action}, one of CHANGES."""
    return await _change_page(request, _form(request))


async def act(request: web.Request) -> web.Response:
    """POST /storage/{pool}/volumes/{volume}/{action} with ``name`` or ``size``."""
    form, typed = _form(request), await _typed(request)
    view, volume = await volume_of(request)
    of = (str(view.known.id), volume.volume.id)
    try:
        done = await form.ask(_volumes(request), of, typed, who(request))
    except (Invalid, Conflict) as error:
        return await _change_page(request, form, typed, error)
    return _after(done, shown(view).link)


def _form(request: web.Request) -> Form:
    form = CHANGES.get(request.match_info["action"])
    if form is None:
        raise NotFound("page-unknown", "There is no such page", "go back to the volume")
    return form


async def _change_page(
    request: web.Request, form: Form, typed: Typed | None = None, error: ApplianceError | None = None
) -> web.Response:
    view, volume = await volume_of(request)
    now = datetime.fromtimestamp(request.app[SERVICES].clock(), UTC).astimezone(zone_of(request))
    return render(
        request,
        form.template,
        status=status_of(error) if error else 200,
        errors=_errors(error),
        pool=shown(view),
        view=volume,
        volume=volume.volume,
        link=link_of(view, volume.volume),
        typed=dict.fromkeys(FIELDS, "") | form.begin(volume, f"{now:%Y%m%d-%H%M}") | (typed or {}),
        copying=copying(view.known.kind),
        largest=_largest(view, volume, form),
    )


def _largest(view: PoolView, volume: VolumeView, form: Form) -> str:
    """Of what there is, or, where all of its room is taken at once, of that and what it has."""
    largest = view.found().largest
    grows = form is CHANGES["grow"] and is_long(view.known.kind, Deed.GROW)
    return room_in_words(largest + volume.volume.size if grows else largest)


async def new(request: web.Request) -> web.Response:
    """GET /storage/{pool}/volumes/new"""
    return await _new_page(request, dict.fromkeys(FIELDS, ""))


async def create(request: web.Request) -> web.Response:
    """POST /storage/{pool}/volumes/new with ``name``, ``size`` and ``image``."""
    typed = await _typed(request)
    view = await pool_of(request)
    try:
        done = await _made(request, str(view.known.id), typed)
    except (Invalid, Conflict, NotFound) as error:
        return await _new_page(request, typed, error)
    return _after(done, shown(view).link)


async def _made(request: web.Request, pool: str, typed: Typed) -> Done:
    """Empty, or the golden volume of an image."""
    if not typed["image"]:
        return await _volumes(request).create(pool, VolumeWish(typed["name"], _size(typed)), who(request))
    size = _size(typed) if typed["size"] else 0
    goldens = request.app[SERVICES].storage().goldens
    return await goldens.make(pool, typed["image"], typed["name"], who(request), size)


async def _new_page(request: web.Request, typed: Typed, error: ApplianceError | None = None) -> web.Response:
    view = await pool_of(request)
    images = await request.app[SERVICES].store.read(catalogue.images)
    return render(
        request,
        "volume_new.html",
        images=[each for each in images if each.format in ROOTS],
        status=status_of(error) if error else 200,
        errors=_errors(error),
        pool=shown(view),
        typed=typed,
        zeroed=is_long(view.known.kind, Deed.CREATE),
        largest=room_in_words(view.found().largest),
    )


async def _typed(request: web.Request) -> Typed:
    sent = await fields(request)
    return {name: text(sent, name).strip() for name in FIELDS}


def _errors(error: ApplianceError | None) -> dict[str, ApplianceError]:
    return {} if error is None else {error.field if error.field in FIELDS else "form": error}


def _volumes(request: web.Request) -> Volumes:
    return request.app[SERVICES].storage().volumes


def _after(done: Done, pool: str) -> web.Response:
    """To the task that does it, or, where it is done, to the volume."""
    return see_other(f"/tasks/{done.task.id}" if done.task else f"{pool}/volumes/{done.volume}")
