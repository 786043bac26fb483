"""VMs and hosts as shapes of the API, and wishes from them; loaded once somebody asks. Nothing is looked up here."""

from collections.abc import Sequence

from appliance.hypervisor.placement import Policy
from appliance.reconcile.vms.revision import revision_of
from appliance.reconcile.vms.shown import HostView, VmDetail, VmView
from appliance.reconcile.vms.wish import DiskWish, NicWish, VmChange, VmWish
from appliance.vm import Autostart, Bus, Firmware, NicModel, System, VmState
from appliance.vm_host import Host
from appliance.vm_work import VmWork
from appliance.web.api import vm_shapes as shapes
from appliance.web.api.shapes import Reference


def host(view: HostView) -> shapes.HostOut:
    """A host."""
    of, can = view.known, view.host
    running = sum(each.state is not VmState.OFF for each in view.vms)
    return shapes.HostOut(
        id=of.id,
        name=of.name,
        address=of.address,
        own=of.own,
        here=of.here,
        trouble=view.trouble,
        at=view.at,
        vms=len(view.vms),
        running=running,
        cpus=can.cpus if can else None,
        memory=can.memory if can else None,
        kvm=can.kvm if can else None,
        libvirt=_version(can) if can else None,
        buses=sorted(can.buses) if can else None,
        firmwares=sorted(can.firmwares) if can else None,
        tpm=can.tpm if can else None,
    )


def _version(of: Host) -> str:
    return ".".join(str(each) for each in of.libvirt)


def vm(view: VmView) -> shapes.VmOut:
    """A VM in a list."""
    seen = view.seen
    return shapes.VmOut(
        id=seen.id,
        name=seen.name,
        host=Reference(id=view.host.id, name=view.host.name),
        state=seen.state,
        why=seen.why,
        ours=seen.ours,
        stored=seen.stored,
        cpus=seen.cpus,
        memory=seen.memory,
        at=view.at,
        old=view.old,
        work=_work(view.work) if view.work else None,
    )


def detail(of: VmDetail) -> shapes.VmDetailOut:
    """A VM looked at closely."""
    found, listed = of.found, vm(of.view)
    volumes = [shapes.DiskVolumeOut(target, v.id, v.name, v.pool) for target, v in sorted(of.volumes.items())]
    return shapes.VmDetailOut(
        **{name: getattr(listed, name) for name in listed.__struct_fields__},
        definition=found.stored,
        live=found.live,
        needs_restart=list(found.needs_restart),
        beyond=list(found.beyond),
        volumes=volumes,
        revision=revision_of(found.stored) if found.stored else "",
    )


def _work(of: VmWork) -> shapes.VmWorkOut:
    return shapes.VmWorkOut(of.deed, of.task, of.by.name, of.at)


def wish(sent: shapes.VmIn) -> VmWish:
    """A VM that is to be made."""
    return VmWish(
        name=sent.name,
        host=sent.host,
        policy=Policy(sent.policy),
        cpus=sent.cpus,
        memory=sent.memory,
        disks=tuple(disk(each) for each in sent.disks),
        nics=_nics(sent.nics),
        cdroms=tuple(sent.cdroms),
        boot=tuple(sent.boot),
        firmware=Firmware(sent.firmware),
        tpm=sent.tpm,
        system=System(sent.system),
        notes=sent.notes,
        autostart=_autostart(sent.autostart),
        start=sent.start,
    )


def change(sent: shapes.VmChangeIn) -> VmChange:
    """What is to be different."""
    return VmChange(
        name=sent.name,
        cpus=sent.cpus,
        memory=sent.memory,
        nics=None if sent.nics is None else _nics(sent.nics),
        cdroms=None if sent.cdroms is None else tuple(sent.cdroms),
        boot=None if sent.boot is None else tuple(sent.boot),
        firmware=Firmware(sent.firmware) if sent.firmware else None,
        tpm=sent.tpm,
        system=System(sent.system) if sent.system else None,
        notes=sent.notes,
        autostart=False if sent.no_autostart else _autostart(sent.autostart),
        without=frozenset(sent.detach),
        force=sent.force,
    )


def disk(sent: shapes.DiskIn) -> DiskWish:
    """A disk that is wanted."""
    return DiskWish(sent.size, sent.pool, sent.volume, Bus(sent.bus))


def _nics(sent: Sequence[shapes.NicIn]) -> tuple[NicWish, ...]:
    return tuple(NicWish(each.bridge, each.vlan, NicModel(each.model), each.mac) for each in sent)


def _autostart(sent: shapes.AutostartIn | None) -> Autostart | None:
    return Autostart(sent.order, sent.delay) if sent else None
