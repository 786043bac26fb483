"""Updates: which versions there are, one that is brought and installed, what a restart means, the way back."""

from aiohttp import web

from appliance import __version__
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.reconcile.update_standing import Standing
from appliance.updates.news import of_restart, told
from appliance.updates.slots import Slot
from appliance.web.api.updates import UPDATES
from appliance.web.console.confirm import confirm_page, confirmed
from appliance.web.console.page import render, see_other, who
from appliance.web.console.uploads import only_file
from appliance.web.forms import fields, text
from appliance.web.problem import status_of

PAGE = "/settings/updates"


async def show(request: web.Request) -> web.Response:
    """GET /settings/updates"""
    return await _page(request)


async def _page(
    request: web.Request, form: str = "", error: ApplianceError | None = None, url: str = ""
) -> web.Response:
    """``form`` is the one that ``error`` is about; ``url`` what was typed."""
    standing = await request.app[UPDATES].standing()
    return render(
        request,
        "updates.html",
        status=status_of(error) if error else 200,
        standing=standing,
        updates=[(each, told(each)) for each in reversed(standing.record.updates)],
        other=_other(standing),
        form=form,
        error=error,
        url=url,
        tab="updates",
    )


def _other(standing: Standing) -> Slot | None:
    """The slot that could be gone back to."""
    return next((slot for slot in standing.slots if not slot.booted and slot.good), None)


async def upload(request: web.Request) -> web.Response:
    """POST /settings/updates/upload, multipart: a file, which goes to disk as it comes."""
    try:
        content = await only_file(request, "choose the file with the update")
        await request.app[UPDATES].receive(content, request.content_length or 0, who(request))
    except (Invalid, Conflict) as error:
        return await _page(request, "upload", error)
    return see_other(PAGE)


async def download(request: web.Request) -> web.Response:
    """POST /settings/updates/download with ``url``."""
    url = text(await fields(request), "url").strip()
    try:
        task = await request.app[UPDATES].download(url, who(request))
    except (Invalid, Conflict) as error:
        return await _page(request, "download", error, url)
    return see_other(f"/tasks/{task.id}")


async def stop_upload(request: web.Request) -> web.Response:
    """POST /settings/updates/stop-upload: remove what is half uploaded; nothing there is no error."""
    try:
        await request.app[UPDATES].uploads.forget(who(request))
    except NotFound:
        return see_other(PAGE)
    except Conflict as error:
        return await _page(request, "upload", error)
    return see_other(PAGE)


async def discard(request: web.Request) -> web.Response:
    """POST /settings/updates/discard"""
    await request.app[UPDATES].discard(who(request))
    return see_other(PAGE)


async def install(request: web.Request) -> web.Response:
    """POST /settings/updates/install with ``version``, and ``confirm`` where that is older than what runs."""
    sent = await fields(request)
    try:
        task = await request.app[UPDATES].install(text(sent, "version"), text(sent, "confirm") or None, who(request))
    except (Invalid, Conflict) as error:
        return await _page(request, "install", error)
    return see_other(f"/tasks/{task.id}")


async def ask_restart(request: web.Request) -> web.Response:
    """GET /settings/updates/restart"""
    standing = await request.app[UPDATES].standing()
    coming = next((slot.version for slot in standing.slots if slot.first), "")
    return confirm_page(
        request,
        title="Restart the appliance",
        texts=of_restart(coming, __version__, changes=standing.restart),
        button="Restart now",
        back=PAGE,
        danger=False,
    )


async def restart(request: web.Request) -> web.Response:
    """POST /settings/updates/restart"""
    await request.app[UPDATES].restart(who(request))
    return render(request, "restarting.html")


async def ask_back(request: web.Request) -> web.Response:
    """GET /settings/updates/back"""
    return await _back_page(request)


async def back(request: web.Request) -> web.Response:
    """POST /settings/updates/back with ``slot A`` typed."""
    other = _other(await request.app[UPDATES].standing())
    word = f"slot {other.letter}" if other else ""
    if other is None:
        return await _back_page(request)
    if wrong := await confirmed(request, word):
        return await _back_page(request, wrong)
    await request.app[UPDATES].go_back(other.letter, word, who(request))
    return see_other(PAGE)


async def _back_page(request: web.Request, wrong: ApplianceError | None = None) -> web.Response:
    other = _other(await request.app[UPDATES].standing())
    return confirm_page(
        request,
        title="Go back to the version before",
        texts=(
            f"The next restart starts {f'slot {other.letter}' if other else 'the other slot'}"
            f"{f', version {other.version}' if other and other.version else ''}.",
            "Where that version cannot read the present state, the state of before its update is used: machines,"
            " deployments, leases and users are then as they were, and what is newer is kept aside in a file.",
            "Nothing restarts yet.",
        ),
        confirm=f"slot {other.letter}" if other else "slot",
        button="Start it next",
        back=PAGE,
        refused="" if other else "the other slot holds nothing that could be started",
        wrong=wrong,
    )
