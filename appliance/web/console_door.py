"""The door to consoles of VMs: what is there while nobody looks. Whoever does has ``console_proxy`` read."""

from collections.abc import AsyncIterator
from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import web

from appliance.accounts import Role
from appliance.errors import ApplianceError
from appliance.web.console_tickets import Tickets
from appliance.web.doors import open_door

if TYPE_CHECKING:
    from appliance.web.console_serial import Lines
    from appliance.web.console_viewer import Viewer

PATH = "/api/v1/vms/{key}/console/{kind}"
LEAST = Role.OPERATOR
"""Whoever looks can type."""
MOST_PER_USER = 50
"""Consoles of one user at the same time."""


class Sessions:
    """The consoles that are open, and the tickets for more."""

    def __init__(self) -> None:
        self.tickets = Tickets()
        self.viewers: dict[Viewer, str] = {}
        """With the name of whose they are."""

    @cached_property
    def lines(self) -> "Lines":
        """The serial lines that are read."""
        from appliance.web.console_serial import Lines

        return Lines()

    def check_number(self, user: str) -> None:
        """Raises ApplianceError ``consoles-too-many``: nobody may take all files that the daemon can open."""
        if sum(name == user for name in self.viewers.values()) >= MOST_PER_USER:
            text = f"{user} has {MOST_PER_USER} consoles open already"
            raise ApplianceError("consoles-too-many", text, "close some of them")


SESSIONS = web.AppKey("consoles", Sessions)
"""``request.app[SESSIONS]``."""


def add_routes(app: web.Application) -> None:
    """The WebSockets."""
    app[SESSIONS] = Sessions()
    open_door(app, "GET", PATH, _answer, LEAST)
    app.on_shutdown.append(_close_all)
    app.cleanup_ctx.append(_letting_go)


async def _answer(request: web.Request) -> web.StreamResponse:
    from appliance.web.console_proxy import answer

    return await answer(request)


async def _close_all(app: web.Application) -> None:
    if app[SESSIONS].viewers:
        from appliance.web.console_proxy import say_goodbye

        await say_goodbye(tuple(app[SESSIONS].viewers))


async def _letting_go(app: web.Application) -> AsyncIterator[None]:
    yield
    if "lines" in vars(app[SESSIONS]):
        app[SESSIONS].lines.close()
