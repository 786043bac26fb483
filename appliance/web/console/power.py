"""Power of a machine: what its switch says, switching it, and how it is set up."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.machine import Machine
from appliance.power_known import Switch
from appliance.power_order import TITLES, PowerAction, PowerOrder
from appliance.power_switch import (
    CIPHER_SUITES,
    DEFAULT_PORTS,
    FIELDS,
    PRIVILEGES,
    REQUIRED,
    SECRETS,
    PowerError,
    PowerKind,
    PowerSettings,
    parse_kind,
)
from appliance.reconcile.controller_certificate import shown_by
from appliance.reconcile.power_actions import foreseen, known
from appliance.reconcile.power_consequences import power_refusal
from appliance.reconcile.power_wishes import proposed_address
from appliance.reconcile.views import MachineView, machine_view
from appliance.store import machines, power
from appliance.web.console.confirm import confirm_page
from appliance.web.console.machines import tab_page
from appliance.web.console.page import render, see_other, who
from appliance.web.console.power_words import ACTS, KINDS, NOTES
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES

SETTINGS = ("address", "port", "user", "secret", "system", "fingerprint", "cipher_suite", "privilege")
"""Fields of the form, in their order; each kind has some of them."""


async def show(request: web.Request) -> web.Response:
    """GET /machines/{key}/power"""
    key = request.match_info["key"]

    def job(db: sqlite3.Connection) -> tuple[PowerOrder | None, dict[str, str]]:
        machine = machines.get(db, key)
        around = known(db, machine)
        refusals = {action: power_refusal(around, action) for action in PowerAction}
        return power.open_order(db, machine.id), {
            action.value: f"{why.message}; {why.hint}" if why else "" for action, why in refusals.items()
        }

    order, refused = await request.app[SERVICES].store.read(job)
    shown = {"order": order, "refused": refused, "acts": ACTS, "kinds": KINDS, "titles": TITLES}
    return await tab_page(request, "machine_power.html", "power", **shown)


def _action(request: web.Request) -> PowerAction:
    try:
        return PowerAction(request.match_info["action"])
    except ValueError:
        raise NotFound("page-unknown", "There is no such page", "Look at the machine instead") from None


async def ask(request: web.Request) -> web.Response:
    """GET /machines/{key}/power/{action}: what it would do, and the button that does it."""
    view = await machine_view(request.app[SERVICES].store, request.match_info["key"])
    return await _ask_page(request, view, _action(request))


async def _ask_page(
    request: web.Request, view: MachineView, action: PowerAction, wrong: ApplianceError | None = None
) -> web.Response:
    key = view.machine.id
    told = await request.app[SERVICES].store.read(lambda db: foreseen(db, key, action))
    title = TITLES[action].format(view.machine.name)
    return confirm_page(
        request,
        title=title,
        texts=told.texts,
        button=title,
        back=f"/machines/{key}/power",
        confirm=told.confirm,
        refused=told.refused,
        danger=told.confirm is not None,
        wrong=wrong,
    )


async def act(request: web.Request) -> web.Response:
    """POST /machines/{key}/power/{action}, with ``confirm`` where it needs one."""
    action, services = _action(request), request.app[SERVICES]
    view = await machine_view(services.store, request.match_info["key"])
    confirm = text(await fields(request), "confirm").strip() or None
    try:
        await services.wishes.power(view.machine.id, action, confirm, who(request))
    except Conflict as error:
        why = Conflict(error.code, f"This is not it. Type exactly: {view.machine.name}")
        needed = error.code == "confirmation-needed" and confirm
        return await _ask_page(request, view, action, why if needed else None)
    return see_other(f"/machines/{view.machine.id}/power")


async def settings(request: web.Request) -> web.Response:
    """GET /machines/{key}/power-settings; ``kind`` says what to fill in, empty: choose one."""
    machine, switch = await _found(request)
    chosen = request.query.get("kind", switch.settings.kind if switch else "")
    kind = parse_kind(chosen) if chosen else None
    return _form(request, machine, switch, kind, _stored(machine, switch, kind))


async def _found(request: web.Request) -> tuple[Machine, Switch | None]:
    def job(db: sqlite3.Connection) -> tuple[Machine, Switch | None]:
        machine = machines.get(db, request.match_info["key"])
        return machine, power.find(db, machine.id)

    return await request.app[SERVICES].store.read(job)


def _stored(machine: Machine, switch: Switch | None, kind: PowerKind | None) -> dict[str, str]:
    """What the form begins with: what is set, or what the machine itself told of its controller."""
    if switch is not None and switch.settings.kind is kind:
        stored = {name: getattr(switch.settings, name) for name in SETTINGS if name != "secret"}
        return {name: str(value) if value else "" for name, value in stored.items()} | {"secret": ""}
    has_own = kind in (PowerKind.IPMI, PowerKind.REDFISH)
    return dict.fromkeys(SETTINGS, "") | {"address": proposed_address(machine.inventory) if has_own else ""}


def _form(
    request: web.Request,
    machine: Machine,
    switch: Switch | None,
    kind: PowerKind | None,
    typed: Mapping[str, str],
    error: ApplianceError | None = None,
    *,
    read: bool = False,
) -> web.Response:
    """``read``: the fingerprint was just read from the controller."""
    shown: dict[str, Any] = {
        "machine": machine,
        "read": read,
        "kind": kind,
        "kinds": KINDS,
        "notes": NOTES,
        "given": [
            name for name in SETTINGS if kind and (name in FIELDS[kind] or (name == "secret" and kind in SECRETS))
        ],
        "required": REQUIRED[kind] if kind else (),
        "typed": typed,
        "errors": {error.field or "form": error} if error else {},
        "secret_word": SECRETS.get(kind, "") if kind else "",
        "secret_set": switch is not None and switch.secret_set and switch.settings.kind is kind,
        "set_up": switch is not None,
        "proposed": proposed_address(machine.inventory),
        "usual_port": DEFAULT_PORTS.get(kind, 0) if kind else 0,
        "privileges": PRIVILEGES,
        "suites": CIPHER_SUITES,
    }
    return render(request, "machine_power_edit.html", status=422 if error else 200, **shown)


async def save(request: web.Request) -> web.Response:
    """POST /machines/{key}/power-settings with ``kind`` and those of SETTINGS that it has."""
    machine, switch = await _found(request)
    sent = await fields(request)
    kind, typed = parse_kind(text(sent, "kind")), {name: text(sent, name) for name in SETTINGS}
    if text(sent, "read"):
        return await _read(request, machine, switch, kind, typed)
    try:
        # An empty field keeps the password that is stored: nobody can see what it is to type it again.
        await request.app[SERVICES].power_wishes.set_switch(
            machine.id, _settings(kind, typed), typed["secret"] or None, who(request)
        )
    except (Invalid, Conflict) as error:
        return _form(request, machine, switch, kind, {**typed, "secret": ""}, error)
    return see_other(f"/machines/{machine.id}/power")


async def _read(
    request: web.Request, machine: Machine, switch: Switch | None, kind: PowerKind, typed: Mapping[str, str]
) -> web.Response:
    """The form with the certificate that the controller shows now; the password has to be typed again."""
    again = {**typed, "secret": ""}
    try:
        found = await shown_by(typed["address"], _number(typed, "port"))
    except (Invalid, PowerError) as error:
        return _form(request, machine, switch, kind, again, error)
    return _form(request, machine, switch, kind, {**again, "fingerprint": found}, read=True)


def _settings(kind: PowerKind, typed: Mapping[str, str]) -> PowerSettings:
    words = {name: typed[name] for name in ("address", "user", "system", "fingerprint", "privilege")}
    return PowerSettings(kind, port=_number(typed, "port"), cipher_suite=_number(typed, "cipher_suite"), **words)


def _number(typed: Mapping[str, str], name: str) -> int:
    word = typed[name].strip()
    if word and not (word.isascii() and word.isdecimal() and len(word) < 9):
        raise Invalid("number-invalid", f"{word[:40]!r} is no number", "use digits, or leave it empty", name)
    return int(word or 0)


async def ask_remove(request: web.Request) -> web.Response:
    """GET /machines/{key}/power-settings/delete"""
    machine, _ = await _found(request)
    return confirm_page(
        request,
        title=f"Remove the power switch of {machine.name}",
        texts=(
            "How it is reached is forgotten, with its password. The machine stays as it is, on or off.",
            f"From then on {machine.name} is switched by hand; the console says when.",
        ),
        button="Remove the power switch",
        back=f"/machines/{machine.id}/power",
        danger=False,
    )


async def remove(request: web.Request) -> web.Response:
    """POST /machines/{key}/power-settings/delete"""
    machine, _ = await _found(request)
    await request.app[SERVICES].power_wishes.remove_switch(machine.id, who(request))
    return see_other(f"/machines/{machine.id}/power")
