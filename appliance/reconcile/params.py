"""The parameters of each step, as its agent gets them (ARCHITECTURE.md, Wire formats). Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.catalogue import Image
from appliance.delivery import on_disk, on_volume
from appliance.deployment import Deployment, DiskIdentity
from appliance.errors import ApplianceError
from appliance.machine import Machine
from appliance.workflow import CONFIGURE, GROW, HAND_OVER, OPEN_SSH, PREPARE, RESTART, WIPE_DISK, WRITE

APPEND = "panic=30 nmi_watchdog=panic"
"""Extra kernel command line of a kexec. A kernel that panics, or has a CPU stuck for good with interrupts off, must not
stand still: it comes back to us, and we see that it failed (admin-guide/kernel-parameters)."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What parameters are made from besides the stored values."""

    machine: Machine
    deployment: Deployment
    image: Image
    server: str
    """Plain HTTP base URL as this machine sees it."""
    control: str
    ca_pem: str
    download_token: str = ""
    resident_token: str = ""
    package_proxy: str = ""
    """HTTP proxy by which systems on this subnet get their packages; empty: directly."""
    begun: tuple[str, ...] = ()
    """Earlier attempts of the deployment, whose mark may be on the disk."""
    seed: Mapping[str, str] = field(default_factory=dict)
    """For CONFIGURE: what cloud-init is to be given, by part. It holds secrets."""
    root: Mapping[str, Any] = field(default_factory=dict)
    """What starts a root on the network by kexec (``root_document.by_kexec``); for CONFIGURE, what reaches one."""


def params(step: str, around: Surroundings) -> dict[str, Any]:
    """The parameters of ``step``; raises ApplianceError where the deployment has no disk, and needs one."""
    if on_volume(around.deployment.delivery):
        return _ON_VOLUME[step](around)
    if not on_disk(around.deployment.delivery):
        return _OFF_DISK[step](around)
    if around.deployment.disk is None:
        raise ApplianceError("no-disk", f"{around.deployment.name} has no disk chosen", "release it and start it again")
    return _PARAMS[step](around, around.deployment.disk)


MACHINE_STEPS = (OPEN_SSH, RESTART)
"""Steps of a machine, whether it has a deployment or not."""


def machine_params(step: str, machine: Machine) -> dict[str, Any]:
    """The parameters of one of MACHINE_STEPS."""
    if step == OPEN_SSH:
        return {"ssh_keys": list(machine.rescue.ssh_keys) if machine.rescue else []}
    return {}


def _disk(disk: DiskIdentity) -> dict[str, Any]:
    return {"serial": disk.serial, "wwn": disk.wwn, "size": disk.bytes}


def _agreement(around: Surroundings, disk: DiskIdentity) -> dict[str, Any]:
    """What the user agreed to lose: this content and no other, or whatever the deployment has written there.

    A disk that an earlier attempt has begun to clear holds neither any more; that attempt's mark is on it.
    """
    return {"content": disk.content, "owned": disk.owned, "begun": list(around.begun)}


def _prepare(around: Surroundings, disk: DiskIdentity) -> dict[str, Any]:
    image = {"size": around.image.size, "sector_size": around.image.sector_size}
    return {"disk": _disk(disk), **_agreement(around, disk), "image": image}


def _write(around: Surroundings, disk: DiskIdentity) -> dict[str, Any]:
    return {"disk": _disk(disk), "image": _image(around)}


def _image(around: Surroundings) -> dict[str, Any]:
    image = around.image
    return {
        "url": f"{around.server}/images/{image.id}/content",
        "token": around.download_token,
        "format": image.format,
        "size": image.size,
        "stored_size": image.stored_size,
        "stored_sha256": image.stored_sha256,
    }


def _grow(_: Surroundings, disk: DiskIdentity) -> dict[str, Any]:
    return {"disk": _disk(disk)}


def _configure(around: Surroundings, disk: DiskIdentity) -> dict[str, Any]:
    return {"disk": _disk(disk), **_identity(around)}


def _make_own(around: Surroundings) -> dict[str, Any]:
    return {"image": _image(around), **_identity(around)}


def _make_volume_own(around: Surroundings) -> dict[str, Any]:
    return {"root": {"delivery": around.deployment.delivery, **around.root}, **_identity(around)}


def _identity(around: Surroundings) -> dict[str, Any]:
    deployment, machine = around.deployment, around.machine
    return {
        "hostname": deployment.name,
        "machine_id": deployment.machine_uuid,
        "ssh_keys": list(deployment.ssh_keys),
        "network": [{"mac": boot_mac(machine), "method": "dhcp"}],
        "firmware": machine.firmware,
        **({"package_proxy": around.package_proxy} if around.package_proxy else {}),
        **({"seed": dict(around.seed)} if around.seed else {}),
        "resident": {
            "server": around.server,
            "control": around.control,
            "ca_pem": around.ca_pem,
            "token": around.resident_token,
            "machine": machine.id,
            "deployment": str(deployment.id),
        },
    }


def boot_mac(machine: Machine) -> str:
    """The interface that the system uses: the one that booted; raises ApplianceError ``no-interface``."""
    said = (machine.inventory or {}).get("boot_mac")
    if not said and not machine.macs:
        raise ApplianceError("no-interface", f"{machine.name} has no network interface left", "let it boot again")
    return str(said or machine.macs[0])


def _hand_over(around: Surroundings, disk: DiskIdentity) -> dict[str, Any]:
    return {"disk": _disk(disk), "method": around.machine.hand_over, "append": APPEND}


def _leave(around: Surroundings) -> dict[str, Any]:
    return {"method": around.machine.hand_over, "root": dict(around.root)}


def _wipe(around: Surroundings, disk: DiskIdentity) -> dict[str, Any]:
    return {"disk": _disk(disk), **_agreement(around, disk), "method": around.deployment.wipe_method}


_PARAMS: dict[str, Callable[[Surroundings, DiskIdentity], dict[str, Any]]] = {
    PREPARE: _prepare,
    WRITE: _write,
    GROW: _grow,
    CONFIGURE: _configure,
    HAND_OVER: _hand_over,
    WIPE_DISK: _wipe,
}

_OFF_DISK: dict[str, Callable[[Surroundings], dict[str, Any]]] = {CONFIGURE: _make_own, HAND_OVER: _leave}
"""For what runs from memory."""

_ON_VOLUME: dict[str, Callable[[Surroundings], dict[str, Any]]] = {CONFIGURE: _make_volume_own, HAND_OVER: _leave}
"""For what runs from a volume of the appliance."""
