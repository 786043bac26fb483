"""What a volume loses is said, and agreed to, before it does: deleted, rolled back. And the mark of golden ones."""

from aiohttp import web

from appliance.errors import Conflict, Invalid
from appliance.reconcile.volume_wishes import Volumes
from appliance.web.console.page import see_other, who
from appliance.web.console.pool_acts import act_page
from appliance.web.console.pools import pool_of, shown
from appliance.web.console.volumes import link_of, volume_of
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES


def _volumes(request: web.Request) -> Volumes:
    return request.app[SERVICES].storage().volumes


async def golden(request: web.Request) -> web.Response:
    """POST /storage/{pool}/volumes/{volume}/golden with ``value`` yes or no."""
    value = text(await fields(request), "value")
    if value not in ("yes", "no"):
        raise Invalid("value-invalid", "it is golden, or it is not", field="value")
    view, volume = await volume_of(request)
    await _volumes(request).mark(str(view.known.id), volume.volume.id, who(request), golden=value == "yes")
    return see_other(link_of(view, volume.volume))


async def ask_delete(request: web.Request) -> web.Response:
    """GET /storage/{pool}/volumes/{volume}/delete; also where it is gone, and only to be forgotten."""
    return await _delete_page(request)


async def delete(request: web.Request) -> web.Response:
    """POST /storage/{pool}/volumes/{volume}/delete with its name typed."""
    view, key = await pool_of(request), request.match_info["volume"]
    confirm = text(await fields(request), "confirm").strip()
    try:
        done = await _volumes(request).delete(str(view.known.id), key, confirm, who(request))
    except Conflict as error:
        return await _delete_page(request, error)
    return see_other(f"/tasks/{done.task.id}" if done.task else shown(view).link)


async def _delete_page(request: web.Request, error: Conflict | None = None) -> web.Response:
    view, key = await pool_of(request), request.match_info["volume"]
    foreseen = await _volumes(request).delete_consequences(str(view.known.id), key)
    pool = shown(view)
    there = view.seen is not None and any(each.id == key for each in view.seen.volumes)
    name = foreseen.confirm or (view.volume(key).volume.name if there else key)
    word = "Delete" if there else "Forget"
    back = f"{pool.link}/volumes/{key}" if there else pool.link
    return act_page(request, f"{word} {name}", f"{word} {name}", foreseen, back, error)


async def ask_roll_back(request: web.Request) -> web.Response:
    """GET /storage/{pool}/volumes/{volume}/roll-back/{snapshot}"""
    return await _roll_back_page(request)


async def roll_back(request: web.Request) -> web.Response:
    """POST /storage/{pool}/volumes/{volume}/roll-back/{snapshot} with the volume's name typed."""
    view, volume = await volume_of(request)
    confirm = text(await fields(request), "confirm").strip()
    snapshot = request.match_info["snapshot"]
    try:
        of = (str(view.known.id), volume.volume.id, snapshot)
        done = await _volumes(request).roll_back(*of, confirm, who(request))
    except Conflict as error:
        return await _roll_back_page(request, error)
    return see_other(f"/tasks/{done.task.id}" if done.task else link_of(view, volume.volume))


async def _roll_back_page(request: web.Request, error: Conflict | None = None) -> web.Response:
    view, volume = await volume_of(request)
    snapshot = view.volume(request.match_info["snapshot"]).volume
    of = (str(view.known.id), volume.volume.id, snapshot.id)
    foreseen = await _volumes(request).roll_back_consequences(*of)
    title, button = f"Roll {volume.volume.name} back", f"Roll back to {snapshot.name}"
    return act_page(request, title, button, foreseen, link_of(view, volume.volume), error)
