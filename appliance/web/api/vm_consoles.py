"""Tickets for consoles of VMs, for programs and the console's pages."""

import sqlite3

import msgspec
from aiohttp import web

from appliance.hypervisor.consoles import ConsoleKind, check_on
from appliance.reconcile import audit
from appliance.vm_host import check_ours
from appliance.web.api.body import answer, body, key
from appliance.web.api.endpoint import Endpoint
from appliance.web.auth import PROOF
from appliance.web.console_door import PATH, SESSIONS
from appliance.web.console_tickets import PREFIX, PROTOCOL, SECONDS
from appliance.web.keys import SERVICES, USER


class ConsoleIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which console is to be opened."""

    kind: ConsoleKind
    """``screen`` speaks RFB (RFC 6143); ``serial``: the first serial port."""


class ConsoleTicketOut(msgspec.Struct, kw_only=True):
    """What opens it."""

    path: str
    """Of the WebSocket, on this server."""
    protocols: list[str]
    """To be offered in Sec-WebSocket-Protocol; the second one is the ticket, good once and for whoever asked."""
    seconds: float
    """For which the ticket is good."""


async def ticket(request: web.Request) -> web.Response:
    """A ticket; what keeps the console from being opened is said here, in words that a WebSocket has no room for."""
    services, sessions, kind = request.app[SERVICES], request.app[SESSIONS], (await body(request, ConsoleIn)).kind
    seen = (await services.vms().find(key(request))).seen
    check_ours(seen)
    check_on(kind, seen.state, seen.name)
    sessions.check_number(request[USER].name)
    now = services.clock()

    def job(db: sqlite3.Connection) -> None:
        audit.note(db, request[USER], "vm.console", ("vm", seen.id, seen.name), {}, {"console": kind}, now=now)

    await services.store.write(job)
    text = sessions.tickets.make(seen.id, kind, request[PROOF], now)
    path = PATH.format(key=seen.id, kind=kind)
    given = ConsoleTicketOut(path=path, protocols=[PROTOCOL, f"{PREFIX}{text}"], seconds=SECONDS)
    return answer(given, 201)


VM_CONSOLES: tuple[Endpoint, ...] = (
    Endpoint("POST", "/vms/{key}/console", ticket, 201, ConsoleTicketOut, ConsoleIn, secret=True),
)
