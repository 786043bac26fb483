"""libvirt's event loop, in a thread of its own: its callbacks come from there, and its connections are kept alive.

libvirt has one such loop in a process, and no way to give it back. It runs while somebody holds it.
"""

import contextlib
import threading

ROUND = 1000
"""Milliseconds after which the loop looks whether anybody holds it still."""
ROUNDS_ALONE = 3
"""How often that has to be so: what closes a socket is done in a round of the loop, after it was asked for."""

_guard = threading.Lock()
_held = 0
_thread: threading.Thread | None = None
_registered = False


def hold() -> None:
    """To be called before the first connection is opened; each with one ``release``."""
    global _held, _thread, _registered
    import libvirt

    with _guard:
        if not _registered:
            libvirt.virEventRegisterDefaultImpl()
            libvirt.registerErrorHandler(lambda context, error: None, None)  # errors are raised; it prints them as well
            libvirt.virEventAddTimeout(ROUND, lambda timer, opaque: None, None)
            _registered = True
        _held += 1
        if _thread is None:
            _thread = threading.Thread(target=_run, name="libvirt-events", daemon=True)
            _thread.start()


def release() -> None:
    """The last one lets the thread end after a few of its rounds."""
    global _held
    with _guard:
        _held -= 1


def _run() -> None:
    global _thread
    import libvirt

    alone = 0
    while True:
        with contextlib.suppress(libvirt.libvirtError):
            libvirt.virEventRunDefaultImpl()
        with _guard:
            alone = 0 if _held else alone + 1
            if alone == ROUNDS_ALONE:
                _thread = None
                return
