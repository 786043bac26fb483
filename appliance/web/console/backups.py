"""Backup and restore: a backup to download, one to bring back, and what a restore leaves to decide."""

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.web.api import backups as sending
from appliance.web.backups import BACKUPS
from appliance.web.console.confirm import confirm_page, confirmed
from appliance.web.console.page import render, see_other, who
from appliance.web.console.uploads import only_file
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

PAGE = "/settings/backup"


async def show(request: web.Request) -> web.Response:
    """GET /settings/backup"""
    return await _page(request)


async def _page(request: web.Request, form: str = "", error: ApplianceError | None = None) -> web.Response:
    """``form`` is the one that ``error`` is about."""
    services = request.app[SERVICES]
    return render(
        request,
        "backup.html",
        status=status_of(error) if error else 200,
        standing=await request.app[BACKUPS].standing(),
        config_path=services.config_path,
        flashed=services.privileged.here,
        form=form,
        error=error,
        tab="backup",
    )


async def make(request: web.Request) -> web.StreamResponse:
    """POST /settings/backup/download with ``passphrase`` and ``again``; the answer is the file."""
    sent = await fields(request)
    passphrase = text(sent, "passphrase")
    try:
        if text(sent, "again") != passphrase:
            raise Invalid("passphrases-differ", "the two are not the same", "type it once more", "again")
        path = await request.app[BACKUPS].make(passphrase, who(request))
    except ApplianceError as error:
        return await _page(request, "make", error)
    return await sending.send(request, path)


async def upload(request: web.Request) -> web.Response:
    """POST /settings/backup/upload, multipart: a file, which goes to disk as it comes."""
    try:
        content = await only_file(request, "choose the file with the backup")
        await request.app[BACKUPS].receive(content, request.content_length or 0, who(request))
    except (Invalid, Conflict) as error:
        return await _page(request, "upload", error)
    return see_other(PAGE)


async def discard(request: web.Request) -> web.Response:
    """POST /settings/backup/discard"""
    await request.app[BACKUPS].forget(who(request))
    return see_other(PAGE)


async def restore(request: web.Request) -> web.Response:
    """POST /settings/backup/restore with ``passphrase``; everything begins anew behind the answer."""
    passphrase = text(await fields(request), "passphrase")
    try:
        missing = await request.app[BACKUPS].restore(passphrase, who(request))
    except ApplianceError as error:
        return await _page(request, "restore", error)
    return render(request, "restored.html", missing=missing)


async def use_configuration(request: web.Request) -> web.Response:
    """POST /settings/backup/configuration; everything begins anew behind the answer."""
    try:
        await request.app[BACKUPS].use_configuration(who(request))
    except ApplianceError as error:
        return await _page(request, "configuration", error)
    return render(request, "restored.html", missing=[])


async def dismiss(request: web.Request) -> web.Response:
    """POST /settings/backup/dismiss"""
    await request.app[BACKUPS].dismiss_configuration(who(request))
    return see_other(PAGE)


async def ask_remove(request: web.Request) -> web.Response:
    """GET /settings/backup/old/{name}/delete"""
    return _remove_page(request)


async def remove(request: web.Request) -> web.Response:
    """POST /settings/backup/old/{name}/delete with its name typed."""
    name = request.match_info["name"]
    if wrong := await confirmed(request, name):
        return _remove_page(request, wrong)
    await request.app[BACKUPS].remove_old(name, who(request))
    return see_other(PAGE)


def _remove_page(request: web.Request, wrong: ApplianceError | None = None) -> web.Response:
    name = request.match_info["name"]
    return confirm_page(
        request,
        title="Remove an old state",
        texts=(
            f"{name} is the state that was here before a backup was restored: machines, deployments, users and keys.",
            "Once it is removed there is no way back to it but a backup.",
        ),
        confirm=name,
        button="Remove the old state",
        back=PAGE,
        wrong=wrong,
    )
