"""Carries out the verbs of ``verbs/iscsi_exports.py``: one target for each export, in the kernel.

It is open last of all, when it is guarded by name and secret; whoever kills the helper before leaves something that
nobody can log in to, and the next grant does the rest. A revocation shuts it first, which ends the session.
"""

import asyncio
from dataclasses import dataclass, field

from appliance.export import (
    ExportId,
    check_address,
    check_export_id,
    check_node,
    check_secret,
    check_target,
    check_user,
    id_of,
    serial_number,
)
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.exported_volume import (
    check_free,
    check_written,
    give_up_file_system,
    granted_otherwise,
    held,
    volume_of,
)
from appliance.privileged.own_addresses import check_served
from appliance.privileged.targets import PORT, Target, Targets
from appliance.privileged.units import bring_up
from appliance.privileged.verbs.exports import Exported, Granted, Revoked
from appliance.privileged.verbs.iscsi_exports import IscsiGrant, IscsiRevoke

_MARK = "qrm-"
"""Stores of ours begin with it; the id of their export follows."""
UNITS = ("sys-kernel-config.mount", "modprobe@target_core_mod.service", "modprobe@iscsi_target_mod.service")
"""What PID 1 does before the first grant: the helper itself may load no modules."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A target as it is to be."""

    export: ExportId
    target: str
    device: str
    serial: str
    initiator: str
    portal: str
    """Address of ours."""
    user: str
    secret: str = field(repr=False)
    read_only: bool
    serve: bool

    @property
    def store(self) -> str:
        """What the device is called as a store."""
        return f"{_MARK}{self.export}"


async def grant(verb: IscsiGrant, on: Computer, tell: Tell) -> Granted:
    """As ``IscsiGrant`` says."""
    key = _checked(verb)
    volume = await held(on, verb.group, verb.volume)
    check_written(volume, verb.read_only)
    await _load(on)
    wanted = Wanted(key, verb.target, volume.device, serial_number(volume.id), verb.initiator, verb.server, verb.user,
                    verb.secret, verb.read_only, verb.serve)  # fmt: skip
    has_device, listens = await asyncio.to_thread(_checked_against, on.targets, wanted)
    if not has_device:
        check_free(on, volume)
    if verb.serve and not listens:
        await check_served(on, verb.server)
    if not verb.read_only:
        await give_up_file_system(on, volume)
    await asyncio.to_thread(granted, on.targets, wanted)
    return Granted(verb.server, verb.target)


def _checked(verb: IscsiGrant) -> ExportId:
    key = check_export_id(verb.id)
    check_target(verb.target, key)
    check_node(verb.initiator)
    check_address(verb.server, "server")
    check_user(verb.user)
    check_secret(verb.secret)
    return key


async def _load(on: Computer) -> None:
    """Once since the appliance started."""
    if not (on.roots.sys / "kernel" / "config" / "target" / "iscsi").exists():
        await bring_up(on, "start", *UNITS, seconds=60.0)


def _checked_against(kernel: Targets, wanted: Wanted) -> tuple[bool, bool]:
    """Whether it has its device, and whether it listens already; raises Conflict ``export-other``."""
    targets, _ = kernel.names()
    if any(id_of(name) == wanted.export and name != wanted.target for name in targets):
        raise granted_otherwise(wanted.export)
    found, target = kernel.store(wanted.store), kernel.target(wanted.target)
    if target and not _fits(target, wanted):
        raise granted_otherwise(wanted.export)
    if found and found.ready and (found.device, found.read_only) != (wanted.device, wanted.read_only):
        raise granted_otherwise(wanted.export)
    return bool(found and found.ready), bool(target and target.portals)


def _fits(target: Target, wanted: Wanted) -> bool:
    """All that is there of it is as it is wanted; what is missing may be added."""
    return (
        set(target.stores) <= {wanted.store}
        and set(target.portals) <= {f"{wanted.portal}:{PORT}"}
        and {each.name for each in target.admitted} <= {wanted.initiator}
        and all(each.read_only == wanted.read_only for each in target.admitted if each.unit)
    )


