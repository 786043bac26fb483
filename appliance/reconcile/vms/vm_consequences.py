"""What it would mean to delete a VM, said before it is done, and why it cannot be done. Pure."""

from collections.abc import Sequence

from appliance.pool import Use
from appliance.reconcile.consequences import Consequences
from appliance.reconcile.vms.shown import VmDetail
from appliance.vm import VmState
from appliance.vm_work import DiskVolume

GIB = 1 << 30
_RUNS = frozenset(VmState) - {VmState.OFF}


def of_delete(detail: VmDetail, volumes: Sequence[DiskVolume], *, with_disks: bool) -> Consequences:
    """It is switched off and deleted, and its volumes with it or not; ``volumes`` are those of its disks."""
    seen, refused = detail.view.seen, _refused(detail)
    if refused:
        return Consequences(refused=refused)
    texts = [f"The VM {seen.name} on {detail.view.host.name} is deleted, with its firmware variables and its TPM."]
    if seen.state in _RUNS:
        texts.insert(0, f"{seen.name} is {seen.state}: it is switched off at once, as if its plug was drawn.")
    if volumes and with_disks:
        texts.append(f"These volumes are deleted, and what is in them is lost: {_named(volumes)}.")
    elif volumes:
        texts.append(f"These volumes stay, and are nobody's then: {_named(volumes)}.")
    if others := _others(detail, volumes):
        texts.append(f"These disks are not of its own, and stay: {', '.join(others)}.")
    return Consequences(tuple(texts), confirm=seen.name, destroys=with_disks and bool(volumes))


def _refused(detail: VmDetail) -> str:
    seen, work = detail.view.seen, detail.view.work
    if not seen.ours:
        return f"The VM {seen.name} was not made by this appliance."
    return f"Task {work.task} ({work.deed}) is under way with {seen.name}." if work else ""


def own_volumes(detail: VmDetail) -> list[DiskVolume]:
    """Those of its disks that are there for nothing else."""
    return [
        DiskVolume(known.id, known.pool, known.name, 0, target)
        for target, known in sorted(detail.volumes.items())
        if known.use is Use.VM and known.of == detail.view.seen.id
    ]


def _others(detail: VmDetail, volumes: Sequence[DiskVolume]) -> list[str]:
    vm = detail.found.stored or detail.found.live
    own = {each.target for each in volumes}
    return [f"{each.target} ({each.path})" for each in (vm.disks if vm else ()) if each.target not in own]


def _named(volumes: Sequence[DiskVolume]) -> str:
    return ", ".join(f"{each.name} ({each.size / GIB:.1f} GiB)" if each.size else each.name for each in volumes)
