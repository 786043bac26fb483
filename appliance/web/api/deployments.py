"""Deployments for programs."""

from aiohttp import web

from appliance.cloud_init import NETWORK_CONFIG, USER_DATA
from appliance.deployment import Deployment, Requirements
from appliance.errors import Invalid
from appliance.reconcile.consequences import Action
from appliance.reconcile.views import deployment_view, deployments_page
from appliance.reconcile.wishes import NewDeployment
from appliance.store.deployment_list import LISTING
from appliance.web.api import listing, outward, shapes, tasks
from appliance.web.api.body import answer, body, key, text
from appliance.web.api.query import Param
from appliance.web.keys import SERVICES, USER

QUERY = listing.params(LISTING)
CONSEQUENCES_QUERY = (Param("action", Action, "what would be done", needed=True),)


async def index(request: web.Request) -> web.Response:
    """Deployments."""
    services, wanted = request.app[SERVICES], listing.asked(request, LISTING)
    found, views = await deployments_page(services.store, wanted)
    return answer(listing.page(found, [outward.deployment(view, services.domain, wanted.now) for view in views]))


async def show(request: web.Request) -> web.Response:
    """One deployment."""
    return await _shown(request, key(request), 200)


async def create(request: web.Request) -> web.Response:
    """Make a deployment; nothing is touched before it is started."""
    given = await body(request, shapes.DeploymentIn)
    asked = given.requirements or shapes.RequirementsIn()
    new = NewDeployment(
        name=given.name,
        image=str(given.image),
        delivery=given.delivery,
        machine=given.machine,
        disk=given.disk,
        requirements=Requirements(asked.cpus, asked.memory_bytes, asked.disk_bytes, asked.firmware, tuple(asked.tags)),
        ssh_keys=tuple(given.ssh_keys),
        wipe_on_release=given.wipe_on_release,
        wipe_method=given.wipe_method,
        pool=given.pool,
        root_size=given.root_size,
        kernel=given.kernel,
        seed=request.app[SERVICES].seeds.sealed({USER_DATA: given.user_data, NETWORK_CONFIG: given.network_config}),
    )
    made = await request.app[SERVICES].wishes.create_deployment(new, request[USER])
    return await _shown(request, _id(made), 201)


async def seed(request: web.Request) -> web.Response:
    """The texts that a deployment gives to cloud-init."""
    found = await request.app[SERVICES].seeds.of(key(request))
    return answer(shapes.SeedTextsOut(found.get(USER_DATA, ""), found.get(NETWORK_CONFIG, "")))


async def delete(request: web.Request) -> web.Response:
    """Forget a deployment that is on no machine."""
    await request.app[SERVICES].wishes.delete_deployment(key(request), request[USER])
    return web.Response(status=204)


async def consequences(request: web.Request) -> web.Response:
    """What an action would do; nothing is changed."""
    found = await request.app[SERVICES].wishes.consequences(key(request), _action(text(request, "action")))
    return answer(outward.consequences(found))


async def act(request: web.Request) -> web.Response:
    """Ask for an action; the answer is the task that follows it."""
    action, given = _action(request.match_info["action"]), await body(request, shapes.ActionIn)
    wishes = request.app[SERVICES].wishes
    task = await wishes.act(key(request), action, given.confirm, request[USER], given.content)
    return await tasks.shown(request, str(task.id))


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        hint = f"use one of {', '.join(Action)}"
        raise Invalid("action-unknown", f"{text[:40]!r} is no action", hint, "action") from None


def _id(deployment: Deployment) -> str:
    return str(deployment.id)


async def _shown(request: web.Request, which: str, status: int) -> web.Response:
    services = request.app[SERVICES]
    view = await deployment_view(services.store, which)
    return answer(outward.deployment(view, services.domain, services.clock()), status)