def granted(kernel: Targets, wanted: Wanted) -> None:
    """Make what is missing, in the order in which it has to be; what fits already stays, with its session."""
    target = kernel.target(wanted.target)
    if not (target and target.stores):
        _have_store(kernel, wanted)
    if not (target and target.guarded):
        kernel.make_target(wanted.target)
        kernel.guard(wanted.target)
    if not (target and target.stores):
        kernel.give(wanted.target, wanted.store)
    _admit(kernel, wanted, target)
    if wanted.serve:
        _serve(kernel, wanted, target)


def _have_store(kernel: Targets, wanted: Wanted) -> None:
    found = kernel.store(wanted.store)
    if found and not found.ready:
        kernel.remove_store(wanted.store)
        found = None
    if not found:
        kernel.make_store(wanted.store, wanted.device, wanted.serial, wanted.read_only)
    kernel.offer_discards(wanted.store)


def _admit(kernel: Targets, wanted: Wanted, target: Target | None) -> None:
    admitted = next(iter(target.admitted), None) if target else None
    if not admitted:
        kernel.admit(wanted.target, wanted.initiator)
    kernel.set_secret(wanted.target, wanted.initiator, wanted.user, wanted.secret)
    if not (target and target.stores and admitted and admitted.unit):
        kernel.show(wanted.target, wanted.initiator, wanted.read_only)


def _serve(kernel: Targets, wanted: Wanted, target: Target | None) -> None:
    if not (target and target.portals):
        kernel.listen(wanted.target, wanted.portal)
    if not (target and target.is_open):
        kernel.open(wanted.target)


async def revoke(verb: IscsiRevoke, on: Computer, tell: Tell) -> Revoked:
    """As ``IscsiRevoke`` says."""
    key = check_export_id(verb.id)
    await asyncio.to_thread(revoked, on.targets, key)
    return Revoked()


def revoked(kernel: Targets, export: ExportId) -> None:
    """Shut, then gone; whatever domain its name was given in."""
    targets, stores = kernel.names()
    for name in targets:
        if id_of(name) == export:
            kernel.shut(name)
            kernel.remove_target(name)
    if f"{_MARK}{export}" in stores:
        kernel.remove_store(f"{_MARK}{export}")


def exported(kernel: Targets) -> list[Exported]:
    """What there is: by the targets, and by stores that nothing gives out. One for each export of ours."""
    targets, stores = kernel.names()
    found, given = [], {f"{_MARK}{id_of(name)}" for name in targets}
    for name in targets:
        if target := kernel.target(name):
            given |= set(target.stores)
            found += _shown(kernel, target)
    return found + [_left(kernel, each) for each in stores if each not in given]


def _shown(kernel: Targets, target: Target) -> list[Exported]:
    """For each who may log in."""
    key = id_of(target.name) or ""
    store = kernel.store(next(iter(target.stores), f"{_MARK}{key}"))
    volume = volume_of(store.device) if store else ""
    read_only = bool(store and store.read_only)
    whole = target.is_open and target.guarded and bool(target.portals and target.stores)
    if not target.admitted:
        return [Exported("iscsi", bool(key), key, volume, "", target.name, read_only)]
    return [
        Exported("iscsi", bool(key), key, volume, each.name, target.name, read_only or each.read_only,
                 whole and each.unit, each.connected)
        for each in target.admitted
    ]  # fmt: skip


def _left(kernel: Targets, name: str) -> Exported:
    """A store of ours whose target is gone, or not there yet; or one of somebody else's."""
    key = name.removeprefix(_MARK) if name.startswith(_MARK) else ""
    store = kernel.store(name) if key else None
    return Exported("iscsi", bool(key), key, volume_of(store.device) if store else "", place=name)
