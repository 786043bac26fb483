"""Screens and serial lines of VMs: the second seam of a host, which passes tests/contract/test_consoles_contract.py.

Whoever opens one gets a connected socket, whatever the host does to reach it: a VM's screen has no port.
"""

import socket
from enum import StrEnum
from typing import Protocol

from appliance.errors import Conflict
from appliance.vm import VmId, VmState, wrong_state


class ConsoleKind(StrEnum):
    """Which of a VM's two consoles."""

    SCREEN = "screen"
    """As RFB (RFC 6143), without a password."""
    SERIAL = "serial"
    """Its first serial port, as bytes."""


class Consoles(Protocol):
    """Those of the VMs of one host."""

    async def open(self, key: VmId, kind: ConsoleKind) -> socket.socket:
        """A connected stream socket that does not block, the caller's to close; it ends when the VM is off.

        A screen can be opened as often as anybody likes. A serial line is one caller's, who has to read: what the VM
        says waits for that. Raises Conflict ``vm-state`` for a VM that is off, ``vm-foreign``, ``vm-no-screen``,
        ``vm-no-serial``, ``screen-far``, ``serial-taken``; and as each call of ``HostDriver`` does.
        """
        ...


def check_on(kind: ConsoleKind, state: VmState, name: str) -> None:
    """Raises Conflict ``vm-state`` for a VM that has no process."""
    if state is VmState.OFF:
        what = "a look at its screen" if kind is ConsoleKind.SCREEN else "its serial line"
        raise wrong_state(what, state, name, "start it first")


def lacking(kind: ConsoleKind, name: str) -> Conflict:
    """What is said of a VM that has no such console; its definition was not made by us."""
    if kind is ConsoleKind.SCREEN:
        return Conflict("vm-no-screen", f"{name} has no screen of the kind VNC", "use its serial line")
    return Conflict("vm-no-serial", f"{name} has no serial line", "use its screen")


def far(host: str) -> Conflict:
    """What is said of a screen whose descriptor cannot be handed over."""
    text = f"the screen of a VM is shown on its own host only, and {host} is another computer"
    return Conflict("screen-far", text, "use its serial line, or virt-viewer with that host's address")


def taken(name: str) -> Conflict:
    """What is said of a serial line that somebody else reads."""
    text = f"another program has the serial line of {name} open"
    return Conflict("serial-taken", text, "end it there: virsh console is left with Ctrl and ]")
