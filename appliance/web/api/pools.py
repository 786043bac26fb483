"""Pools for programs, and what they are made of. What works with pools is imported once somebody asks for one."""

from typing import Literal

from aiohttp import web

from appliance.errors import Conflict, NotFound
from appliance.store import tasks as stored_tasks
from appliance.task import TaskId
from appliance.web.api import outward, tasks
from appliance.web.api import pool_shapes as shapes
from appliance.web.api.body import answer, body, key, storable
from appliance.web.api.query import Param, Position, given
from appliance.web.api.shapes import Items
from appliance.web.keys import SERVICES, USER

CONSEQUENCES_QUERY = (
    Param("action", Literal["retire", "repair"], "what would be done", needed=True),
    Param("check", Position, "`repair`: the task that has checked the pool, which knows what a repair would do"),
)


async def index(request: web.Request) -> web.Response:
    """Pools as they are now, by name."""
    from appliance.web.api.pool_answers import pool

    return answer(Items([pool(each) for each in await request.app[SERVICES].storage().views.pools()]))


async def show(request: web.Request) -> web.Response:
    """One pool."""
    from appliance.web.api.pool_answers import pool

    return answer(pool(await request.app[SERVICES].storage().views.pool(key(request))))


async def make(request: web.Request) -> web.Response:
    """Make a pool of disks and partitions, or of a directory."""
    from appliance.reconcile.pool_wishes import PoolWish
    from appliance.volume import PoolKind
    from appliance.web.api.pool_answers import parts

    asked = await body(request, shapes.PoolIn)
    wish = PoolWish(asked.name, PoolKind(asked.kind), asked.place, parts(asked.disks))
    task = await request.app[SERVICES].storage().pools.make(wish, asked.confirm, request[USER])
    return await tasks.shown(request, str(task.id))


async def extend(request: web.Request) -> web.Response:
    """Give a pool one more disk or partition."""
    from appliance.web.api.pool_answers import parts

    asked = await body(request, shapes.ExtendIn)
    (part,) = parts([asked.disk])
    task = await request.app[SERVICES].storage().pools.extend(key(request), part, asked.confirm, request[USER])
    return await tasks.shown(request, str(task.id))


async def retire(request: web.Request) -> web.Response:
    """Give the disks of an empty pool back; forget one that cannot be looked at any more."""
    asked = await body(request, shapes.ConfirmIn)
    task = await request.app[SERVICES].storage().pools.retire(key(request), asked.confirm, request[USER])
    return await tasks.shown(request, str(task.id))


async def examine(request: web.Request) -> web.Response:
    """Check what a thin pool notes of which block is whose; its volumes are taken away for so long.

    The task's result has ``sound``, what was ``said``, and the ``steps`` of a repair.
    """
    await body(request, shapes.NothingIn)
    task = await request.app[SERVICES].storage().pools.examine(key(request), request[USER])
    return await tasks.shown(request, str(task.id))


async def repair(request: web.Request) -> web.Response:
    """Write what a thin pool notes of which block is whose anew; confirmed by the name of its volume group."""
    asked = await body(request, shapes.ConfirmIn)
    task = await request.app[SERVICES].storage().pools.repair(key(request), asked.confirm, request[USER])
    return await tasks.shown(request, str(task.id))


async def consequences(request: web.Request) -> web.Response:
    """What it would mean to retire a pool, or to repair it."""
    asked, wishes = given(request, CONSEQUENCES_QUERY), request.app[SERVICES].storage().pools
    if asked["action"] == "retire":
        return answer(outward.consequences(await wishes.retire_consequences(key(request))))
    steps = await _steps(request, asked["check"]) if "check" in asked else ()
    return answer(outward.consequences(await wishes.repair_consequences(key(request), steps)))


async def _steps(request: web.Request, number: int) -> tuple[str, ...]:
    """What a repair of this pool would do, as the task of its check has found."""
    services = request.app[SERVICES]
    pool = (await services.storage().views.pool(key(request))).known
    found = await services.store.read(lambda db: stored_tasks.find(db, TaskId(number)))
    if found is None or found.kind != "pool.examine" or found.arguments.get("pool") != pool.id:
        raise NotFound("task-unknown", f"task {number} has not checked {pool.name}", "check the pool first", "check")
    if "steps" not in found.result:
        raise Conflict("check-unfinished", f"task {number} has found nothing: {found.status}", "check it anew", "check")
    return tuple(found.result["steps"])


# -- what pools are made of


async def disks(request: web.Request) -> web.Response:
    """Disks and partitions of a flashed appliance, what is on them, and why some cannot be chosen."""
    from appliance.web.api.pool_answers import disk

    return answer(Items([disk(each) for each in await request.app[SERVICES].storage().offer.disks()]))


async def disks_consequences(request: web.Request) -> web.Response:
    """What it would mean to make or extend a pool with disks that hold what is said of them."""
    from appliance.web.api.pool_answers import parts

    asked = await body(request, shapes.PartsIn)
    foreseen = request.app[SERVICES].storage().pools.parts_consequences(parts(asked.disks))
    return answer(outward.consequences(foreseen))


async def groups(request: web.Request) -> web.Response:
    """Volume groups that are no pools here."""
    from appliance.web.api.pool_answers import group

    return answer(Items([group(each) for each in await request.app[SERVICES].storage().views.groups()]))


async def adopt(request: web.Request) -> web.Response:
    """Make a pool of a volume group."""
    asked, group = await body(request, shapes.AdoptIn), _group(request)
    wishes = request.app[SERVICES].storage().pools
    task = await wishes.adopt(group, asked.name, asked.confirm, request[USER], thin=asked.thin)
    return await tasks.shown(request, str(task.id))


async def adopt_consequences(request: web.Request) -> web.Response:
    """What it would mean to make a pool of a volume group."""
    foreseen = await request.app[SERVICES].storage().pools.adopt_consequences(_group(request))
    return answer(outward.consequences(foreseen))


def _group(request: web.Request) -> str:
    return storable(request.match_info["group"], "group")
