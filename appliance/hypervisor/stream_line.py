"""A stream of libvirt as a socket: what comes out of one goes into the other, both ways, as fast as both take it.

All of it is done in libvirt's event thread, so that nothing needs a lock. At most one piece is held in each direction.

What a callback was registered with is not given back before libvirt 11.6, so that is a number here, and never a line.
"""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from typing import Any

from appliance.hypervisor import event_thread

PIECE = 16 << 10
"""Bytes read at a time."""
_WAIT = -2
"""What libvirt says where a stream would have to wait."""
_NUMBERS = itertools.count(1)
_LINES: dict[int, "StreamLine"] = {}
"""Those that have not ended."""


class StreamLine:
    """Ends with either side; then both are closed. ``inner`` is its own from here on."""

    def __init__(self, libvirt: Any, stream: Any, inner: socket.socket) -> None:
        self._libvirt, self._stream, self._inner = libvirt, stream, inner
        self._to_vm = self._to_us = b""
        self._watch, self._number = -1, next(_NUMBERS)

    def begin(self) -> None:
        """From any thread."""
        event_thread.hold()
        self._inner.setblocking(False)
        _LINES[self._number] = self
        self._libvirt.virEventAddTimeout(0, _begin, self._number)

    def in_thread(self, timer: int) -> None:
        """The event thread has come to it."""
        self._libvirt.virEventRemoveTimeout(timer)
        try:
            self._stream.eventAddCallback(self._stream_wants(), _on_stream, self._number)
        except self._libvirt.libvirtError:  # the line to the host is down already
            self._end()
            return
        fd, wanted = self._inner.fileno(), self._socket_wants()
        self._watch = self._libvirt.virEventAddHandle(fd, wanted, _on_socket, self._number)

    def _stream_wants(self) -> int:
        reads = 0 if self._to_us else self._libvirt.VIR_STREAM_EVENT_READABLE
        return int(reads | (self._libvirt.VIR_STREAM_EVENT_WRITABLE if self._to_vm else 0))

    def _socket_wants(self) -> int:
        reads = 0 if self._to_vm else self._libvirt.VIR_EVENT_HANDLE_READABLE
        return int(reads | (self._libvirt.VIR_EVENT_HANDLE_WRITABLE if self._to_us else 0))

    def on_stream(self, events: int) -> None:
        """The stream can be read or written, or has ended."""
        with self._ending():
            if events & self._libvirt.VIR_STREAM_EVENT_WRITABLE:
                self._tell_vm()
            if events & ~self._libvirt.VIR_STREAM_EVENT_WRITABLE:  # what was said before an end is read as well
                self._hear_vm()

    def on_socket(self, events: int) -> None:
        """The socket can be, or has."""
        with self._ending():
            if events & self._libvirt.VIR_EVENT_HANDLE_WRITABLE:
                self._tell_us()
            if events & ~self._libvirt.VIR_EVENT_HANDLE_WRITABLE:
                self._hear_us()

    def _hear_vm(self) -> None:
        if self._to_us:
            return
        read = self._stream.recv(PIECE)
        if read != _WAIT:
            self._to_us = _some(read)
            self._tell_us()

    def _hear_us(self) -> None:
        if self._to_vm:
            return
        with contextlib.suppress(BlockingIOError):
            self._to_vm = _some(self._inner.recv(PIECE))
            self._tell_vm()

    def _tell_us(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._to_us = self._to_us[self._inner.send(self._to_us) :] if self._to_us else b""

    def _tell_vm(self) -> None:
        sent = self._stream.send(self._to_vm) if self._to_vm else 0
        self._to_vm = self._to_vm[max(sent, 0) :]

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """Around what can find that either side is gone; what is waited for next is what is due next."""
        try:
            yield
            self._stream.eventUpdateCallback(self._stream_wants())
            self._libvirt.virEventUpdateHandle(self._watch, self._socket_wants())
        except (OSError, EOFError, self._libvirt.libvirtError):
            self._end()

    def _end(self) -> None:
        del _LINES[self._number]
        with contextlib.suppress(self._libvirt.libvirtError):
            self._stream.eventRemoveCallback()
        if self._watch >= 0:
            self._libvirt.virEventRemoveHandle(self._watch)
        self._inner.close()
        # The host answers that, and one that hangs must not keep the thread of all hosts' events.
        threading.Thread(target=self._abort, name="libvirt-stream-end", daemon=True).start()

    def _abort(self) -> None:
        with contextlib.suppress(self._libvirt.libvirtError):
            self._stream.abort()
        self._stream.__del__()  # it keeps its connection open, and the library keeps it
        event_thread.release()


def _begin(timer: int, number: int) -> None:
    if line := _LINES.get(number):
        line.in_thread(timer)


def _on_stream(stream: Any, events: int, number: int) -> None:
    if line := _LINES.get(number):
        line.on_stream(events)


def _on_socket(watch: int, fd: int, events: int, number: int) -> None:
    if line := _LINES.get(number):
        line.on_socket(events)


def _some(read: bytes) -> bytes:
    if not read:
        raise EOFError
    return read
