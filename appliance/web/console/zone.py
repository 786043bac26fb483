"""The time zone of whoever looks: their browser names it in a cookie, and pages tell times in it."""

import re
from datetime import tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

ZONE_COOKIE = "qrm_zone"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9+_-]*(/[A-Za-z0-9+_-]+){0,2}")


def zone_of(request: web.Request) -> tzinfo | None:
    """The zone that the browser asks for; None, which is the appliance's own, where it names none that is known."""
    name = request.cookies.get(ZONE_COOKIE, "").replace("%2F", "/")
    return _zone(name) if len(name) <= 64 and _NAME.fullmatch(name) else None


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):  # OSError: "Europe" is a directory of the database
        return None
