"""Values of the inside as shapes of the API; nothing is looked up here."""

from collections.abc import Sequence
from typing import Any

import msgspec

from appliance.catalogue import Image, Kernel, disk_obstacle
from appliance.cloud_init import NETWORK_CONFIG, USER_DATA
from appliance.decoding import converted
from appliance.delivery import deliveries_of
from appliance.deployment import Deployment, DiskIdentity
from appliance.events import Event
from appliance.machine import State
from appliance.power_known import Switch
from appliance.power_order import NEEDS
from appliance.power_switch import abilities
from appliance.reconcile.consequences import Consequences
from appliance.reconcile.views import DeploymentView, MachineView
from appliance.rescue import Rescue
from appliance.root_volume import Grant
from appliance.web.api import shapes


def attempt(view: MachineView | None, now: float) -> shapes.AttemptOut | None:
    """The latest attempt of a machine, where there is one."""
    if view is None or view.attempt is None:
        return None
    value, step = view.attempt, view.attempt.step
    return shapes.AttemptOut(
        id=value.id,
        kind=value.kind,
        status=value.status,
        step=step.name if step else None,
        label=step.label if step else "",
        progress=value.progress,
        message=value.message,
        deadline=view.deadline,
        advice=view.advice(now),
        remedy=_remedy(view, now),
        started=value.started,
        ended=value.ended,
        code=value.code,
        reason=value.reason,
    )


_CHOSEN = ("reserved_address", "hand_over", "boot_program", "notes")


def machine(view: MachineView, now: float) -> shapes.MachineOut:
    """A machine for lists."""
    return shapes.MachineOut(**_machine(view, now))


def machine_detail(view: MachineView, now: float) -> shapes.MachineDetail:
    """A machine with its inventory, and how its disks were wiped."""
    wiped = [converted(each, shapes.WipedOut, from_attributes=True) for each in view.machine.wiped]
    return shapes.MachineDetail(**_machine(view, now), inventory=view.machine.inventory, wiped=wiped)


def _machine(view: MachineView, now: float) -> dict[str, Any]:
    of, inventory = view.machine, view.machine.inventory or {}
    same = "id name state maintenance address firmware uuid serial last_seen failed_from failed_code failed_reason"
    return {
        **{name: getattr(of, name) for name in (*same.split(), *_CHOSEN, "secure_boot", "created")},
        "macs": list(of.macs),
        "tags": list(of.tags),
        "dhcp_options": dict(of.dhcp_options),
        "rescue": rescue(of.rescue),
        "asks_since": view.asks(now),
        "power": power(view.switch) if view.switch else None,
        "offline": view.offline(now),
        "deployment": _reference(view.deployment),
        "attempt": attempt(view, now),
        "cpus": _number(inventory, "cpu", "threads"),
        "memory_bytes": _number(inventory, "memory", "bytes"),
        "disks_summary": disks_summary(inventory.get("disks")),
    }


def _remedy(view: MachineView, now: float) -> shapes.RemedyOut | None:
    found = view.remedy(now)
    return shapes.RemedyOut(action=found.action, at=found.at) if found else None


def power(of: Switch) -> shapes.PowerOut:
    """A power switch, without how it is reached."""
    able = abilities(of.settings.kind)
    return shapes.PowerOut(
        kind=of.settings.kind,
        state=of.seen.state,
        since=of.seen.since,
        seen=of.seen.at,
        trouble=of.seen.trouble,
        wanted=of.wanted,
        can=[action.value for action, needed in NEEDS.items() if needed <= able],
    )


def rescue(of: Rescue | None) -> shapes.RescueOut | None:
    """A rescue, where one is wanted."""
    if of is None:
        return None
    return shapes.RescueOut(
        since=of.since,
        address=of.address,
        fingerprints=list(of.fingerprints),
        host_keys=list(of.host_keys),
        ssh_keys=list(of.ssh_keys),
        ended=of.ended,
    )


def _reference(of: Deployment | Image | None) -> shapes.Reference | None:
    return shapes.Reference(id=of.id, name=of.name) if of else None


def _number(inventory: dict[str, Any], part: str, name: str) -> int | None:
    value = inventory.get(part)
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, int) else None


def disks_summary(disks: object) -> str:
    """The disks of an inventory in a few words."""
    listed = disks if isinstance(disks, list) else []
    sizes = [each["bytes"] for each in listed if isinstance(each, dict) and isinstance(each.get("bytes"), int)]
    return ", ".join(f"{size / 1e9:.1f} GB" for size in sizes[:8]) + (", ..." if len(sizes) > 8 else "")


