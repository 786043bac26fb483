"""The connection to one libvirt: calls in threads, each with a deadline. Once lost, the next call opens it anew.

libvirt is imported when it is first needed: a daemon without VMs does without.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from appliance.errors import ApplianceError
from appliance.hypervisor import event_thread
from appliance.hypervisor.libvirt_words import EVENTS, translated
from appliance.hypervisor.threads import Threads
from appliance.vm import VmId
from appliance.vm_host import Change, unreachable

T = TypeVar("T")
Libvirt = Any
"""A ``libvirt.virConnect``; the library says nothing of its types."""
THREADS = 4
"""Calls at a time to one host."""
KEEP_ALIVE = (5, 3)
"""Seconds between questions whether the host is there, and how many may stay without answer. Then libvirt ends the
connection and every call that waits on it, so that no thread is stuck for good."""
WATCHED = ("REBOOT", "IO_ERROR_REASON", "AGENT_LIFECYCLE", "DEVICE_ADDED", "DEVICE_REMOVED", "METADATA_CHANGE")
"""Events besides those of a VM's life."""


class Connection:
    """``tell`` hears of changes in the event loop's thread, once ``listen`` was called."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._threads = Threads(THREADS, "libvirt")
        self._guard = threading.Lock()
        self._open: Libvirt | None = None
        self._lost = False
        self._callbacks: list[int] = []
        self._tell: Callable[[Change], None] = lambda change: None
        self._closed = False

    def listen(self, hears: Callable[[Change], None]) -> None:
        """To changes, from the running event loop."""
        loop = asyncio.get_running_loop()

        def tell(change: Change) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(hears, change)

        self._tell = tell

    def deafen(self) -> None:
        """Nobody listens any more."""
        self._tell = lambda change: None

    async def ask(self, what: Callable[[Libvirt], T], seconds: float, name: str = "") -> T:
        """What ``what`` returns, called with the connection; ``name`` is the VM that it is about.

        Raises ApplianceError ``host-unreachable`` after ``seconds``, and as ``translated`` says.
        """
        if self._closed:
            raise unreachable(self.address, "the connection to it was closed")
        try:
            return await self._threads.run(lambda: self._asked(what, name), seconds)
        except TimeoutError:
            raise unreachable(self.address, f"no answer within {seconds:.0f} seconds") from None

    async def close(self) -> None:
        """A host that hangs is not waited for."""
        self._closed = True
        self.deafen()
        with contextlib.suppress(TimeoutError):
            await self._threads.run(self._end, 2.0)
        self._threads.close()

    def _asked(self, what: Callable[[Libvirt], T], name: str) -> T:
        libvirt = library()
        try:
            return what(self._there(libvirt))
        except ApplianceError as error:
            refused = error.with_traceback(None)  # its frames have the VM, which keeps the connection open
            refused.__context__ = None
        except libvirt.libvirtError as error:
            refused = self._meant(error, name)
        raise refused

    def _meant(self, error: Any, name: str) -> ApplianceError:
        """In words, and without what the library's own error holds."""
        number, domain = error.get_error_code() or 0, error.get_error_domain() or 0
        words = error.get_error_message() or str(error)
        meant = translated(number, domain, words, self.address, name)
        if meant.code != "host-refused" and self._is_gone():
            return unreachable(self.address, words)
        return meant

    def _there(self, libvirt: Any) -> Libvirt:
        with self._guard:
            if self._open is not None and (self._lost or not self._open.isAlive()):
                self._let_go()
            if self._open is None:
                if self._closed:  # while this call waited for its turn
                    raise unreachable(self.address, "the connection to it was closed")
                self._begin(libvirt)
            return self._open

    def _is_gone(self) -> bool:
        """Whether the line is down, so that an error is one of the line."""
        with self._guard:
            return self._open is None or self._lost or not self._open.isAlive()

    def _begin(self, libvirt: Any) -> None:
        event_thread.hold()
        try:
            opened = libvirt.open(self.address)
        except BaseException:
            event_thread.release()
            raise
        self._open, self._lost = opened, False
        with contextlib.suppress(libvirt.libvirtError):  # one in this process needs none
            opened.setKeepAlive(*KEEP_ALIVE)
        with contextlib.suppress(libvirt.libvirtError):
            opened.registerCloseCallback(self._on_close, None)
        self._subscribe(libvirt, opened)
        self._tell(Change(None, "the host answers"))

    def _subscribe(self, libvirt: Any, opened: Libvirt) -> None:
        """What a host does not tell of is seen when it is looked at next."""
        self._callbacks = []
        kinds = [(f"VIR_DOMAIN_EVENT_ID_{each}", self._on_event) for each in WATCHED]
        for kind, hears in [("VIR_DOMAIN_EVENT_ID_LIFECYCLE", self._on_life), *kinds]:
            with contextlib.suppress(libvirt.libvirtError):
                number = opened.domainEventRegisterAny(None, getattr(libvirt, kind), hears, kind)
                self._callbacks.append(number)

    def _on_life(self, opened: Libvirt, vm: Any, event: int, detail: int, opaque: str) -> None:
        self._tell(Change(VmId(vm.UUIDString()), EVENTS[event] if event < len(EVENTS) else "changed"))

    def _on_event(self, opened: Libvirt, vm: Any, *more: object) -> None:
        what = str(more[-1]).rpartition("_ID_")[2].lower().replace("_", " ")
        self._tell(Change(VmId(vm.UUIDString()), what))

    def _on_close(self, opened: Libvirt, reason: int, opaque: object) -> None:
        """In the thread of events, which must not wait for a call that holds the guard."""
        self._lost = True
        self._tell(Change(None, "the host does not answer"))

    def _let_go(self) -> None:
        """The guard is held. What refers to a connection keeps it open, so that goes first."""
        opened, self._open = self._open, None
        if opened is None:
            return
        libvirt = library()
        for number in self._callbacks:
            with contextlib.suppress(libvirt.libvirtError):
                opened.domainEventDeregisterAny(number)
        for each in (opened.unregisterCloseCallback, opened.close):
            with contextlib.suppress(libvirt.libvirtError):
                each()
        event_thread.release()

    def _end(self) -> None:
        with self._guard:
            self._let_go()


def library() -> Any:
    """The library; raises ApplianceError ``libvirt-missing``."""
    try:
        import libvirt
    except ImportError as error:
        hint = "install python3-libvirt, or the extra vms of the Python package"
        raise ApplianceError("libvirt-missing", f"VMs cannot be reached: {error}", hint) from error
    return libvirt
