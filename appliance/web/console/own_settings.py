"""Settings, General, of a flashed appliance: names, clock, DNS, subnets. What changes is shown before it is done."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from aiohttp import web

from appliance.bootprogram import CHOICES as PROGRAMS
from appliance.config_subnets import SubnetSection
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.web.console.machine_actions import options_of
from appliance.web.console.page import render, see_other, who
from appliance.web.console.subnets import CHOICES as RULES
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

PAGE = "/settings/general"
GENERAL = ("host_name", "domain", "time_zone", "time_servers", "forwarders")
NEW = ("interface", "mode", "ranges", "gateway", "unknown_machines", "package_proxy")
LISTS = frozenset({"time_servers", "forwarders", "ranges", "dns", "ntp", "relays"})
NUMBERS = ("lease_seconds", "leases_per_port", "tftp_block_size")
TEXTS = ("ranges", "gateway", "dns", "ntp", "package_proxy", "relays")
CHOSEN: Mapping[str, Mapping[str, str]] = {
    "identify_by": {
        "mac": "by the address of the network card",
        "client-id": "by what they call themselves (client identifier)",
    },
    "boot_program": {
        "": "the usual one for each firmware",
        **{each: each for each in PROGRAMS},
    },
    **{name: {"": "not fixed: switched under Network", **words} for name, words in RULES.items()},
}
"""What can be chosen, in words; the empty choice takes the key out of the file."""
SUBNET = (*TEXTS, *NUMBERS, *CHOSEN, "options")
Typed = dict[str, str]
Form = Callable[[web.Request, Typed, ApplianceError | None], Awaitable[web.Response]]

# What changes settings is imported when it is needed: a daemon at rest has no use for it.


async def _typed(request: web.Request, names: tuple[str, ...]) -> Typed:
    sent = await fields(request)
    lines = {"options": text(sent, "options").strip()} if "options" in names else {}
    return {name: " ".join(text(sent, name).split()) for name in (*names, "version")} | lines


def _words(typed: str) -> tuple[str, ...]:
    """Parts of a list, with commas, blanks or lines between."""
    return tuple(typed.replace(",", " ").split())


async def _asked(
    request: web.Request, typed: Typed, planned: Callable[[], Awaitable[Any]], form: Form, title: str, back: str = PAGE
) -> web.Response:
    """The page that says what it means; done once that was agreed to. The form again where something is wrong."""
    from appliance.web.own_settings import carry_out, foresee

    sent, services = await fields(request), request.app[SERVICES]
    try:
        plan = await planned()
        change = await foresee(services, plan, typed["version"])
        if not change.lines:
            raise Conflict("settings-same", "nothing would change", "change something first")
        word = text(sent, "confirm").strip() or None
        if "agreed" not in sent or (change.confirm and word != change.confirm):
            wrong = f"This is not it. Type exactly: {change.confirm}" if "agreed" in sent else ""
            return render(
                request, "settings_plan.html", status=422 if wrong else 200, change=change, hidden=typed, title=title,
                back=back, wrong=wrong, tab="general",
            )  # fmt: skip
        await carry_out(services, plan, typed["version"], word, who(request))
    except ApplianceError as error:
        return await form(request, typed, error)
    if not change.begins_anew:
        return see_other(PAGE)
    return render(request, "settings_changed.html", lines=change.lines, tab="general")


def _errors(error: ApplianceError | None, known: tuple[str, ...]) -> dict[str, ApplianceError]:
    return {} if error is None else {error.field if error.field in known else "form": error}


# -- names, clock, DNS


async def show(request: web.Request) -> web.Response:
    """GET /settings/general"""
    return await _general(request, {}, None)


async def _general(request: web.Request, typed: Typed, error: ApplianceError | None) -> web.Response:
    from appliance.settings.general import general
    from appliance.settings.subnets import free
    from appliance.web.own_settings import standing, zones

    services = request.app[SERVICES]
    found = await standing(services)
    shown: dict[str, Any] = {"zones": [], "free": (), "typed": typed, "version": ""}
    if found.present is not None:
        now = general(found.present)
        values = {name: getattr(now, name) for name in GENERAL}
        values = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in values.items()}
        shown = {
            "zones": sorted(await zones()),
            "free": free(found.present),
            "typed": {**values, **typed},
            "version": found.present.version,
        }
    return render(
        request, "general.html", status=status_of(error) if error else 200, standing=found, page_of=page_of,
        config_path=services.config_path, errors=_errors(error, GENERAL), tab="general", **shown,
    )  # fmt: skip


async def save(request: web.Request) -> web.Response:
    """POST /settings/general; with ``agreed`` once what it means was read."""
    from appliance.web.own_settings import plan_general

    typed = await _typed(request, GENERAL)
    values: dict[str, Any] = {name: _words(typed[name]) if name in LISTS else typed[name] for name in GENERAL}

    async def planned() -> Any:
        return await plan_general(request.app[SERVICES], lambda now: replace(now, **values))

    return await _asked(request, typed, planned, _general, "Change the settings")


# -- subnets


def page_of(subnet: str) -> str:
    """Start of the addresses of one subnet; that of a network behind relays has a slash in its name."""
    return f"{PAGE}/subnets/{quote(subnet, safe='')}"


async def new_subnet(request: web.Request) -> web.Response:
    """GET /settings/general/subnets/new?interface=nic1"""
    return await _new(request, {}, None)


async def _new(request: web.Request, typed: Typed, error: ApplianceError | None) -> web.Response:
    from appliance.settings.subnets import free
    from appliance.web.own_settings import now

    found = await now(request.app[SERVICES])
    places = [each for each in free(found) if each.address]
    wanted = typed.get("interface") or request.query.get("interface", "")
    place = next((each for each in places if each.interface.name == wanted), places[0] if places else None)
    proposed = dict.fromkeys(NEW, "") | {"mode": "authoritative", "unknown_machines": "enlist"}
    if place is not None:
        mode = "proxy" if place.interface.method == "dhcp" else "authoritative"
        proposed |= {"interface": place.interface.name, "mode": mode, "gateway": place.gateway}
        proposed |= {"ranges": "" if mode == "proxy" else ", ".join(place.ranges)}
    return render(
        request, "subnet_new.html", status=status_of(error) if error else 200, place=place, typed={**proposed, **typed},
        errors=_errors(error, NEW), rules=RULES, version=found.version, tab="general",
    )  # fmt: skip


async def add_subnet(request: web.Request) -> web.Response:
    """POST /settings/general/subnets/new"""
    from appliance.settings.subnets import New, added

    typed = await _typed(request, NEW)
    for name in ("mode", "unknown_machines"):
        if typed[name] not in RULES[name]:
            return await _new(request, typed | {name: next(iter(RULES[name]))}, _not_one(name))
    values: dict[str, Any] = {name: _words(typed[name]) if name in LISTS else typed[name] for name in NEW}

    async def planned() -> Any:
        return lambda of: added(of, New(**values))

    return await _asked(request, typed, planned, _new, f"Serve {typed['interface'][:40]}")


def _not_one(name: str) -> Invalid:
    return Invalid("setting-invalid", "Choose one of these", field=name)


async def edit_subnet(request: web.Request) -> web.Response:
    """GET /settings/general/subnets/{interface}/edit"""
    return await _subnet(request, {}, None)


async def _subnet(request: web.Request, typed: Typed, error: ApplianceError | None) -> web.Response:
    from appliance.settings.subnets import index_of
    from appliance.web.own_settings import now

    found = await now(request.app[SERVICES])
    section = found.config.subnet[index_of(found, request.match_info["interface"])]
    kept = {name: value for name, value in typed.items() if name not in CHOSEN or value in CHOSEN[name]}
    return render(
        request, "subnet_settings.html", status=status_of(error) if error else 200, section=section,
        typed={**_shown(section), **kept}, errors=_errors(error, SUBNET), choices=CHOSEN, version=found.version,
        address=found.address(section.interface), page=page_of(section.key), tab="general",
    )  # fmt: skip


def _shown(section: SubnetSection) -> Typed:
    values = {each.name: getattr(section, each.name) for each in fields_of(section) if each.name in SUBNET}
    return {name: _field(value) for name, value in values.items()}


def _field(value: object) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name} = {each}" for name, each in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else str(value)


async def save_subnet(request: web.Request) -> web.Response:
    """POST /settings/general/subnets/{interface}/edit"""
    from appliance.web.own_settings import plan_subnet

    key, typed = request.match_info["interface"], await _typed(request, SUBNET)

    async def planned() -> Any:
        return await plan_subnet(request.app[SERVICES], key, _values(typed), options_of(typed["options"], "options"))

    return await _asked(request, typed, planned, _subnet, f"Change the settings of {key[:40]}", page_of(key) + "/edit")


def _values(typed: Typed) -> dict[str, Any]:
    """What was typed as values of keys; an empty field takes a key out. Raises Invalid with the field."""
    values: dict[str, Any] = {name: _words(typed[name]) if name in LISTS else typed[name] for name in TEXTS}
    values |= {name: _number(name, typed[name]) for name in NUMBERS} | {name: _choice(name, typed) for name in CHOSEN}
    return {name: None if value in ("", ()) else value for name, value in values.items()}


def _number(name: str, typed: str) -> int | None:
    if typed and not (typed.isascii() and typed.isdigit() and len(typed) < 10):
        raise Invalid("setting-invalid", f"{typed[:40]!r} is no number", "write it with digits", name)
    return int(typed) if typed else None


def _choice(name: str, typed: Typed) -> str | bool | None:
    value = typed[name]
    if value and value not in CHOSEN[name]:
        raise _not_one(name)
    return value == "yes" if name == "serve_non_pxe" and value else value or None


async def ask_remove_subnet(request: web.Request) -> web.Response:
    """GET /settings/general/subnets/{interface}/delete"""
    from appliance.web.own_settings import foresee, now, plan_removal

    services, key = request.app[SERVICES], request.match_info["interface"]
    change = await foresee(services, await plan_removal(services, key))
    hidden = {"version": (await now(services)).version}
    return render(
        request, "settings_plan.html", change=change, hidden=hidden, title=f"Serve {key} no more", back=PAGE, wrong="",
        tab="general",
    )  # fmt: skip


async def remove_subnet(request: web.Request) -> web.Response:
    """POST /settings/general/subnets/{interface}/delete"""
    from appliance.web.own_settings import plan_removal

    key, typed = request.match_info["interface"], await _typed(request, ())

    async def planned() -> Any:
        return await plan_removal(request.app[SERVICES], key)

    async def back(request: web.Request, typed: Typed, error: ApplianceError | None) -> web.Response:
        return await _general(request, {}, error)

    return await _asked(request, typed, planned, back, f"Serve {key} no more")
