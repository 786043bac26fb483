"""A machine's serial port: kept in a bounded log, shown to any number of consoles."""

import asyncio
from pathlib import Path

LOG_BYTES = 2 << 20
"""Size at which a log is set aside; one older log is kept, so a machine that babbles costs twice this."""
RECENT_BYTES = 8 << 10
"""What a console is shown first; about two screens."""


class BoundedLog:
    """A file that never grows above ``limit`` bytes: when full it becomes ``NAME.old`` and starts anew."""

    def __init__(self, path: Path, limit: int = LOG_BYTES) -> None:
        self._path = path
        self._limit = limit
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Add ``data``, setting the full log aside first."""
        if self._file.tell() + len(data) > self._limit:
            self._file.close()
            self._path.replace(old(self._path))
            self._file = self._path.open("ab", buffering=0)
        self._file.write(data[-self._limit :])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def old(path: Path) -> Path:
    """Where the previous part of the log at ``path`` is."""
    return path.with_name(path.name + ".old")


def read_log(path: Path) -> str:
    """All that is kept of a serial log, oldest first; empty when the machine has said nothing yet."""
    parts = (file.read_bytes() for file in (old(path), path) if file.exists())
    return b"".join(parts).decode(errors="replace")


class SerialPort:
    """Between QEMU's end of the serial line and everyone who looks at it. It outlives power cycles."""

    def __init__(self, log: BoundedLog) -> None:
        self._log = log
        self._consoles: set[asyncio.StreamWriter] = set()
        self._line: asyncio.StreamWriter | None = None
        self._recent = b""

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what the machine says until QEMU ends."""
        self._line = writer
        try:
            while data := await reader.read(65536):
                self._log.write(data)
                self._recent = (self._recent + data)[-RECENT_BYTES:]
                self._show(data)
        finally:
            self._line = None
            writer.close()

    def _show(self, data: bytes) -> None:
        for console in self._consoles:
            # A console that does not read must hold up neither the machine nor the others: it is cut off.
            if console.transport.get_write_buffer_size() < LOG_BYTES:
                console.write(data)
            else:
                console.transport.abort()

    async def attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one console: it sees what the machine said last and says, and what it types reaches it."""
        writer.write(self._recent)
        self._consoles.add(writer)
        try:
            while data := await reader.read(4096):
                self.type(data)
        except ConnectionError:
            pass
        finally:
            self._consoles.discard(writer)
            writer.close()

    def type(self, data: bytes) -> None:
        """Send keystrokes to the machine; lost when it is off, as on a real cable."""
        if self._line is not None:
            self._line.write(data)
