"""The page before an act: what it does, what dies, the word to type, a button named after it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from aiohttp import web

from appliance.deployment import DiskIdentity
from appliance.errors import ApplianceError, Conflict
from appliance.reconcile.consequences import MachineAction
from appliance.reconcile.views import machine_view
from appliance.web.console.page import render
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES

NOTHING: Mapping[str, str] = MappingProxyType({})


def confirm_page(
    request: web.Request,
    *,
    title: str,
    texts: Sequence[str],
    button: str,
    back: str,
    confirm: str | None = None,
    content: str = "",
    disk: DiskIdentity | None = None,
    machine: str = "",
    refused: str = "",
    danger: bool = True,
    wrong: ApplianceError | None = None,
    hidden: Mapping[str, str] = NOTHING,
) -> web.Response:
    """``confirm`` has to be typed; ``disk`` in ``machine`` is what dies; ``refused`` leaves no button.

    ``content`` comes back with the form: what the disk held when this page was shown; ``hidden`` fields do too.
    """
    return render(
        request,
        "confirm.html",
        status=422 if wrong else 200,
        title=title,
        texts=texts,
        button=button,
        back=back,
        confirm=confirm,
        content=content,
        disk=disk,
        machine=machine,
        refused=refused,
        danger=danger,
        wrong=wrong,
        hidden=hidden,
    )


async def machine_page(request: web.Request, action: MachineAction, title: str, button: str) -> web.Response:
    """The page before what is done to a machine and destroys nothing; its name goes into ``title`` and ``button``."""
    services, key = request.app[SERVICES], request.match_info["key"]
    view = await machine_view(services.store, key)
    foreseen = await services.wishes.machine_consequences(key, action)
    return confirm_page(
        request,
        title=title.format(view.machine.name),
        texts=foreseen.texts,
        button=button.format(view.machine.name),
        back=f"/machines/{view.machine.id}",
        refused=foreseen.refused,
        danger=False,
    )


async def confirmed(request: web.Request, expected: str) -> Conflict | None:
    """None when the right word was typed, else what is wrong."""
    if text(await fields(request), "confirm").strip() == expected:
        return None
    return Conflict("confirmation-needed", f"This is not it. Type exactly: {expected}", field="confirm")
