"""What is on the screen of a VM, as a picture."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from appliance.errors import ApplianceError
from appliance.hypervisor.connection import Connection, Libvirt, library
from appliance.hypervisor.libvirt_words import STATES
from appliance.hypervisor.small_png import Picture, Png, Ppm
from appliance.vm import VmId, VmState, wrong_state
from appliance.vm_check import check_id
from appliance.vm_host import unreachable

SECONDS = 15.0
PIECE = 256 << 10
"""Bytes that are taken from the host at a time."""
LIT = frozenset({VmState.RUNNING, VmState.PAUSED, VmState.STOPPING, VmState.CRASHED})
"""States in which a VM has a screen."""
_FORMATS: Mapping[str, type[Picture]] = {"image/png": Png, "image/x-portable-pixmap": Ppm}


class Screenshots(Protocol):
    """A host that shows the screens of its VMs."""

    async def screenshot(self, key: VmId) -> bytes:
        """A PNG of some megabytes at most; others' VMs too.

        Raises Conflict ``vm-state`` where it is off, ApplianceError ``screenshot-large``, ``screenshot-unreadable``,
        and as a ``HostDriver`` does; ``host-unreachable`` also while another screen of the host is being shown.
        """
        ...


class KvmScreenshots:
    """Asks libvirt, for one screen at a time: QEMU draws them, and they are no reason to keep orders waiting."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._showing = threading.Lock()
        """Held by a thread that may still be stuck when nobody waits for it any more."""

    async def take(self, key: VmId) -> bytes:
        """As ``Screenshots`` says."""
        check_id(key)
        try:
            async with asyncio.timeout(SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise self._busy() from None
        try:
            return await self._connection.ask(lambda on: self._take(on, key), SECONDS, key)
        finally:
            self._turn.release()

    def _take(self, on: Libvirt, key: VmId) -> bytes:
        if not self._showing.acquire(blocking=False):
            raise self._busy()
        try:
            domain = on.lookupByUUIDString(key)
            state = STATES.get(domain.state()[0], VmState.UNKNOWN)
            if state not in LIT:
                raise wrong_state("a screenshot", state, domain.name(), "start it first")
            return _received(on.newStream(), domain)
        finally:
            self._showing.release()

    def _busy(self) -> ApplianceError:
        return unreachable(self._connection.address, "it has not shown another screen yet")


def _received(stream: Any, domain: Any) -> bytes:
    whole = False
    try:
        kind = domain.screenshot(stream, 0)
        if kind not in _FORMATS:
            text = f"the host sent a picture of a kind that we do not read: {kind[:40]}"
            raise ApplianceError("screenshot-unreadable", text, "use the VM's console")
        picture = _FORMATS[kind]()
        while piece := stream.recv(PIECE):
            picture.feed(piece)
        stream.finish()
        whole = True
        return picture.png()
    finally:
        if not whole:
            with contextlib.suppress(library().libvirtError):
                stream.abort()
