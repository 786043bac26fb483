"""Consoles of VMs for browsers and programs: a WebSocket for each viewer, opened with a ticket besides the log-in.

``GET /api/v1/vms/{key}/console/{kind}`` with ``Sec-WebSocket-Protocol: console.qrm, ticket.TICKET``; binary messages
both ways. A screen speaks RFB (RFC 6143), a serial line what ``console_serial`` says. It is closed with 1001 when the
appliance stops, 1008 when the log-in has ended, 4000 when the VM is off, 4001 when its console cannot be opened.
"""

import asyncio
from contextlib import suppress

from aiohttp import WSCloseCode, web

from appliance.errors import ApplianceError, NotFound
from appliance.hypervisor.consoles import ConsoleKind
from appliance.web.auth import ACCOUNTS, PROOF
from appliance.web.console_door import LEAST, SESSIONS
from appliance.web.console_screen import show_screen
from appliance.web.console_serial import show_serial
from appliance.web.console_tickets import PROTOCOL, Ticket, ticket_in
from appliance.web.console_viewer import PATIENCE, EndError, GoneError, Viewer
from appliance.web.keys import SERVICES, USER

HEARTBEAT = PATIENCE * 2 / 3
"""Seconds between pings; an answer is due within half of that, which a slow line takes for what waits before it."""
CHECK_EVERY = 60.0
"""Seconds after which a log-in that has ended ends its consoles."""
LARGEST_MESSAGE = 256 << 10
"""Bytes of one message of a viewer."""
CANNOT_OPEN = 4001
"""The code of the close frame that says in words why a console cannot be opened."""


async def answer(request: web.Request) -> web.WebSocketResponse:
    """One viewer, until either side goes away; raises Denied ``ticket-refused``, NotFound ``console-unknown``."""
    ticket = _checked(request)
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT, protocols=(PROTOCOL,), max_msg_size=LARGEST_MESSAGE, compress=False
    )
    await socket.prepare(request)
    viewer, sessions = Viewer(request, socket), request.app[SESSIONS]
    sessions.viewers[viewer] = request[USER].name
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_until_logged_out(request), name="console log-in")
            tasks.create_task(_show(request, viewer, ticket), name="console")
    except* GoneError:
        pass
    except* EndError as ends:
        await _end(viewer, ends)
    except* (ConnectionError, TimeoutError):
        viewer.drop()
    finally:
        del sessions.viewers[viewer]
    return socket


def _checked(request: web.Request) -> Ticket:
    """Before anything is promised: what is refused here is an answer of HTTP."""
    kind, sessions = request.match_info["kind"], request.app[SESSIONS]
    if kind not in list(ConsoleKind):
        raise NotFound("console-unknown", f"a VM has no console {kind[:40]!r}", f"use {' or '.join(ConsoleKind)}")
    text = ticket_in(request.headers.get("Sec-WebSocket-Protocol", ""))
    now = request.app[SERVICES].clock()
    ticket = sessions.tickets.use(text, request.match_info["key"], kind, request[PROOF], now)
    sessions.check_number(request[USER].name)
    return ticket


async def _show(request: web.Request, viewer: Viewer, ticket: Ticket) -> None:
    vms = request.app[SERVICES].vms()
    try:
        if ticket.kind is ConsoleKind.SCREEN:
            return await show_screen(viewer, await vms.open_console(ticket.vm, ticket.kind))
        line = await request.app[SESSIONS].lines.line(ticket.vm, lambda: vms.open_console(ticket.vm, ticket.kind))
        await show_serial(viewer, line)
    except ApplianceError as error:
        raise EndError(CANNOT_OPEN, error.message) from error


async def _until_logged_out(request: web.Request) -> None:
    """An open console is not use: the log-in's clock goes on while one only looks."""
    accounts, proof = request.app[ACCOUNTS], request[PROOF]
    while True:
        known = accounts.access.changes  # before the look: what changes during it is looked at next
        role = await accounts.role_of(proof)
        if role is None or not role.covers(LEAST):
            why = "the log-in has ended" if role is None else "this user may not use consoles any more"
            raise EndError(WSCloseCode.POLICY_VIOLATION, why)
        await accounts.access.news(known, CHECK_EVERY)


async def _end(viewer: Viewer, ends: BaseExceptionGroup[EndError]) -> None:
    first: BaseException = ends
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, EndError)
    await viewer.end(first.code, first.words)


async def say_goodbye(viewers: tuple[Viewer, ...]) -> None:
    """The appliance stops."""
    async with asyncio.TaskGroup() as tasks:
        for viewer in viewers:
            tasks.create_task(_say_goodbye(viewer), name="console goodbye")


async def _say_goodbye(viewer: Viewer) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await viewer.end(WSCloseCode.GOING_AWAY, "the appliance stops")
