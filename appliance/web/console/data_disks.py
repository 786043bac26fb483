"""The data disks under Settings, General: what is on a disk is shown, and named, before it goes."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

PAGE = "/settings/general/disks"


async def show(request: web.Request) -> web.Response:
    """GET /settings/general/disks"""
    return await _page(request, ())


async def _page(
    request: web.Request, wanted: tuple[str, ...], error: ApplianceError | None = None, **shown: Any
) -> web.Response:
    from appliance.web.data_disks import standing  # the daemon at rest does without it

    values: Mapping[str, Any] = {"taking": None, "typed": "", "wrong": ""} | shown
    return render(
        request,
        "data_disks.html",
        status=status_of(error) if error else 200,
        standing=await standing(request.app[SERVICES]),
        wanted=wanted,
        error=error,
        tab="general",
        **values,
    )


async def take(request: web.Request) -> web.Response:
    """POST /settings/general/disks with ``disks``, and ``confirm`` once what is on them was read."""
    from appliance.web import data_disks

    sent, services = await fields(request), request.app[SERVICES]
    wanted = tuple(each for name, each in _pairs(sent) if name == "disks" and isinstance(each, str))
    typed = text(sent, "confirm")
    try:
        taking = await data_disks.foresee(services, wanted)
        if "agreed" not in sent:
            return await _page(request, wanted, taking=taking)
        await data_disks.take(services, wanted, typed, who(request))
    except ApplianceError as error:
        if error.code != "confirmation-needed":
            return await _page(request, wanted, error)
        return await _page(request, wanted, error, taking=taking, typed=typed, wrong=error.hint)
    return see_other(PAGE)


def _pairs(sent: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """A form's fields, each as often as it was sent."""
    return list(sent.items())
