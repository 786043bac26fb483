"""Discs in the CD-ROM drives of VMs: put in and taken out while they run, and in what is stored of them."""

from dataclasses import replace
from typing import Protocol

from appliance.errors import Conflict, NotFound
from appliance.vm import Vm, VmId


class Media(Protocol):
    """The drives of one host's VMs."""

    async def change(self, key: VmId, target: str, path: str, *, force: bool = False) -> None:
        """The disc whose file is ``path`` is in the drive ``target``, at once and from now on; empty: none is.

        What is so already is done. ``force`` takes a disc out that the VM's system holds, as a pin in the drive's hole
        does. Raises NotFound ``vm-drive-unknown``; Conflict ``vm-tray-locked``, then nothing has changed; and as calls
        of a ``HostDriver`` do.
        """
        ...


def with_disc(vm: Vm, target: str, path: str) -> Vm:
    """The definition with that disc in the drive, or none; raises NotFound ``vm-drive-unknown``."""
    if all(each.target != target for each in vm.cdroms):
        raise no_drive(vm.name, target)
    changed = tuple(replace(each, path=path) if each.target == target else each for each in vm.cdroms)
    return replace(vm, cdroms=changed)


def no_drive(name: str, target: str) -> NotFound:
    """What is said of a drive that is not there."""
    text = f"{name[:80]} has no CD-ROM drive {target[:20]}"
    return NotFound("vm-drive-unknown", text, "look at its hardware, or add a drive", "target")


def tray_locked(name: str, target: str) -> Conflict:
    """What is said of a drive that the VM's system keeps shut."""
    text = f"the system of {name} keeps the drive {target} shut: it uses the disc"
    hint = "eject it there (umount, eject), then try again; by force it is taken out, and what reads it there fails"
    return Conflict("vm-tray-locked", text, hint, "force")
