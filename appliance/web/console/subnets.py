"""How a subnet is served: the form that switches it, and boot options for other people's DHCP servers."""

from typing import Any
from urllib.parse import quote

from aiohttp import web

from appliance.bootprogram import SHIM
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.snippets import KINDS, ServerKind, snippet
from appliance.reconcile.network_views import SubnetView
from appliance.web.console.confirm import confirm_page
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES

CHOICES: dict[str, dict[str, str]] = {
    "mode": {
        "authoritative": "authoritative: we give the addresses",
        "proxy": "proxy: another DHCP server gives the addresses, we say what to boot",
        "reservations": "reservations: only what has a reserved address is served",
        "off": "off: DHCP is silent",
    },
    "serve_non_pxe": {"yes": "get addresses as well", "no": "get none, unless they are known or have one reserved"},
    "unknown_machines": {
        "enlist": "are enlisted, in maintenance",
        "local-disk": "boot from their own disks",
        "ignore": "are ignored",
    },
    "other_servers": {
        "refuse": "refuse: no new addresses are given beside it",
        "ignore": "ignore: addresses are given all the same",
    },
    "network_roots": {
        "ask": "ask: machines that restart by themselves wait until somebody lets them in",
        "trust": "trust: machines that restart by themselves get theirs at once",
    },
}
"""What can be chosen for each rule, in words; the form and the page of subnets say them alike."""
BACK = "/network"


async def _view(request: web.Request) -> tuple[SubnetView, Subnet]:
    """The subnet of the address; raises Conflict where the file has switched it off, or where it is set aside."""
    view = await request.app[SERVICES].network.subnet(request.match_info["interface"])
    if view.aside:
        raise Conflict(
            "subnet-aside", f"the subnet {view.interface} is set aside: {view.aside}", "change its network first"
        )
    if view.subnet is None:
        text = f"the configuration file says that {view.interface} is off"
        raise Conflict("rule-fixed", text, "take the mode out of the file to switch it here", "mode")
    return view, view.subnet


def _values(subnet: Subnet) -> dict[str, str]:
    return {name: _word(getattr(subnet, name)) for name in CHOICES}


def _word(value: str | bool) -> str:
    return value if isinstance(value, str) else "yes" if value else "no"


async def edit(request: web.Request) -> web.Response:
    """GET /network/subnets/{interface}/edit"""
    view, subnet = await _view(request)
    return _form(request, view, _values(subnet))


def _form(
    request: web.Request, view: SubnetView, typed: dict[str, str], error: ApplianceError | None = None
) -> web.Response:
    errors = {error.field or "form": error} if error else {}
    status = 422 if error else 200
    return render(
        request, "network_subnet_edit.html", status=status, view=view, typed=typed, errors=errors, choices=CHOICES
    )


async def switch(request: web.Request) -> web.Response:
    """POST /network/subnets/{interface}/edit; what takes something from machines wants the subnet's name typed."""
    view, subnet = await _view(request)
    sent, now = await fields(request), _values(subnet)
    typed = {name: text(sent, name).strip() or now[name] for name in CHOICES}
    if unknown := next((name for name in CHOICES if typed[name] not in CHOICES[name]), ""):
        known = {name: value if value in CHOICES[name] else now[name] for name, value in typed.items()}
        return _form(request, view, known, Invalid("rule-unknown", "Choose one of these", field=unknown))
    change = {name: _value(name, typed[name]) for name in CHOICES if typed[name] != now[name]}
    switches = request.app[SERVICES].switches
    try:
        foreseen = await switches.consequences(view.interface, change)
        await switches.switch(view.interface, change, text(sent, "confirm").strip() or None, who(request))
    except Conflict as error:
        if error.code != "confirmation-needed":
            return _form(request, view, typed, error)
        typed_wrong = Conflict(error.code, f"This is not it. Type exactly: {view.interface}", field="confirm")
        wrong = typed_wrong if "confirm" in sent else None
        return _ask(request, view.interface, foreseen.texts, {name: typed[name] for name in change}, wrong)
    except ApplianceError as error:
        return _form(request, view, typed, error)
    return see_other(BACK)


def _value(name: str, typed: str) -> str | bool:
    return typed == "yes" if name == "serve_non_pxe" else typed


def _ask(
    request: web.Request, interface: str, texts: tuple[str, ...], change: dict[str, str], wrong: ApplianceError | None
) -> web.Response:
    return confirm_page(
        request,
        title=f"Serve {interface} in another way",
        texts=texts,
        button=f"Switch {interface}",
        back=f"{page_of(interface)}/edit",
        confirm=interface,
        hidden=change,
        wrong=wrong,
    )


def page_of(interface: str) -> str:
    """Start of the addresses of one subnet; that of a network behind relays has a slash in its name."""
    return f"/network/subnets/{quote(interface, safe='')}"


async def look(request: web.Request) -> web.Response:
    """POST /network/subnets/{interface}/look"""
    request.app[SERVICES].switches.look(request.match_info["interface"])
    return see_other(BACK)


async def boot_options(request: web.Request) -> web.Response:
    """GET /network/subnets/{interface}/snippet, for the server in ``for``, and for Secure Boot where asked."""
    view, subnet = await _view(request)
    wanted = request.query.get("for", KINDS[0])
    kind: ServerKind = next((each for each in KINDS if each == wanted), KINDS[0])
    signed = request.query.get("secure_boot") == "true"
    shown: dict[str, Any] = {
        "kinds": {each: snippet(subnet, each).title for each in KINDS},
        "made": snippet(subnet, kind, secure_boot=signed),
        "signed": signed,
        "always_signed": subnet.boot_program == SHIM,
    }
    return render(request, "network_snippet.html", view=view, page=page_of(view.interface), **shown)
