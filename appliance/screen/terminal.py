"""The terminal itself: raw while the screen is on it, never waited for, given back as it was found."""

import asyncio
import fcntl
import os
import re
import signal
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from appliance.screen import ansi
from appliance.screen.text import Line, Size


def is_line(name: str) -> bool:
    """Whether a terminal of this name is a line to somewhere else, and neither a console nor a pseudo-terminal."""
    return not re.fullmatch(r"/dev/(pts/|tty|vc/)\d+", name)


class Terminal:
    """One terminal. It may be a serial line that nobody reads: then what is drawn waits, and later drawings do not."""

    def __init__(self, descriptor: int) -> None:
        """``descriptor`` is open for reading and writing. Raises OSError or termios.error for what is no terminal."""
        self._descriptor = descriptor
        self._kept = termios.tcgetattr(descriptor)
        self._waiting = b""
        self._seen: list[Line] = []
        self._serial = self._window() is None or is_line(os.ttyname(descriptor))
        self._is_raw = False

    @property
    def is_serial(self) -> bool:
        """Whether nobody here knows what is at its other end, so that it has to be asked."""
        return self._serial

    def size(self) -> Size | None:
        """Its size as the kernel knows it, which for a serial line is nothing, or what somebody once set."""
        found = self._window()
        return found and replace(found, ascii_only=self._serial)

    def _window(self) -> Size | None:
        with suppress(OSError):
            packed = fcntl.ioctl(self._descriptor, termios.TIOCGWINSZ, bytes(8))
            rows, columns, _, _ = struct.unpack("4H", packed)
            if rows and columns:
                return Size(min(columns, ansi.MOST.columns), min(rows, ansi.MOST.rows))
        return None

    def open(self) -> None:
        """Take the terminal: keys come one by one, and none of them is a signal."""
        wanted = termios.tcgetattr(self._descriptor)
        wanted[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INLCR | termios.ISTRIP | termios.IXON)
        wanted[0] |= termios.IGNBRK  # a break on a serial line is noise, or asks for another speed
        wanted[1] &= ~termios.OPOST
        wanted[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
        wanted[6][termios.VMIN], wanted[6][termios.VTIME] = 1, 0  # to read nothing is to be hung up
        termios.tcsetattr(self._descriptor, termios.TCSANOW, wanted)
        os.set_blocking(self._descriptor, False)
        self._take_foreground()
        self._is_raw = True
        self._seen = []
        self._write(ansi.OPEN if self._serial else ansi.UTF8_LINUX + ansi.OPEN)

    def _take_foreground(self) -> None:
        """A shell that was killed leaves the terminal to a process group that is gone; reading would fail then."""
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # the kernel stops who takes it from the background
        with suppress(OSError):
            os.tcsetpgrp(self._descriptor, os.getpgrp())
        signal.signal(signal.SIGTTOU, before)

    def close(self) -> None:
        """Give it back as it was. A line that nobody reads gets no farewell."""
        self._waiting = b""
        with suppress(RuntimeError):
            asyncio.get_running_loop().remove_writer(self._descriptor)
        if not self._is_raw:
            return
        self._is_raw = False
        with suppress(OSError, termios.error):
            termios.tcflush(self._descriptor, termios.TCIFLUSH)  # it was meant for us
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._kept)
        with suppress(OSError):
            os.write(self._descriptor, ansi.CLOSE)
        with suppress(OSError):
            os.set_blocking(self._descriptor, True)

    def ask(self) -> None:
        """Ask it for its size and its letters; the answers come as keys. Draws over what is there."""
        if self._is_raw and not self._waiting:
            self._seen = []
            self._write(ansi.ASK)

    def forget(self) -> None:
        """Something else may have written on it: the next drawing draws all."""
        self._seen = []

    def draw(self, lines: list[Line]) -> None:
        """Show these lines; left out while earlier ones are still on their way."""
        if self._waiting or not self._is_raw:
            return
        self._write(ansi.drawn(self._seen, lines))
        self._seen = lines

    def _write(self, data: bytes) -> None:
        self._waiting += data
        self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                written = os.write(self._descriptor, self._waiting)
                self._waiting = self._waiting[written:]
        except BlockingIOError:
            loop.add_writer(self._descriptor, self._flush)
            return
        except OSError:  # it hung up; reading says so too
            self._waiting = b""
        loop.remove_writer(self._descriptor)

    def read(self, heard: Callable[[bytes], None]) -> None:
        """Have ``heard`` called with what is typed; with nothing once the line hung up."""

        def ready() -> None:
            try:
                data = os.read(self._descriptor, 1024)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            heard(data)

        asyncio.get_running_loop().add_reader(self._descriptor, ready)

    def stop_reading(self) -> None:
        """Keys go to somebody else for a while."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
