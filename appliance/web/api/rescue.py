"""Rescues of machines for programs, machines let in to their roots, what an action on one would do, and what kernels
said at their start."""

from typing import Annotated

import msgspec
from aiohttp import web

from appliance.reconcile.boot_messages import messages_of
from appliance.reconcile.consequences import MachineAction
from appliance.reconcile.views import machine_view
from appliance.store.boot_messages import STACK, SYSTEM, BootMessages
from appliance.web.api import outward, tasks
from appliance.web.api.body import answer, body, key
from appliance.web.api.query import Param, given
from appliance.web.keys import SERVICES, USER


class RescueIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who may log in as root while the machine is in rescue: public keys, each as the line of a ``.pub`` file."""

    ssh_keys: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=20_000)]], msgspec.Meta(min_length=1, max_length=100)
    ]


class EmptyIn(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing has to be said."""


class KernelMessagesOut(msgspec.Struct):
    """What a kernel said while it started, some 256 kB at most. ``at`` is the Unix time of its arrival."""

    at: float
    text: str


class BootMessagesOut(msgspec.Struct):
    """Of the machine's last start of the maintenance stack, and of its deployed system; null: none has come."""

    stack: KernelMessagesOut | None
    system: KernelMessagesOut | None


CONSEQUENCES_QUERY = (Param("action", MachineAction, "what would be done", needed=True),)


async def rescue(request: web.Request) -> web.Response:
    """Boot the maintenance stack with SSH open to these keys; the answer is the task that follows it."""
    asked = await body(request, RescueIn)
    task = await request.app[SERVICES].wishes.rescue(key(request), asked.ssh_keys, request[USER])
    return await tasks.shown(request, str(task.id))


async def end(request: web.Request) -> web.Response:
    """Restart the machine into a fresh maintenance stack; the answer is the task that follows it."""
    await body(request, EmptyIn)
    task = await request.app[SERVICES].wishes.end_rescue(key(request), request[USER])
    return await tasks.shown(request, str(task.id))


async def admit(request: web.Request) -> web.Response:
    """Let in to its root the machine that restarted by itself; it gets it when it next asks."""
    await body(request, EmptyIn)
    services = request.app[SERVICES]
    admitted = await services.wishes.admit(key(request), request[USER])
    return answer(outward.machine_detail(await machine_view(services.store, admitted.id), services.clock()))


async def consequences(request: web.Request) -> web.Response:
    """What an action on the machine would do; nothing is changed."""
    action: MachineAction = given(request, CONSEQUENCES_QUERY)["action"]
    return answer(outward.consequences(await request.app[SERVICES].wishes.machine_consequences(key(request), action)))


async def boot_messages(request: web.Request) -> web.Response:
    """What the kernels said."""
    kept = {each.source: each for each in await messages_of(request.app[SERVICES].store, key(request))}
    return answer(BootMessagesOut(stack=_messages(kept.get(STACK)), system=_messages(kept.get(SYSTEM))))


def _messages(kept: BootMessages | None) -> KernelMessagesOut | None:
    return KernelMessagesOut(at=kept.at, text=kept.text) if kept else None
