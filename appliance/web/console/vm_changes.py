"""Parts of a VM that come and go: disks, discs, network cards, what it starts from; and all of it."""

from collections.abc import Sequence

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, NotFound
from appliance.reconcile.vms.shown import VmDetail
from appliance.reconcile.vms.wish import VmChange
from appliance.vm import Bus, NicModel, System, Vm
from appliance.web.console import vm_form_values as values
from appliance.web.console import vm_words
from appliance.web.console.confirm import confirm_page
from appliance.web.console.page import render, see_other, who
from appliance.web.console.vm_choices import choices
from appliance.web.console.vm_forms import MISTAKES, change_page, stored_of, typed_in
from appliance.web.console.vms import discs, vms_of
from appliance.web.forms import fields, readable, text
from appliance.web.problem import status_of

DISK = ("from", "size", "bus")
CDROMS = tuple(f"cdrom{row}" for row in range(4))
MOST_BOOT = 16


# -- disks


async def new_disk(request: web.Request) -> web.Response:
    """GET /vms/{key}/disks/new"""
    _, vm = await stored_of(request)
    usual = vm.disks[0].bus if vm.disks else Bus.SATA if vm.system is System.WINDOWS else Bus.VIRTIO_SCSI
    return await _disk_page(request, {"from": "", "size": "20 GiB", "bus": usual})


async def _disk_page(request: web.Request, typed: values.Typed, error: ApplianceError | None = None) -> web.Response:
    detail, vm = await stored_of(request)
    field = error.field if error and error.field in DISK else "form"
    errors = {field: error} if error else {}
    given = await choices(request)
    return change_page(request, "vm_disk_new.html", detail, vm, error, typed=typed, errors=errors, choices=given)


async def add_disk(request: web.Request) -> web.Response:
    """POST /vms/{key}/disks/new with ``from``, ``size`` and ``bus``."""
    typed = await typed_in(request, DISK)
    try:
        task = await vms_of(request).add_disk(request.match_info["key"], values.disk(typed, ""), who(request))
    except MISTAKES as error:
        return await _disk_page(request, typed, error)
    return see_other(f"/vms/{task.arguments['vm']}/hardware")


async def ask_remove_disk(request: web.Request) -> web.Response:
    """GET /vms/{key}/disks/{target}/remove"""
    return await _remove_page(request)


async def _remove_page(request: web.Request, wrong: ApplianceError | None = None) -> web.Response:
    detail, vm = await stored_of(request)
    target = request.match_info["target"]
    disk = next((each for each in vm.disks if each.target == target), None)
    if disk is None:
        raise NotFound("disk-unknown", f"{vm.name} has no disk {target[:40]!r}", "look at its hardware")
    known = detail.volumes.get(target)
    kept = f"The volume {known.name} stays as it is, and is nobody's then." if known else f"{disk.path} stays as it is."
    later = ("It runs: it has the disk until it is restarted.",) if detail.found.live else ()
    return confirm_page(
        request,
        title=f"Take {target} away from {vm.name}",
        texts=(f"{vm.name} does not find this disk any more, and does not start from it.", *later, kept),
        button=f"Take {target} away",
        back=f"/vms/{vm.id}/hardware",
        refused=f"{wrong.message}; {wrong.hint}" if wrong else "",
        danger=False,
    )


async def remove_disk(request: web.Request) -> web.Response:
    """POST /vms/{key}/disks/{target}/remove"""
    key, target = request.match_info["key"], request.match_info["target"]
    try:
        await vms_of(request).change(key, VmChange(without=frozenset({target})), "", who(request))
    except Conflict as error:
        return await _remove_page(request, error)
    return see_other(f"/vms/{key}/hardware")


# -- network cards


async def edit_nics(request: web.Request) -> web.Response:
    """GET /vms/{key}/nics/edit"""
    detail, vm = await stored_of(request)
    return await _nics_page(request, detail, vm, values.stored_nics(vm.nics))


async def _nics_page(
    request: web.Request, detail: VmDetail, vm: Vm, typed: values.Typed, error: ApplianceError | None = None
) -> web.Response:
    """All rows that are filled, and two more."""
    usual = {f"nic{row}_model": NicModel.VIRTIO for row in range(values.MOST_NIC_ROWS)}
    filled = dict.fromkeys(values.NICS, "") | usual | typed
    used = values.nic_rows(filled, values.MOST_NIC_ROWS)
    rows = range(min(max(used, default=-1) + 3, values.MOST_NIC_ROWS))
    errors = {values.field_of(error, filled, values.NICS): error} if error else {}
    given = await choices(request)
    shown = {"typed": filled, "errors": errors, "choices": given, "nic_rows": rows}
    return change_page(request, "vm_nics.html", detail, vm, error, **shown)


