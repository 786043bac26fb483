"""The appliance's own networks: interfaces, the form of each, what a change means, and its trial."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.networking.edit import replace
from appliance.networking.layout import (
    BOND_MODES,
    METHODS,
    MODE_WORDS,
    ROLE_WORDS,
    ROLES,
    Interface,
    Kind,
    Method,
    Role,
)
from appliance.networking.plan import addressing
from appliance.reconcile.own_networks import Change
from appliance.web.console.confirm import confirm_page
from appliance.web.console.network import TABS
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.here import here, over
from appliance.web.keys import SERVICES

PAGE = "/network/interfaces"
MADE: Mapping[Kind, str] = {
    "bridge": "bridge: connects NICs, VLANs and virtual machines like a switch",
    "bond": "bond: several cables to one network, for when one fails or for more speed",
    "vlan": "VLAN: one of several networks on the same cable",
}
METHOD_WORDS: Mapping[Method, str] = {
    "dhcp": "DHCP: another server gives the address",
    "static": "static: the address below",
    "none": "none",
}
TYPED = ("name", "kind", "ports", "mode", "parent", "tag", "method", "addresses", "gateway", "dns")
AGREED = "agreed"
"""Stands in the form once its consequences were shown."""


async def index(request: web.Request) -> web.Response:
    """GET /network/interfaces"""
    standing = await request.app[SERVICES].own_networks.standing()
    status = standing.status
    layout = (status.trial.layout if status.trial else status.layout) if status else None
    return render(
        request, "network_interfaces.html", tabs=TABS, tab="interfaces", standing=standing, layout=layout,
        seen={each.name: each for each in status.seen} if status else {}, addressing=addressing,
        role_words=ROLE_WORDS, aside=request.app[SERVICES].network.aside(),
    )  # fmt: skip


async def new(request: web.Request) -> web.Response:
    """GET /network/interfaces/new"""
    return _form(request, {"kind": request.query.get("kind", "bridge")}, is_new=True)


async def edit(request: web.Request) -> web.Response:
    """GET /network/interfaces/{name}/edit"""
    of = await _present(request)
    return _form(request, _values(of), set(of.roles))


async def _present(request: web.Request) -> Interface:
    """The interface of the address; raises NotFound, ApplianceError ``helper-missing``."""
    name = request.match_info["name"]
    found = await request.app[SERVICES].own_networks.interface(name)
    if found is None:
        raise NotFound("interface-unknown", f"the appliance has no interface {name[:40]!r}", "look at the list")
    return found


def _values(of: Interface) -> dict[str, str]:
    lists = {"ports": of.ports, "addresses": of.addresses, "dns": of.dns}
    plain = {"name": of.name, "kind": of.kind, "mode": of.mode, "parent": of.parent, "tag": str(of.tag or "")}
    return {**plain, "method": of.method, "gateway": of.gateway, **{key: " ".join(each) for key, each in lists.items()}}


def _form(
    request: web.Request, typed: Mapping[str, str], roles: set[str] | None = None, error: ApplianceError | None = None,
    is_new: bool = False,
) -> web.Response:  # fmt: skip
    shown = {name: typed.get(name, "") for name in TYPED}
    shown["kind"] = shown["kind"] if shown["kind"] in (*MADE, "nic") else "bridge"
    errors = {_place(error.field): error} if error else {}
    return render(
        request, "network_interface_edit.html", status=422 if error else 200, typed=shown, roles=roles or set(),
        errors=errors, is_new=is_new, made=MADE, methods=METHOD_WORDS, modes=MODE_WORDS, role_words=ROLE_WORDS,
    )  # fmt: skip


def _place(field: str) -> str:
    """The field of the form that an error is about: ``addresses`` of ``nic0.addresses``."""
    name = field.rpartition(".")[2]
    return name if name in (*TYPED, "roles") else "form"


async def create(request: web.Request) -> web.Response:
    """POST /network/interfaces/new"""
    return await _save(request, None)


async def save(request: web.Request) -> web.Response:
    """POST /network/interfaces/{name}/edit"""
    return await _save(request, await _present(request))


async def _save(request: web.Request, before: Interface | None) -> web.Response:
    sent = await fields(request)
    typed = {name: text(sent, name).strip() for name in TYPED}
    typed |= {"name": before.name, "kind": before.kind} if before else {}
    roles = _roles(sent)
    own = request.app[SERVICES].own_networks
    try:
        if before is None and await own.interface(typed["name"]) is not None:
            raise Conflict("name-taken", f"There is an interface {typed['name']} already", "take another", "name")
        # No form changes the hardware address of a NIC.
        wanted = replace(_interface(typed, roles), mac=before.mac if before else "")
        change = await own.with_interface(wanted, *over(request))
        hidden = {name: typed[name] for name in TYPED if typed[name]} | {"roles": " ".join(roles)}
        title = f"Change {wanted.name}" if before else f"Make {wanted.name}"
        return await _tried(request, change, sent, title, hidden)
    except (Invalid, Conflict, NotFound) as error:
        return _form(request, typed, set(roles), error, is_new=before is None)


def _roles(sent: Mapping[str, Any]) -> list[str]:
    """Those that were ticked; on the page of consequences all of them stand in one field."""
    said = sent.getall("roles", []) if isinstance(sent, MultiMapping) else []
    return [word for each in said if isinstance(each, str) for word in each.split()]


def _interface(typed: Mapping[str, str], roles: list[str]) -> Interface:
    """What was typed; what does not go with the chosen kind or method is left out. Raises Invalid."""
    kind = _one_of("kind", typed["kind"], ("nic", *MADE))
    method = _one_of("method", typed["method"] or "none", METHODS)
    mode = _one_of("mode", typed["mode"] or BOND_MODES[0], BOND_MODES)
    static = method == "static"
    chosen: tuple[Role, ...] = tuple(_one_of("roles", role, ROLES) for role in roles)
    return Interface(
        name=typed["name"], kind=kind, method=method, roles=chosen,
        addresses=_words(typed["addresses"]) if static else (), gateway=typed["gateway"] if static else "",
        dns=_words(typed["dns"]) if static else (), mode=mode if kind == "bond" else BOND_MODES[0],
        ports=_words(typed["ports"]) if kind in ("bond", "bridge") else (),
        parent=typed["parent"] if kind == "vlan" else "", tag=_tag(typed["tag"]) if kind == "vlan" else 0,
    )  # fmt: skip


def _one_of(field: str, value: str, known: Any) -> Any:
    if value not in known:
        raise Invalid("choice-unknown", "Choose one of these", field=field)
    return value


def _words(typed: str) -> tuple[str, ...]:
    return tuple(typed.replace(",", " ").split())


def _tag(typed: str) -> int:
    if not typed.isdecimal() or not typed.isascii() or len(typed) > 4:
        raise Invalid("network-invalid", "This is no tag of a VLAN", "tags are 1 to 4094", "tag")
    return int(typed)


async def _tried(
    request: web.Request, change: Change, sent: Mapping[str, Any], title: str, hidden: Mapping[str, str]
) -> web.Response:
    """The page that says what it means, and once that was agreed to, the trial."""
    plan = change.plan
    if not plan.lines:
        raise Conflict("network-same", "The network is like this already", "change something first")
    typed = text(sent, "confirm").strip()
    if not text(sent, AGREED) or (plan.confirm and typed != plan.confirm):
        asked_again = text(sent, AGREED) and plan.confirm
        wrong = Conflict("confirmation-needed", f"This is not it. Type exactly: {plan.confirm}", field="confirm")
        return confirm_page(
            request,
            title=title,
            texts=(*plan.lines, *([plan.lost] if plan.lost else []), TRIAL),
            button="Try it",
            back=PAGE,
            confirm=plan.confirm or None,
            hidden={**hidden, AGREED: "yes"},
            danger=bool(plan.confirm),
            wrong=wrong if asked_again else None,
        )
    until = await request.app[SERVICES].own_networks.apply(change, typed or None, who(request))
    if not plan.lost:
        return see_other(PAGE)
    return render(request, "network_tried.html", plan=plan, until=until, port=request.url.port or 443)


TRIAL = "It is tried for 60 seconds. Unless it is confirmed in that time, the network of before comes back by itself."


async def ask_delete(request: web.Request) -> web.Response:
    """GET /network/interfaces/{name}/delete"""
    return await _delete(request, {})


async def delete(request: web.Request) -> web.Response:
    """POST /network/interfaces/{name}/delete"""
    return await _delete(request, await fields(request))


async def _delete(request: web.Request, sent: Mapping[str, Any]) -> web.Response:
    name = request.match_info["name"]
    change = await request.app[SERVICES].own_networks.without_interface(name, *over(request))
    return await _tried(request, change, sent, f"Take {name} away", {})


async def nat(request: web.Request) -> web.Response:
    """POST /network/interfaces/nat with ``nat`` yes or no."""
    sent = await fields(request)
    on = text(sent, "nat") == "yes"
    change = await request.app[SERVICES].own_networks.with_nat(on, *over(request))
    return await _tried(request, change, sent, "Change NAT", {"nat": "yes" if on else "no"})


async def confirm(request: web.Request) -> web.Response:
    """POST /network/interfaces/confirm"""
    await request.app[SERVICES].own_networks.confirm(who(request), here(request))
    return see_other(PAGE)


async def revert(request: web.Request) -> web.Response:
    """POST /network/interfaces/revert"""
    await request.app[SERVICES].own_networks.revert(who(request))
    return see_other(PAGE)