def consequences(of: Consequences) -> shapes.ConsequencesOut:
    """What an action would do."""
    return shapes.ConsequencesOut(
        texts=list(of.texts),
        confirm=of.confirm,
        content=of.content,
        refused=of.refused,
        machine=of.machine,
        disk=_disk(of.disk),
        destroys=of.destroys,
    )


def _disk(of: DiskIdentity | None) -> shapes.DiskOut | None:
    if of is None:
        return None
    return shapes.DiskOut(serial=of.serial, wwn=of.wwn, bytes=of.bytes, model=of.model, summary=of.summary)


def deployment(view: DeploymentView, domain: str, now: float) -> shapes.DeploymentOut:
    """A deployment with what belongs to it."""
    of, on = view.deployment, view.on
    failed = on is not None and on.machine.state is State.FAILED
    return shapes.DeploymentOut(
        id=of.id,
        name=of.name,
        hostname=f"{of.name}.{domain}",
        state=on.machine.state if on else "released",
        wanted=of.wanted,
        image=shapes.Reference(id=view.image.id, name=view.image.name),
        delivery=of.delivery,
        requirements=converted(of.requirements, shapes.RequirementsOut, from_attributes=True),
        ssh_keys=list(of.ssh_keys),
        wipe_on_release=of.wipe_on_release,
        wipe_method=of.wipe_method,
        wanted_machine=of.wanted_machine,
        wanted_disk=of.wanted_disk,
        pool=view.pool_name(of.pool) if of.pool is not None else None,
        root_size=of.root_size,
        kernel=view.kernel.name if view.kernel else None,
        seed=_seed(of),
        root_volume=_root_volume(view),
        machine=_on(on),
        disk=_disk(of.disk),
        installed=_installed(of),
        host_keys=list(of.host_keys),
        generation=of.generation,
        attempt=_own_attempt(view, now),
        failed_reason=on.machine.failed_reason if on and failed else "",
        created=of.created,
    )


def _seed(of: Deployment) -> shapes.SeedOut | None:
    if not of.seed:
        return None
    user_data = of.seed.get(USER_DATA)
    return shapes.SeedOut(user_data=user_data.kind if user_data else "", network_config=NETWORK_CONFIG in of.seed)


def _root_volume(view: DeploymentView) -> shapes.RootVolumeOut | None:
    of = view.root
    if of is None:
        return None
    return shapes.RootVolumeOut(
        id=of.volume,
        name=of.name,
        pool=view.pool_name(of.pool),
        bytes=of.size,
        ready=of.ready,
        export=_export(of.grant) if of.grant else None,
    )


def _export(of: Grant) -> shapes.ExportOut:
    return shapes.ExportOut(
        kind=of.export.kind,
        address=of.export.address,
        server=of.server,
        target=of.target,
        initiator=of.export.initiator,
        since=of.since,
    )


def _on(on: MachineView | None) -> shapes.MachineReference | None:
    if on is None:
        return None
    return shapes.MachineReference(id=on.machine.id, name=on.machine.name, address=on.machine.address)


def _installed(of: Deployment) -> shapes.InstalledOut | None:
    if of.installed is None:
        return None
    return shapes.InstalledOut(
        generation=of.installed.generation,
        disk=_disk(of.installed.disk),
        esp_partuuid=of.installed.esp_partuuid,
        root_fsuuid=of.installed.root_fsuuid,
    )


def _own_attempt(view: DeploymentView, now: float) -> shapes.AttemptOut | None:
    """The machine's latest attempt, unless it was for another deployment before this one."""
    latest = view.on.attempt if view.on else None
    return attempt(view.on, now) if latest and latest.deployment == view.deployment.id else None


def image(of: Image, missing: bool = False) -> shapes.ImageOut:
    """An image; ``missing`` where its content is not here."""
    shown = converted(of, shapes.ImageOut, from_attributes=True)
    return msgspec.structs.replace(shown, missing=missing, obstacle=disk_obstacle(of), deliveries=deliveries_of(of))


def kernel(of: Kernel, missing: bool = False) -> shapes.KernelOut:
    """A kernel; ``missing`` where its content is not here."""
    return msgspec.structs.replace(converted(of, shapes.KernelOut, from_attributes=True), missing=missing)


def event(of: Event) -> shapes.EventOut:
    """An event."""
    return converted(of, shapes.EventOut, from_attributes=True)


def event_page(events: Sequence[Event], limit: int) -> shapes.EventPage:
    """Events with the number that fetches what comes after them."""
    more = len(events) == limit
    return shapes.EventPage(items=[event(each) for each in events], before=events[-1].id if more else None)
