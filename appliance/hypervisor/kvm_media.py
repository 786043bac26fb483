"""Discs through libvirt: what runs is changed first, since its system may keep the drive shut."""

from collections.abc import Callable
from typing import Any

from appliance.hypervisor.connection import Connection, Libvirt, library
from appliance.hypervisor.domain_reading import read
from appliance.hypervisor.media import no_drive, tray_locked, with_disc
from appliance.hypervisor.media_xml import drive_in, gives_away, path_in, refilled
from appliance.vm import Vm, VmId
from appliance.vm_check import check_id, checked

SECONDS = 45.0
"""For a change: a system is given 5 seconds to open its drive, libvirt tries three times."""
_Domain = Any
"""A ``libvirt.virDomain``."""


class KvmMedia:
    """``own`` looks a VM up, and refuses foreign ones; ``store`` changes its stored definition."""

    def __init__(
        self,
        connection: Connection,
        own: Callable[[Libvirt, VmId], _Domain],
        store: Callable[[Libvirt, _Domain, Vm], None],
    ) -> None:
        self._connection, self._own, self._store = connection, own, store

    async def change(self, key: VmId, target: str, path: str, *, force: bool = False) -> None:
        """As the seam says."""
        check_id(key)
        await self._connection.ask(lambda on: self._change(on, key, target, path, force=force), SECONDS, key)

    def _change(self, on: Libvirt, key: VmId, target: str, path: str, *, force: bool) -> None:
        domain = self._own(on, key)
        stored = read(domain.XMLDesc(library().VIR_DOMAIN_XML_INACTIVE)).vm
        known = any(each.target == target for each in stored.cdroms)
        wanted = checked(with_disc(stored, target, path)) if known else stored
        there = _put(on, domain, target, path, force=force) if domain.isActive() else False
        if not (known or there):
            raise no_drive(stored.name, target)
        if wanted != stored and domain.isPersistent():
            self._store(on, domain, wanted)


def _put(on: Libvirt, domain: _Domain, target: str, path: str, *, force: bool) -> bool:
    """Whether what runs has the drive; one that was added since it started comes with its next start."""
    libvirt = library()
    drive = drive_in(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE), target)
    if drive is None:
        return False
    if path_in(drive) == path:
        return True
    flags = libvirt.VIR_DOMAIN_DEVICE_MODIFY_LIVE | (libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE if force else 0)
    try:
        domain.updateDeviceFlags(refilled(drive, path, owner_kept=gives_away(on.getURI())), flags)
    except libvirt.libvirtError as error:
        if keeps_shut(error.get_error_message() or ""):
            raise tray_locked(domain.name(), target) from None
        raise
    return True


def keeps_shut(words: str) -> bool:
    """Whether that is what libvirt, or QEMU through it, says of a drive that the VM's system has locked."""
    said = words.lower()
    return "tray" in said or ("is locked" in said and "device" in said)
