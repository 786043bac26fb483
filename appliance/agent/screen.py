"""What stands on the machine's own screen and serial console: who it is, what it waits for, what is wrong."""

import os
import select
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import STEP, AgentError

CLEAR = "\x1b[2J\x1b[H"
PATIENCE = 0.5
"""Seconds to wait for a serial line that does not take our text: nobody may be at its other end."""


def clean(text: str, limit: int = 400) -> str:
    """`text` with everything replaced that is not a printable character: it may come from the network."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:limit]


def console_devices(active: str) -> list[Path]:
    """Devices of the kernel's consoles from `/sys/class/tty/console/active`, such as `tty0 ttyS0` (pure)."""
    names = ["tty1" if name == "tty0" else name for name in active.split()]
    return [Path("/dev") / name for name in names]


@dataclass
class Screen:
    """Remembers what it shows, and writes again only when something changed."""

    devices: Sequence[Path]
    name: str = "a machine"
    address: str = ""
    server: str = ""
    state: str = "starting"
    doing: str = ""
    mac: str = ""
    """Of the card that booted; its end is in the code."""
    error: str = ""
    todo: str = ""
    waits: int = STEP
    """What it waits for, by the number that the appliance explains."""
    _shown: list[str] = field(default_factory=list)

    def show(self, **changes: str) -> None:
        """Change the given fields and write what is new."""
        for key, value in changes.items():
            setattr(self, key, clean(value))
        self._write_news()

    def _write_news(self) -> None:
        lines = self.lines()
        if lines != self._shown:
            new = [line for line in lines if line not in self._shown]
            self._shown = lines
            self._write(lines, new)

    def trouble(self, error: AgentError) -> None:
        """Show what went wrong and what can be done; it is tried again without being asked."""
        self.waits = error.waits
        self.show(error=error.message, todo=error.todo)

    def well(self, waits: int = STEP) -> None:
        """Take the error away."""
        if self.error or self.waits != waits:
            self.waits = waits
            self.show(error="", todo="")

    def lines(self) -> list[str]:
        """The whole screen as text."""
        said = [
            ("machine", self.name),
            ("address", self.address),
            ("appliance", self.server),
            ("state", self.state),
            ("now", self.doing),
            ("problem", self.error),
            ("to do", self.todo),
            ("code", self._code()),
        ]
        return [f"qrm: {label + ':':<11}{value}" for label, value in said if value]

    def _code(self) -> str:
        """What a person types to find this machine and what its screen says."""
        end = self.mac.replace(":", "")[6:].upper()
        return f"{end}-{self.waits}, in the console: Ctrl-K; or: qrm find {end}-{self.waits}" if end else ""

    def _write(self, lines: list[str], new: list[str]) -> None:
        page = "".join(f"{line}\r\n" for line in lines)
        news = "".join(f"{line}\r\n" for line in new)
        sent = [self._send(device, page, news) for device in self.devices]
        if not any(sent):
            sys.stdout.write(news)
            sys.stdout.flush()

    @staticmethod
    def _send(device: Path, page: str, news: str) -> bool:
        is_screen = device.name.startswith("tty") and device.name[3:].isdigit()
        return put(device, CLEAR + page if is_screen else news)


def put(device: Path, text: str) -> bool:
    """Write to a console without ever being held up by it; says whether it opened."""
    try:
        fd = os.open(device, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_APPEND)
    except OSError:
        return False
    try:
        _push(fd, text.encode())
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _push(fd: int, rest: bytes) -> None:
    while rest and select.select([], [fd], [], PATIENCE)[1]:
        rest = rest[os.write(fd, rest) :]
