"""Log lines: with fields to systemd's journal where it listens, else as plain text.

Each line about a machine has its id: ``MACHINE=`` in the journal (``journalctl MACHINE=...``), ``machine=`` at its end
in text. Whatever machines or users call themselves, a line stays one line and does nothing to a terminal.
"""

import array
import errno
import fcntl
import logging
import os
import select
import socket
import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from appliance import about

SOCKET = Path("/run/systemd/journal/socket")
IDENTIFIER = "qrm"
LONGEST = 64_000
"""Characters of a line; the rest is cut off."""
_SEND_BUFFER = 8 << 20
"""Bytes, as sd_journal_send(3) asks for: many lines at once are no reason to lose one."""
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_TOO_LARGE = (errno.EMSGSIZE, errno.ENOBUFS)
_DEBUG = 7
"""Priorities of syslog(3)."""


def set_up(environment: Mapping[str, str], level: int = logging.INFO) -> None:
    """Send all that is logged to the journal if stderr is connected to it, else to stderr as text."""
    text = logging.StreamHandler(sys.stderr)
    text.setFormatter(TextFormatter())
    handler = JournalHandler(SOCKET, text) if is_connected(environment, sys.stderr.fileno()) else text
    logging.basicConfig(level=level, handlers=[handler])


def is_connected(environment: Mapping[str, str], descriptor: int) -> bool:
    """Whether a descriptor is the journal's: JOURNAL_STREAM has its device and inode (systemd.exec(5)).

    The variable alone says nothing: programs that were started with another stderr inherit it too.
    """
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    if not (device.isdecimal() and inode.isdecimal()):
        return False
    found = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (int(device), int(inode))


class TextFormatter(logging.Formatter):
    """One line, and a traceback indented below it, so that nothing in it looks like another line of the log."""

    def format(self, record: logging.LogRecord) -> str:
        """``LEVEL logger: message machine=ID``, the last part only about a machine."""
        machine = about.current()
        first = f"{record.levelname} {record.name}: {cleaned(_message(record))}"
        first += f" machine={cleaned(machine)}" if machine else ""
        return "\n".join([first, *(f"    {line}" for line in _traceback(record))])


class JournalHandler(logging.Handler):
    """Speaks the journal's native protocol; what it does not take goes to another handler."""

    def __init__(self, path: Path, otherwise: logging.Handler) -> None:
        super().__init__()
        self._path, self._otherwise = path, otherwise
        self._socket: socket.socket | None = None
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits: a journal that is busy loses lines, which is told later, and keeps no machine from booting."""
        try:
            entry = fields(record)
            if self._lost:
                entry["MESSAGE"] += f" ({self._lost} lines before this one were lost)"
            self._send(encoded(entry))
            self._lost = 0
        except BlockingIOError:
            self._lost += 1
        except OSError:  # it is being restarted
            self._disconnect()
            if _has_room(self._otherwise):
                self._otherwise.handle(record)
            else:
                self._lost += 1
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Give the socket back."""
        self._disconnect()
        super().close()

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            self._socket.connect(str(self._path))
        return self._socket

    def _send(self, datagram: bytes) -> None:
        channel = self._connected()
        try:
            channel.send(datagram)
        except OSError as error:
            if error.errno not in _TOO_LARGE:
                raise
            _send_as_file(channel, datagram)


def _has_room(handler: logging.Handler) -> bool:
    """Whether a line can be written without waiting: stderr is the same journal, and a pipe that fills up."""
    stream = getattr(handler, "stream", None)
    return stream is None or bool(select.select([], [stream], [], 0)[1])


def _send_as_file(channel: socket.socket, content: bytes) -> None:
    """What is too large for a datagram goes as a sealed memfd (systemd's Native Journal Protocol)."""
    descriptor = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        rights = array.array("i", [descriptor])
        channel.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    finally:
        os.close(descriptor)


def fields(record: logging.LogRecord) -> dict[str, str]:
    """A record as fields of the journal (systemd.journal-fields(7)), and two of ours: LOGGER and MACHINE."""
    machine = about.current()
    return {
        "MESSAGE": "\n".join([cleaned(_message(record)), *_traceback(record)]),
        "PRIORITY": str(next((number for level, number in _PRIORITIES if record.levelno >= level), _DEBUG)),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "LOGGER": record.name,
        "CODE_FILE": record.pathname,
        "CODE_LINE": str(record.lineno),
        "CODE_FUNC": record.funcName or "",
    } | ({"MACHINE": cleaned(machine)} if machine else {})


def encoded(entry: Mapping[str, str]) -> bytes:
    """Fields in wire form: ``NAME=value``, or the name, a length and the value where that has a line feed in it."""
    return b"".join(_field(name, value.encode(errors="replace")) for name, value in entry.items())


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(value)), value)
    return b"%s=%s\n" % (name.encode(), value)


def cleaned(text: str) -> str:
    """A text in one line, without what acts on a terminal or turns the direction of writing."""
    text = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # a defect of ours in one call must not lose what it wanted to say
        return f"{record.msg} {record.args}"


def _traceback(record: logging.LogRecord) -> Iterable[str]:
    if not record.exc_info:
        return []
    text = _PLAIN.formatException(record.exc_info)
    return [cleaned(line) for line in text[-LONGEST:].split("\n")]


_PLAIN = logging.Formatter()
