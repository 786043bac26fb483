"""A machine's serial console in the user's terminal."""

import os
import select
import socket
import sys
import termios
import tty
from pathlib import Path

from appliance.errors import ApplianceError

LEAVE = b"\x1d"
"""Ctrl-], as in telnet."""


def attach(path: Path) -> None:
    """Connect the terminal to the console socket at ``path`` until Ctrl-] or the lab's end."""
    with socket.socket(socket.AF_UNIX) as console:
        try:
            console.connect(str(path))
        except OSError as error:
            raise ApplianceError("lab-gone", f"{path.name} cannot be reached: {error.strerror}") from error
        if sys.stdin.isatty():
            _raw(console)
        else:
            _relay(console)


def _raw(console: socket.socket) -> None:
    print("Ctrl-] leaves.", file=sys.stderr)
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        _relay(console)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _relay(console: socket.socket) -> None:
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    sources: list[int] = [console.fileno(), keyboard]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if console.fileno() in ready and not _show(console, screen):
            return
        if keyboard in ready:
            typed = os.read(keyboard, 4096)
            if LEAVE in typed:
                return
            if typed:
                console.sendall(typed)
            else:
                sources.remove(keyboard)  # an input that ended is no reason to stop looking


def _show(console: socket.socket, screen: int) -> bool:
    data = console.recv(65536)
    os.write(screen, data)
    return bool(data)
