"""Start, stop, release, re-deploy, retry and delete, each with what it would do said before."""

from dataclasses import replace

from aiohttp import web

from appliance.deployment import Deployment, DiskIdentity
from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.reconcile.consequences import Action, Consequences
from appliance.reconcile.views import DeploymentView, deployment_view, machine_view
from appliance.web.console.confirm import confirm_page, confirmed
from appliance.web.console.deployments import WORDS, deployment_page, foresee
from appliance.web.console.page import see_other, who
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES


def _action(request: web.Request) -> Action:
    try:
        return Action(request.match_info["action"])
    except ValueError:
        raise NotFound("page-unknown", "There is no such page", "Look at the deployment instead") from None


async def ask(request: web.Request) -> web.Response:
    """GET /deployments/{key}/{action}: what it would do, and the button that does it."""
    action = _action(request)
    view = await deployment_view(request.app[SERVICES].store, request.match_info["key"])
    return await _page(request, view, action, await foresee(request, view.deployment, action))


async def act(request: web.Request) -> web.Response:
    """POST /deployments/{key}/{action}, with ``confirm`` where it needs one."""
    action, services = _action(request), request.app[SERVICES]
    view = await deployment_view(services.store, request.match_info["key"])
    sent = await fields(request)
    confirm, content = text(sent, "confirm").strip() or None, text(sent, "content")
    try:
        await services.wishes.act(str(view.deployment.id), action, confirm, who(request), content)
    except Conflict as error:
        if error.code in ("confirmation-needed", "content-changed"):
            return await _again(request, view, action, confirm, error)
        return await deployment_page(request, str(view.deployment.id), error)
    return see_other(f"/deployments/{view.deployment.id}")


async def _again(
    request: web.Request, view: DeploymentView, action: Action, typed: str | None, error: Conflict
) -> web.Response:
    """The page as it is now; nothing is wrong with it where nothing was typed yet."""
    foreseen = await foresee(request, view.deployment, action)
    why = f"This is not it. Type exactly: {foreseen.confirm}"
    if error.field == "content":
        why = "What is on the disk has changed since it was shown. Look at it again, then type its serial once more."
    return await _page(request, view, action, foreseen, Conflict(error.code, why) if typed else None)


async def _page(
    request: web.Request,
    view: DeploymentView,
    action: Action,
    foreseen: Consequences,
    wrong: ApplianceError | None = None,
) -> web.Response:
    deployment = view.deployment
    machine, disk = await _target(request, view, action, foreseen)
    return confirm_page(
        request,
        title=f"{WORDS[action]} {deployment.name}",
        texts=foreseen.texts,
        button=_button_word(deployment, action, disk, machine),
        back=f"/deployments/{deployment.id}",
        confirm=foreseen.confirm,
        content=foreseen.content,
        disk=disk,
        machine=machine,
        refused=foreseen.refused,
        danger=_destroys(deployment, action, foreseen),
        wrong=wrong,
    )


def _destroys(deployment: Deployment, action: Action, foreseen: Consequences) -> bool:
    """Whether data is lost, so that the page may be red."""
    match action:
        case Action.REDEPLOY:
            return True
        case Action.RELEASE:
            return deployment.wipe_on_release
        case Action.START:
            return foreseen.confirm is not None
        case _:
            return False


def _button_word(deployment: Deployment, action: Action, disk: DiskIdentity | None, machine: str) -> str:
    which = (disk.serial or disk.wwn) if disk else None
    if action is Action.RELEASE and deployment.wipe_on_release and which:
        return f"Wipe {which} and release {deployment.name}"
    if action is Action.REDEPLOY and which:
        return f"Overwrite {which} and re-deploy {deployment.name}"
    if action is Action.START and which and deployment.machine is None:
        return f"Overwrite {which} and start {deployment.name} on {machine}"
    return f"{WORDS[action]} {deployment.name}"


async def _target(
    request: web.Request, view: DeploymentView, action: Action, foreseen: Consequences
) -> tuple[str, DiskIdentity | None]:
    """Name of the machine, and the disk that the action writes to; None where it writes to none."""
    if view.on is not None:
        return view.on.machine.name, _written(view, action)
    choice = foreseen.choice
    if choice is None or choice.machine is None or choice.disk is None:
        return "", None
    machine = await machine_view(request.app[SERVICES].store, choice.machine)
    return machine.machine.name, replace(choice.disk, summary=choice.disk.summary or "empty")


def _written(view: DeploymentView, action: Action) -> DiskIdentity | None:
    """The assigned disk where the action writes to it, with what is on it now, not what was when it was chosen."""
    deployment = view.deployment
    writes = action is Action.REDEPLOY or (action is Action.RELEASE and deployment.wipe_on_release)
    if not writes or deployment.disk is None:
        return None
    return replace(deployment.disk, summary=f"{deployment.name}: {view.image.name} and whatever was stored since")


async def ask_delete(request: web.Request) -> web.Response:
    """GET /deployments/{key}/delete"""
    return _delete_page(request, await deployment_view(request.app[SERVICES].store, request.match_info["key"]))


async def delete(request: web.Request) -> web.Response:
    """POST /deployments/{key}/delete with its name typed."""
    services = request.app[SERVICES]
    view = await deployment_view(services.store, request.match_info["key"])
    if wrong := await confirmed(request, view.deployment.name):
        return _delete_page(request, view, wrong)
    await services.wishes.delete_deployment(str(view.deployment.id), who(request))
    return see_other("/deployments")


def _delete_page(request: web.Request, view: DeploymentView, wrong: Conflict | None = None) -> web.Response:
    deployment = view.deployment
    return confirm_page(
        request,
        title=f"Delete {deployment.name}",
        texts=("Its settings are forgotten. It is on no machine, so nothing that runs is touched.",),
        confirm=deployment.name,
        button=f"Delete {deployment.name}",
        back=f"/deployments/{deployment.id}",
        refused="it is on a machine; release it first" if deployment.machine else "",
        wrong=wrong,
    )
