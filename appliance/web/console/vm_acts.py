"""What can be ordered of a VM, and why not when it cannot; what loses something asks first."""

from collections.abc import Mapping

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.hypervisor.shutting_down import PATIENCE
from appliance.reconcile.vms.service import Vms
from appliance.reconcile.vms.shown import VmView
from appliance.vm import TRANSITIONS, Order, VmState
from appliance.vm_host import Found
from appliance.vm_work import VmDeed
from appliance.web.console import vm_words
from appliance.web.console.bulk_acts import Act
from appliance.web.console.confirm import confirm_page
from appliance.web.console.machine_actions import Button
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES

BULK: Mapping[str, Act] = {
    "start": Act("Start", "play", "Those that are off are switched on. What runs stays as it is.", True),
    "shut-down": Act(
        "Shut down",
        "power",
        "Their systems are asked to shut down, each for two minutes at most; what does not is switched off then.",
        True,
    ),
    "pause": Act("Pause", "pause", "Those that run stand still from now on, and keep their memory."),
    "resume": Act("Resume", "play", "Those that are paused or asleep go on."),
    "reset": Act("Reset", "rotate-ccw", "They start again at once. What their programs have not written is lost."),
    "off": Act("Switch off", "power-off", "They are off at once. What their programs have not written is lost."),
}
"""What the list offers to do to many."""
RUNS = frozenset({VmState.RUNNING, VmState.PAUSED, VmState.ASLEEP, VmState.CRASHED})
"""States that a VM can be shut down from."""
LONGEST = 3600


def actions_for(view: VmView, found: Found | None) -> list[Button]:
    """The buttons of a VM of ours, all of them always, so that nothing moves about; none for what is not ours."""
    if not view.seen.ours:
        return []
    link = f"/vms/{view.seen.id}"
    start = vm_words.ORDERS[Order.START]
    runs = view.seen.state in RUNS
    return [
        Button(
            start.word, start.icon, f"{link}/order/start", refused(view, Order.START), value="yes", primary=not runs
        ),
        Button("Shut down", "power", f"{link}/shut-down", _no_shut_down(view), primary=runs),
        Button("Console", "monitor", f"{link}/console", _no_console(view)),
        *(_power(view, order) for order in vm_words.POWER),
        Button("Edit", "pencil", f"{link}/edit", standing(view)),
        Button("Delete", "trash-2", f"{link}/delete", standing(view), menu=True),
    ]


def _power(view: VmView, order: Order) -> Button:
    words = vm_words.ORDERS[order]
    at_once = "" if words.says else "yes"
    link = f"/vms/{view.seen.id}/order/{order}"
    return Button(words.word, words.icon, link, refused(view, order), value=at_once, group="Power")


def refused(view: VmView, order: Order) -> str:
    """Why it cannot be ordered now; empty where it can."""
    if busy := standing(view, order):
        return busy
    transition, state = TRANSITIONS[order], view.seen.state
    if state in transition.of:
        return ""
    hint = f"; {transition.hint}" if transition.hint and state not in transition.done else ""
    return f"it is {state}{hint}"


def _no_console(view: VmView) -> str:
    if view.old:
        return f"{view.host.name} does not answer"
    return "" if view.seen.state in RUNS else f"it is {view.seen.state}; start it first"


def _no_shut_down(view: VmView) -> str:
    return standing(view) or ("" if view.seen.state in RUNS else f"it is {view.seen.state}")


def standing(view: VmView, order: Order | None = None) -> str:
    """What stands in the way of every order, whatever state it is in; empty where nothing does."""
    if not view.seen.ours:
        return "it was not made by this appliance"
    if view.old:
        return f"{view.host.name} does not answer"
    if view.work is None or (view.work.deed is VmDeed.SHUT_DOWN and order is Order.OFF):
        return ""
    return f"it is {vm_words.UNDER_WAY[view.work.deed]}; wait until that has ended"


def _vms(request: web.Request) -> Vms:
    return request.app[SERVICES].vms()


def _order(request: web.Request) -> Order:
    try:
        order = Order(request.match_info["order"])
    except ValueError:
        order = Order.ASK_ACPI
    if order not in vm_words.ORDERS:
        raise NotFound("page-unknown", "There is no such page", "Look at the VM instead")
    return order


async def ask(request: web.Request) -> web.Response:
    """GET /vms/{key}/order/{order}: what it would do, and the button that does it."""
    return await _ask_page(request, _order(request))


async def _ask_page(request: web.Request, order: Order, wrong: ApplianceError | None = None) -> web.Response:
    view, words = await _vms(request).find(request.match_info["key"]), vm_words.ORDERS[order]
    title = words.title.format(view.seen.name)
    why = f"{wrong.message}; {wrong.hint}".rstrip("; ") if wrong else refused(view, order)
    return confirm_page(
        request,
        title=title,
        texts=words.says or (f"{title}?",),
        button=title,
        back=f"/vms/{view.seen.id}",
        refused=why,
        danger=bool(words.says),
    )


async def act(request: web.Request) -> web.Response:
    """POST /vms/{key}/order/{order}"""
    order, key = _order(request), request.match_info["key"]
    try:
        await _vms(request).order(key, order, who(request))
    except Conflict as error:
        return await _ask_page(request, order, error)
    return see_other(f"/vms/{key}")


async def ask_shut_down(request: web.Request) -> web.Response:
    """GET /vms/{key}/shut-down"""
    return await _shut_down_page(request, f"{PATIENCE:.0f}")


async def _shut_down_page(request: web.Request, typed: str, error: ApplianceError | None = None) -> web.Response:
    view = await _vms(request).find(request.match_info["key"])
    return render(
        request,
        "vm_shut_down.html",
        status=422 if error else 200,
        view=view,
        seen=view.seen,
        words=vm_words,
        typed=typed,
        refused=_no_shut_down(view),
        errors={error.field or "form": error} if error else {},
    )


async def shut_down(request: web.Request) -> web.Response:
    """POST /vms/{key}/shut-down with ``patience``, in seconds."""
    key, typed = request.match_info["key"], text(await fields(request), "patience").strip()
    try:
        await _vms(request).shut_down(key, who(request), _seconds(typed))
    except (Invalid, Conflict) as error:
        return await _shut_down_page(request, typed, error)
    return see_other(f"/vms/{key}")


def _seconds(typed: str) -> float:
    if not (typed.isascii() and typed.isdecimal() and len(typed) < 6):
        hint = f"use whole seconds, from 0 to {LONGEST}"
        raise Invalid("vm-patience", f"{typed[:40]!r} is no number of seconds", hint, "patience")
    return float(typed)
