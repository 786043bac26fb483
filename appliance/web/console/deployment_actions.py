"""Start, stop, release, re-deploy, retry and delete, each with what it would do said before."""

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.reconcile.consequences import Action, Consequences
from appliance.reconcile.views import DeploymentView, deployment_view
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
    return _page(request, view, action, await foresee(request, view.deployment, action))


async def act(request: web.Request) -> web.Response:
    """POST /deployments/{key}/{action}, with ``confirm`` where it needs one."""
    action, services = _action(request), request.app[SERVICES]
    view = await deployment_view(services.store, request.match_info["key"])
    sent = await fields(request)
    confirm, content = text(sent, "confirm").strip() or None, text(sent, "content")
    try:
        task = await services.wishes.act(str(view.deployment.id), action, confirm, who(request), content)
    except Conflict as error:
        if error.code in ("confirmation-needed", "content-changed"):
            return await _again(request, view, action, confirm, error)
        return await deployment_page(request, str(view.deployment.id), error)
    # Until a broken machine is confirmed to be off, nothing changes that the deployment's page could show.
    return see_other(f"/tasks/{task.id}" if task.job else f"/deployments/{view.deployment.id}")


async def _again(
    request: web.Request, view: DeploymentView, action: Action, typed: str | None, error: Conflict
) -> web.Response:
    """The page as it is now; nothing is wrong with it where nothing was typed yet."""
    foreseen = await foresee(request, view.deployment, action)
    why = f"This is not it. Type exactly: {foreseen.confirm}"
    if error.field == "content":
        why = "What is on the disk has changed since it was shown. Look at it again, then type its serial once more."
    return _page(request, view, action, foreseen, Conflict(error.code, why) if typed else None)


def _page(
    request: web.Request,
    view: DeploymentView,
    action: Action,
    foreseen: Consequences,
    wrong: ApplianceError | None = None,
) -> web.Response:
    deployment = view.deployment
    return confirm_page(
        request,
        title=f"{WORDS[action]} {deployment.name}",
        texts=foreseen.texts,
        button=_button_word(deployment.name, action, foreseen),
        back=f"/deployments/{deployment.id}",
        confirm=foreseen.confirm,
        content=foreseen.content,
        disk=foreseen.disk,
        machine=foreseen.machine,
        refused=foreseen.refused,
        danger=foreseen.destroys,
        wrong=wrong,
    )


def _button_word(name: str, action: Action, foreseen: Consequences) -> str:
    """The act, and the disk where it writes to one."""
    disk = foreseen.disk
    if disk is None:
        return f"{WORDS[action]} {name}"
    verb = "Wipe" if action is Action.RELEASE else "Overwrite"
    on = f" on {foreseen.machine}" if action is Action.START else ""
    return f"{verb} {disk.serial or disk.wwn} and {WORDS[action].lower()} {name}{on}"


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
