"""How the appliance itself is: a sentence for each part and what to do; what it is made of; its reset."""

from itertools import groupby

from aiohttp import web

from appliance.errors import ApplianceError, Conflict
from appliance.health.verdict import PARTS, worst
from appliance.web.api import support
from appliance.web.console.confirm import confirm_page
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.health import HEALTH, LOST
from appliance.web.keys import SERVICES

PAGE = "/settings/health"


async def show(request: web.Request) -> web.Response:
    """GET /settings/health"""
    health = request.app[HEALTH]
    report = await health.report()
    parts = [(PARTS[part][0], list(found)) for part, found in groupby(report.findings, lambda each: each.part)]
    return render(
        request,
        "health.html",
        parts=parts,
        worst=worst(report.findings),
        report=report,
        name=health.name,
        image_version=await health.version(),
        tab="health",
    )


async def licences(request: web.Request) -> web.Response:
    """GET /settings/health/licences"""
    return render(request, "licences.html", packages=await request.app[HEALTH].packages(), tab="health")


async def identify(request: web.Request) -> web.Response:
    """POST /settings/health/disks/{name}/identify"""
    await request.app[HEALTH].identify(request.match_info["name"])
    return see_other(PAGE)


async def bundle(request: web.Request) -> web.Response:
    """POST /settings/health/bundle; the answer is the file."""
    return await support.bundle(request)


async def ask_reset(request: web.Request) -> web.Response:
    """GET /settings/health/factory-reset"""
    return _reset_page(request)


async def reset(request: web.Request) -> web.Response:
    """POST /settings/health/factory-reset with the appliance's name typed."""
    typed = text(await fields(request), "confirm")
    health = request.app[HEALTH]
    try:
        await health.factory_reset(typed, who(request))
    except Conflict as error:
        wrong = Conflict(error.code, f"This is not it. Type exactly: {health.name}", error.hint, "confirm")
        return _reset_page(request, wrong if error.code == "confirmation-needed" else error)
    return render(request, "reset_begun.html")


def _reset_page(request: web.Request, wrong: ApplianceError | None = None) -> web.Response:
    refused = ""
    if not request.app[SERVICES].privileged.here:
        refused = "this computer is no flashed appliance; what was installed as a package is removed as one."
    name = request.app[HEALTH].name
    return confirm_page(
        request,
        title="Reset the appliance to how it was flashed",
        texts=LOST,
        confirm=name,
        button=f"Forget everything and restart {name}",
        back=PAGE,
        refused=refused,
        wrong=wrong,
    )
