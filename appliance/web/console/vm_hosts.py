"""Hosts of VMs: all of them, one with what it can do, and which there are to be."""

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.reconcile.vms.shown import HostView, VmView
from appliance.vm import VmState
from appliance.web.console import vm_words
from appliance.web.console.confirm import confirm_page
from appliance.web.console.page import render, see_other, who
from appliance.web.console.vms import vms_of
from appliance.web.forms import fields, text
from appliance.web.problem import status_of

FIELDS = ("name", "address")


async def index(request: web.Request) -> web.Response:
    """GET /vms/hosts"""
    found = await vms_of(request).hosts()
    return render(request, "vm_hosts.html", hosts=found, words=vm_words, running=running, promised=promised)


def running(view: HostView) -> int:
    """How many of its VMs are not off."""
    return sum(each.state is not VmState.OFF for each in view.vms)


def promised(view: HostView) -> int:
    """Bytes of memory of those."""
    return sum(each.memory for each in view.vms if each.state is not VmState.OFF)


async def show(request: web.Request) -> web.Response:
    """GET /vms/hosts/{host}"""
    view = await vms_of(request).host(request.match_info["host"])
    everything = await vms_of(request).list()
    on: list[VmView] = [each for each in everything.vms if each.host.address == view.known.address]
    return render(request, "vm_host.html", view=view, vms=on, words=vm_words, running=running, promised=promised)


async def form(request: web.Request) -> web.Response:
    """GET /vms/hosts/new"""
    return _form_page(request, dict.fromkeys(FIELDS, ""))


def _form_page(request: web.Request, typed: dict[str, str], error: ApplianceError | None = None) -> web.Response:
    field = error.field if error and error.field in FIELDS else "form"
    return render(
        request,
        "vm_host_new.html",
        status=status_of(error) if error else 200,
        typed=typed,
        errors={field: error} if error else {},
    )


async def add(request: web.Request) -> web.Response:
    """POST /vms/hosts/new with ``name`` and ``address``; a host that does not answer is not added."""
    sent = await fields(request)
    typed = {name: text(sent, name).strip() for name in FIELDS}
    try:
        view = await vms_of(request).add_host(typed["name"], typed["address"], who(request))
    except ApplianceError as error:
        return _form_page(request, typed, error)
    return see_other(f"/vms/hosts/{view.known.name}")


async def ask_remove(request: web.Request) -> web.Response:
    """GET /vms/hosts/{host}/remove"""
    return await _remove_page(request)


async def _remove_page(request: web.Request, wrong: ApplianceError | None = None) -> web.Response:
    view = await _known(request)
    name, count = view.known.name, len(view.vms)
    own = "the appliance is a host as long as libvirt runs on it" if view.known.own else ""
    return confirm_page(
        request,
        title=f"Remove the host {name}",
        texts=(
            f"Its {count} VM{'' if count == 1 else 's'} run on as they do. They are not listed here any more.",
            "Nothing on it is changed or deleted. Add it again, and they are back.",
        ),
        button=f"Remove {name}",
        back=f"/vms/hosts/{name}",
        refused=f"{wrong.message}; {wrong.hint}" if wrong else own,
        danger=False,
    )


async def _known(request: web.Request) -> HostView:
    key = request.match_info["host"]
    found = (await vms_of(request).list()).hosts
    view = next((each for each in found if key in (each.known.name, str(each.known.id))), None)
    if view is None:
        raise NotFound("vm-host-unknown", f"there is no host {key[:80]!r}", "list the hosts, then name one of them")
    return view


async def remove(request: web.Request) -> web.Response:
    """POST /vms/hosts/{host}/remove"""
    try:
        await vms_of(request).remove_host(request.match_info["host"], who(request))
    except (Invalid, Conflict) as error:
        return await _remove_page(request, error)
    return see_other("/vms/hosts")
