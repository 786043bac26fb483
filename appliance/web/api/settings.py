"""What the configuration file says, for programs."""

from typing import Any

import msgspec
from aiohttp import web

from appliance import __version__
from appliance.web.api.body import answer
from appliance.web.keys import SERVICES


class SettingsOut(msgspec.Struct):
    """What identifies this appliance, how it is, and what its configuration file says."""

    version: str
    fingerprint: str
    """SHA-256 of its certificate authority."""
    trouble: str
    """What hinders the whole appliance at the moment, such as a disk that does not answer; empty while nothing does."""
    config: dict[str, Any]
    """Every section with every value in force; on a flashed appliance ``/appliance/settings`` changes them."""


async def show(request: web.Request) -> web.Response:
    """Version, fingerprint and configuration."""
    services = request.app[SERVICES]
    return answer(SettingsOut(__version__, services.fingerprint, services.trouble(), services.config))
