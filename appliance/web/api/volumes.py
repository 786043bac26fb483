"""Volumes for programs. What works with them is imported once somebody asks for one."""

from typing import TYPE_CHECKING, Any, Literal

from aiohttp import web

from appliance.errors import Invalid
from appliance.store.listing import Condition, Filter, Listing, Sort
from appliance.web.api import listing, outward, tasks
from appliance.web.api import pool_shapes as shapes
from appliance.web.api.body import answer, body, key, storable
from appliance.web.api.query import Param, Word, given
from appliance.web.keys import SERVICES, USER

if TYPE_CHECKING:
    from appliance.reconcile.pool_asking import Done
    from appliance.reconcile.volume_wishes import Volumes

LARGEST = 10_000
"""Volumes of a page at most: each page asks LVM anew, which takes longer than all else."""


def _asked_of_pools(_value: object, _now: float) -> tuple[Condition, ...]:
    """No SQL."""
    return ()


# Declared as other lists are, for its parameters; pools are asked what they have, and no SQL is made of this.
VOLUMES = Listing(
    table="volumes",
    columns="",
    id="",
    default="name",
    sorts={each: Sort(each) for each in ("name", "pool", "size", "used", "created")},
    filters={
        "q": Filter(Word, _asked_of_pools, "words in the name, or the beginning of the id"),
        "pool": Filter(Word, _asked_of_pools, "name or number of a pool; those of all pools when left out"),
        "use": Filter(list[shapes.Use], _asked_of_pools, "what it is for"),
        "golden": Filter(bool, _asked_of_pools, "true: only golden ones; false: only others"),
        "read_only": Filter(bool, _asked_of_pools, "true: only what nobody writes, snapshots among them"),
        "in_use": Filter(bool, _asked_of_pools, "true: only those that somebody has open"),
        "trouble": Filter(bool, _asked_of_pools, "true: only those that cannot be used"),
        "origin": Filter(Word, _asked_of_pools, "id of the volume that they were made from"),
    },
    largest=LARGEST,
)
QUERY = listing.params(VOLUMES)
CONFIRM_QUERY = (Param("confirm", Word, "the name of the volume"),)
CONSEQUENCES_QUERY = (
    Param("action", Literal["delete", "roll-back"], "what would be done", needed=True),
    Param("snapshot", Word, "`roll-back`: id or name of one of its snapshots"),
)


async def index(request: web.Request) -> web.Response:
    """Volumes of all pools, or of one; a pool that cannot be looked at has none."""
    from appliance.reconcile.volume_page import Wanted, volume_page
    from appliance.web.api.pool_answers import volume

    asked, views = listing.asked(request, VOLUMES), request.app[SERVICES].storage().views
    filters: dict[str, Any] = {**asked.filters, "use": tuple(asked.filters.get("use", ()))}
    pool = filters.pop("pool", None)
    pools = await views.pools() if pool is None else [await views.pool(pool)]
    found = volume_page(pools, Wanted(**filters), asked.sort or VOLUMES.default, asked.limit, asked.cursor)
    return answer(listing.Page([volume(row.pool, row.view) for row in found.items], found.next, found.total))


async def show(request: web.Request) -> web.Response:
    """One volume."""
    return await _shown(request, _volume(request))


async def create(request: web.Request) -> web.Response:
    """Make an empty volume, or the golden volume of an image."""
    from appliance.reconcile.volume_wishes import VolumeWish

    asked = await body(request, shapes.VolumeIn)
    if asked.image:
        goldens, image = request.app[SERVICES].storage().goldens, storable(asked.image, "image")
        return await _done(request, await goldens.make(key(request), image, asked.name, request[USER], asked.size), 201)
    wish = VolumeWish(asked.name, asked.size, asked.read_only, asked.golden)
    return await _done(request, await _wishes(request).create(key(request), wish, request[USER]), 201)


async def snapshot(request: web.Request) -> web.Response:
    """Keep what a volume holds now, read-only; the volume can be rolled back to it."""
    from appliance.reconcile.volume_wishes import VolumeWish

    asked = await body(request, shapes.SnapshotIn)
    made = await _wishes(request).snapshot(key(request), _volume(request), VolumeWish(asked.name), request[USER])
    return await _done(request, made, 201)


async def clone(request: web.Request) -> web.Response:
    """Make a volume of its own that holds what this one holds now."""
    from appliance.reconcile.volume_wishes import VolumeWish

    asked = await body(request, shapes.CloneIn)
    wish = VolumeWish(asked.name, asked.size, asked.read_only, asked.golden)
    return await _done(request, await _wishes(request).clone(key(request), _volume(request), wish, request[USER]), 201)


async def grow(request: web.Request) -> web.Response:
    """Make a volume larger, also while it is in use; what is behind its former end reads as zeros."""
    asked = await body(request, shapes.GrowIn)
    return await _done(request, await _wishes(request).grow(key(request), _volume(request), asked.size, request[USER]))


async def roll_back(request: web.Request) -> web.Response:
    """Give a volume the content of its snapshot again; at every instant it is whole."""
    asked = await body(request, shapes.RollBackIn)
    done = await _wishes(request).roll_back(
        key(request), _volume(request), asked.snapshot, asked.confirm, request[USER]
    )
    return await _done(request, done)


async def change(request: web.Request) -> web.Response:
    """Rename a volume, or say that it is golden, or no longer."""
    asked, wishes, which = await body(request, shapes.VolumeChangeIn), _wishes(request), _volume(request)
    if asked.name is not None:
        which = str((await wishes.rename(key(request), which, asked.name, request[USER])).volume)
    if asked.golden is not None:
        await wishes.mark(key(request), which, request[USER], golden=asked.golden)
    return await _shown(request, which)


async def delete(request: web.Request) -> web.Response:
    """Delete a volume; what was made from it stays whole. One that is not in its pool any more is forgotten."""
    confirm = given(request, CONFIRM_QUERY).get("confirm")
    await _wishes(request).delete(key(request), _volume(request), confirm, request[USER])
    return web.Response(status=204)


async def consequences(request: web.Request) -> web.Response:
    """What it would mean to delete a volume, or to roll it back."""
    asked, which = given(request, CONSEQUENCES_QUERY), _volume(request)
    if asked["action"] == "delete":
        return answer(outward.consequences(await _wishes(request).delete_consequences(key(request), which)))
    if "snapshot" not in asked:
        raise Invalid("query-missing", "the address lacks snapshot=", "add ?snapshot=...", "snapshot")
    foreseen = await _wishes(request).roll_back_consequences(key(request), which, asked["snapshot"])
    return answer(outward.consequences(foreseen))


def _wishes(request: web.Request) -> "Volumes":
    return request.app[SERVICES].storage().volumes


def _volume(request: web.Request) -> str:
    return storable(request.match_info["volume"], "volume")


async def _shown(request: web.Request, which: str) -> web.Response:
    from appliance.web.api.pool_answers import volume

    view = await request.app[SERVICES].storage().views.pool(key(request))
    return answer(volume(view, view.volume(which)))


async def _done(request: web.Request, done: "Done", status: int = 200) -> web.Response:
    """``status`` where it is done, and 202 with the task where that does it."""
    task = await tasks.detail(request, str(done.task.id)) if done.task else None
    made = answer(shapes.VolumeDoneOut(done.pool, str(done.volume), task), 202 if task else status)
    if task:
        made.headers["Location"] = f"/api/v1/tasks/{task.id}"
    return made
