"""What can be done to a machine, and why not when it cannot."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from appliance.bootprogram import CHOICES, PROGRAMS
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.machine import HAND_OVERS, Machine, State, in_rescue
from appliance.power_order import PowerAction
from appliance.reconcile.consequences import MachineAction, machine_refusal
from appliance.reconcile.power_consequences import Known, power_refusal
from appliance.reconcile.views import MachineView, machine_view
from appliance.reconcile.wishes import MachineChange
from appliance.web.console.confirm import confirm_page, confirmed
from appliance.web.console.page import render, see_other, who
from appliance.web.console.power_words import ACTS
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES

EDITED = ("name", "reserved_address", "dhcp_options", "tags", "hand_over", "boot_program", "notes")
_LISTS = ("tags", "dhcp_options")
"""Fields of the form, as they are called in ``Machine`` and ``MachineChange`` too."""


@dataclass(frozen=True, slots=True)
class Button:
    """One action. ``refused`` says why it cannot be done now; ``value`` makes it a form of its own."""

    word: str
    icon: str
    link: str
    refused: str = ""
    value: str = ""
    """Sent at once; without it the link leads to a page."""
    primary: bool = False
    menu: bool = False
    """Of less use every day: under "More"."""
    group: str = ""
    """In a menu of its own, under this word."""


def actions_for(view: MachineView, now: float) -> list[Button]:
    """The buttons of a machine, all of them always, so that nothing moves about."""
    machine, link = view.machine, f"/machines/{view.machine.id}"
    flag = (
        Button("Take out of maintenance", "wrench", f"{link}/maintenance", value="off", primary=not in_rescue(machine))
        if machine.maintenance
        else Button("Put into maintenance", "wrench", f"{link}/maintenance", value="on")
    )
    broken = (
        Button("Call it mended", "rotate-ccw", f"{link}/mend", value="yes", menu=True)
        if machine.state is State.BROKEN
        else Button("Mark broken", "x", f"{link}/broken", _refused(view, MachineAction.BREAK), menu=True)
    )
    rescue = (
        Button(
            "End the rescue", "log-out", f"{link}/end-rescue", _refused(view, MachineAction.END_RESCUE), primary=True
        )
        if in_rescue(machine)
        else Button("Rescue", "life-buoy", f"{link}/rescue", _refused(view, MachineAction.RESCUE), menu=True)
    )
    # Hardly any machine ever asks: nobody is shown a button for it on all the others.
    admit = [Button("Let in", "check", f"{link}/admit", "", primary=True)]
    power = _power(view) if view.switch else []
    delete = Button("Delete", "trash-2", f"{link}/delete", _refused(view, MachineAction.DELETE), menu=True)
    return [
        *(admit if view.asks(now) else []),
        flag,
        Button("Edit", "pencil", f"{link}/edit"),
        rescue,
        *power,
        broken,
        delete,
    ]


def _power(view: MachineView) -> list[Button]:
    """A menu of what its switch can do; where there is none, its page says how to set one up."""
    found = []
    around = Known(view.machine, view.deployment, view.live, view.switch, None)
    for action, act in ACTS.items():
        why = power_refusal(around, PowerAction(action))
        link, refused = f"/machines/{view.machine.id}/power/{action}", f"{why.message}; {why.hint}" if why else ""
        found.append(Button(act.word, act.icon, link, refused, value="yes" if act.at_once else "", group="Power"))
    return found


def _refused(view: MachineView, action: MachineAction) -> str:
    """Why it cannot be done now; empty where it can."""
    refusal = machine_refusal(view.machine, view.deployment, view.live, action)
    return f"{refusal.message}; {refusal.hint}" if refusal else ""


async def _change(request: web.Request, change: MachineChange) -> web.Response:
    key = request.match_info["key"]
    await request.app[SERVICES].wishes.change_machine(key, change, who(request))
    return see_other(f"/machines/{key}")


async def maintenance(request: web.Request) -> web.Response:
    """POST /machines/{key}/maintenance with ``value`` on or off."""
    value = text(await fields(request), "value")
    if value not in ("on", "off"):
        raise Invalid("value-invalid", "maintenance is on or off", field="value")
    return await _change(request, MachineChange(maintenance=value == "on"))


async def mend(request: web.Request) -> web.Response:
    """POST /machines/{key}/mend"""
    return await _change(request, MachineChange(broken=False))


async def edit(request: web.Request) -> web.Response:
    """GET /machines/{key}/edit"""
    view = await machine_view(request.app[SERVICES].store, request.match_info["key"])
    return _edit_page(request, view.machine, {})


def _edit_page(
    request: web.Request, machine: Machine, given: Mapping[str, str], error: ApplianceError | None = None
) -> web.Response:
    """``given`` is what was typed; fields that were not sent show what is stored."""
    stored: dict[str, str] = {name: getattr(machine, name) or "" for name in EDITED if name not in _LISTS}
    stored["tags"] = " ".join(machine.tags)
    stored["dhcp_options"] = "\n".join(f"{name} = {value}" for name, value in machine.dhcp_options.items())
    return render(
        request,
        "machine_edit.html",
        status=422 if error else 200,
        machine=machine,
        typed={**stored, **given},
        error=error,
        hand_overs=HAND_OVERS,
        programs=[PROGRAMS[name] for name in CHOICES],
    )


async def save(request: web.Request) -> web.Response:
    """POST /machines/{key}/edit with those of ``EDITED`` that are to change."""
    view = await machine_view(request.app[SERVICES].store, request.match_info["key"])
    sent = await fields(request)
    given = {name: text(sent, name) for name in EDITED if name in sent}
    try:
        await request.app[SERVICES].wishes.change_machine(view.machine.id, _wanted(given), who(request))
    except (Invalid, Conflict) as error:
        return _edit_page(request, view.machine, given, error)
    return see_other(f"/machines/{view.machine.id}")


def _wanted(given: Mapping[str, str]) -> MachineChange:
    name, notes, tags, options = (given.get(each) for each in ("name", "notes", "tags", "dhcp_options"))
    return MachineChange(
        name=None if name is None else name.strip(),
        notes=None if notes is None else notes.replace("\r\n", "\n"),
        hand_over=given.get("hand_over"),
        boot_program=given.get("boot_program"),
        reserved_address=given.get("reserved_address"),
        dhcp_options=None if options is None else options_of(options, "dhcp_options"),
        tags=None if tags is None else tags.replace(",", " ").split(),
    )


def options_of(typed: str, field: str) -> dict[str, str]:
    """DHCP options as a form has them, one a line; raises Invalid with the field for a line that is none."""
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, typed.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or name.strip() in found:
            what = "is there twice" if equals else "is not NAME = VALUE"
            raise Invalid("option-invalid", f"{line[:60]!r} {what}", "write mtu = 9000, each once", field)
        found[name.strip()] = value.strip()
    return found


async def ask_broken(request: web.Request) -> web.Response:
    """GET /machines/{key}/broken"""
    services = request.app[SERVICES]
    view = await machine_view(services.store, request.match_info["key"])
    foreseen = await services.wishes.machine_consequences(view.machine.id, MachineAction.BREAK)
    return confirm_page(
        request,
        title=f"Mark {view.machine.name} broken",
        texts=(*foreseen.texts, "What it runs is not stopped and nothing on its disks changes."),
        button=f"Mark {view.machine.name} broken",
        back=f"/machines/{view.machine.id}",
        refused=_refused(view, MachineAction.BREAK),
        danger=False,
    )


async def broken(request: web.Request) -> web.Response:
    """POST /machines/{key}/broken"""
    return await _change(request, MachineChange(broken=True))


async def ask_delete(request: web.Request) -> web.Response:
    """GET /machines/{key}/delete"""
    return _delete_page(request, await machine_view(request.app[SERVICES].store, request.match_info["key"]))


async def delete(request: web.Request) -> web.Response:
    """POST /machines/{key}/delete with the machine's name typed."""
    services = request.app[SERVICES]
    view = await machine_view(services.store, request.match_info["key"])
    if wrong := await confirmed(request, view.machine.name):
        return _delete_page(request, view, wrong)
    await services.wishes.delete_machine(view.machine.id, who(request))
    return see_other("/machines")


def _delete_page(request: web.Request, view: MachineView, wrong: Conflict | None = None) -> web.Response:
    machine = view.machine
    return confirm_page(
        request,
        title=f"Delete {machine.name}",
        texts=(
            "Its name, notes, inventory and history of attempts are forgotten.",
            "Nothing on its disks changes. It appears again, as new and in maintenance, the next time it boots.",
        ),
        confirm=machine.name,
        button=f"Delete {machine.name}",
        back=f"/machines/{machine.id}",
        refused=_refused(view, MachineAction.DELETE),
        wrong=wrong,
    )
