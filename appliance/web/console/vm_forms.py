"""VMs that are made and changed: what is typed is kept, and what is wrong stands beside its field."""

from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.reconcile.vms.revision import revision_of
from appliance.reconcile.vms.shown import VmDetail
from appliance.vm import System, Vm
from appliance.web.console import vm_form_values as values
from appliance.web.console import vm_words
from appliance.web.console.page import render, see_other, who
from appliance.web.console.vm_choices import choices
from appliance.web.console.vms import vms_of
from appliance.web.forms import fields, text
from appliance.web.problem import status_of

MISTAKES = (Invalid, Conflict, NotFound)


async def new(request: web.Request) -> web.Response:
    """GET /vms/new, beginning with what ``system`` and ``host`` say."""
    asked = request.query.get("system", "")
    system = System(asked) if asked in set(System) else System.LINUX
    given = {name: value for name in ("name", "host") if (value := request.query.get(name, ""))}
    return await _new_page(request, dict.fromkeys(values.NEW, "") | values.DEFAULTS[system] | given)


async def _new_page(request: web.Request, typed: values.Typed, error: ApplianceError | None = None) -> web.Response:
    return render(
        request,
        "vm_new.html",
        status=refusal(error),
        typed=typed,
        errors={values.field_of(error, typed, values.NEW): error} if error else {},
        choices=await choices(request),
        disk_rows=range(values.DISK_ROWS),
        nic_rows=range(values.NIC_ROWS),
        words=vm_words,
    )


def refusal(error: ApplianceError | None) -> int:
    """The status of a form that is shown again: what it names and is not there is a mistake in it, and no lost page."""
    if error is None:
        return 200
    return 422 if isinstance(error, NotFound) else status_of(error)


async def create(request: web.Request) -> web.Response:
    """POST /vms/new; leads to the page of the VM that is being made."""
    typed = await typed_in(request, values.NEW)
    try:
        task = await vms_of(request).create(values.new_vm(typed), who(request))
    except MISTAKES as error:
        return await _new_page(request, typed, error)
    return see_other(f"/vms/{task.arguments['vm']}")


async def typed_in(request: web.Request, names: tuple[str, ...]) -> values.Typed:
    """What was sent, without blanks around it."""
    sent = await fields(request)
    return {name: text(sent, name).strip() for name in names}


async def edit(request: web.Request) -> web.Response:
    """GET /vms/{key}/edit"""
    detail, vm = await stored_of(request)
    return _edit_page(request, detail, vm, values.stored(vm))


def _edit_page(
    request: web.Request, detail: VmDetail, vm: Vm, typed: values.Typed, error: ApplianceError | None = None
) -> web.Response:
    errors = {values.field_of(error, typed, values.MACHINE): error} if error else {}
    return change_page(request, "vm_edit.html", detail, vm, error, typed=typed, errors=errors)


def change_page(
    request: web.Request, template: str, detail: VmDetail, vm: Vm, error: ApplianceError | None, **shown: Any
) -> web.Response:
    """A form that changes one; it knows which definition it was made from."""
    return render(
        request,
        template,
        status=refusal(error),
        view=detail.view,
        seen=detail.view.seen,
        vm=vm,
        revision=revision_of(vm),
        link=f"/vms/{vm.id}",
        words=vm_words,
        runs=detail.found.live is not None,
        **shown,
    )


async def stored_of(request: web.Request) -> tuple[VmDetail, Vm]:
    """The VM in the address with its stored definition; raises Conflict ``vm-foreign``, ``vm-state``."""
    detail = await vms_of(request).get(request.match_info["key"])
    seen = detail.view.seen
    if not seen.ours:
        text_, hint = f"the VM {seen.name} was not made by this appliance", "use what made it, such as virsh"
        raise Conflict("vm-foreign", text_, hint)
    if detail.found.stored is None:
        text_ = f"{seen.name} has no stored definition: somebody deleted it while it runs"
        raise Conflict("vm-state", text_, "switch it off, then make it anew")
    return detail, detail.found.stored


async def save(request: web.Request) -> web.Response:
    """POST /vms/{key}/edit with MACHINE and ``revision``, the definition that the form was made from."""
    typed = await typed_in(request, values.MACHINE)
    key, revision = request.match_info["key"], text(await fields(request), "revision")
    try:
        await vms_of(request).change(key, values.changed_vm(typed), revision, who(request))
    except MISTAKES as error:
        detail, vm = await stored_of(request)
        return _edit_page(request, detail, vm, typed, error)
    return see_other(f"/vms/{key}")