async def save_nics(request: web.Request) -> web.Response:
    """POST /vms/{key}/nics/edit; rows without a bridge go."""
    typed = await typed_in(request, values.NICS)
    try:
        rows = values.nic_rows(typed, values.MOST_NIC_ROWS)
        await _change(request, VmChange(nics=tuple(values.nic(typed, row) for row in rows)))
    except MISTAKES as error:
        return await _nics_page(request, *await stored_of(request), typed, error)
    return _to_hardware(request)


# -- CD-ROM drives


async def edit_cdroms(request: web.Request) -> web.Response:
    """GET /vms/{key}/cdroms/edit"""
    detail, vm = await stored_of(request)
    names = await discs(request)
    there = [names.get(each.path, each.path) for each in vm.cdroms]
    return await _cdroms_page(request, detail, vm, there + [values.NO_DRIVE] * (len(CDROMS) - len(there)))


async def _cdroms_page(
    request: web.Request, detail: VmDetail, vm: Vm, typed: Sequence[str], error: ApplianceError | None = None
) -> web.Response:
    errors = {"form": error} if error else {}
    given = await choices(request)
    return change_page(request, "vm_cdroms.html", detail, vm, error, typed=typed, errors=errors, choices=given)


async def save_cdroms(request: web.Request) -> web.Response:
    """POST /vms/{key}/cdroms/edit with ``cdrom0`` to ``cdrom3``: the name of an ISO, nothing, or NO_DRIVE."""
    typed, force = await typed_in(request, CDROMS), text(await fields(request), "force") == "yes"
    wanted = tuple(each for each in typed.values() if each != values.NO_DRIVE)
    try:
        await _change(request, VmChange(cdroms=wanted, force=force))
    except MISTAKES as error:
        return await _cdroms_page(request, *await stored_of(request), list(typed.values()), error)
    return _to_hardware(request)


# -- what it starts from


async def edit_boot(request: web.Request) -> web.Response:
    """GET /vms/{key}/boot/edit"""
    detail, vm = await stored_of(request)
    return _boot_page(request, detail, vm, vm.boot)


def _boot_page(
    request: web.Request, detail: VmDetail, vm: Vm, typed: Sequence[str], error: ApplianceError | None = None
) -> web.Response:
    every = vm_words.bootable(vm)
    rows = [*typed, *[""] * MOST_BOOT][: min(len(every), MOST_BOOT)]
    errors = {"form": error} if error else {}
    return change_page(request, "vm_boot.html", detail, vm, error, typed=rows, errors=errors, every=every)


async def save_boot(request: web.Request) -> web.Response:
    """POST /vms/{key}/boot/edit with ``boot`` once for each place."""
    with readable():
        sent = await request.post()
    typed = [each for each in sent.getall("boot", []) if isinstance(each, str) and each]
    try:
        await _change(request, VmChange(boot=tuple(typed)))
    except MISTAKES as error:
        return _boot_page(request, *await stored_of(request), typed, error)
    return _to_hardware(request)


async def _change(request: web.Request, change: VmChange) -> None:
    """From the definition that the form was made from."""
    revision = text(await fields(request), "revision")
    await vms_of(request).change(request.match_info["key"], change, revision, who(request))


def _to_hardware(request: web.Request) -> web.Response:
    return see_other(f"/vms/{request.match_info['key']}/hardware")


# -- all of it


async def ask_delete(request: web.Request) -> web.Response:
    """GET /vms/{key}/delete: with its disks, or without."""
    return await _delete_page(request, request.query.get("disks") == "go")


async def _delete_page(request: web.Request, with_disks: bool, wrong: ApplianceError | None = None) -> web.Response:
    vms = vms_of(request)
    view = await vms.find(request.match_info["key"])
    whole = await vms.delete_consequences(view.seen.id, with_disks=True)
    with_disks = with_disks and whole.destroys
    foreseen = whole if with_disks else await vms.delete_consequences(view.seen.id, with_disks=False)
    return render(
        request,
        "vm_delete.html",
        status=status_of(wrong) if wrong else 200,
        view=view,
        seen=view.seen,
        words=vm_words,
        foreseen=foreseen,
        with_disks=with_disks,
        has_own=whole.destroys,
        errors={"confirm": wrong} if wrong else {},
    )


async def delete(request: web.Request) -> web.Response:
    """POST /vms/{key}/delete with its name typed, and ``disks`` where they go as well."""
    sent, key = await fields(request), request.match_info["key"]
    with_disks, vms = text(sent, "disks") == "go", vms_of(request)
    try:
        task = await vms.delete(key, text(sent, "confirm").strip(), who(request), with_disks=with_disks)
    except Conflict as error:
        name = (await vms.find(key)).seen.name
        typo = Conflict(error.code, f"This is not it. Type exactly: {name}", field="confirm")
        return await _delete_page(request, with_disks, typo if error.code == "confirmation-needed" else error)
    return see_other(f"/tasks/{task.id}")
