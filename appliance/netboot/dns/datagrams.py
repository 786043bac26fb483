"""UDP on one address: a batch of datagrams for each wake-up of the loop.

A socket of our own beside the loop's transports, which hand over one datagram at a time: half of the time of a
question went into that.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

from appliance.netboot.dns.responder import Deliver, Responder

BUDGET = 64
"""Answers for one wake-up, so that the other servers of the loop have their turn."""
_SLOW = 8
"""What a question costs of that whose answer is not ready."""
_LONGEST = 4096
"""Bytes of a query; what is longer is none."""

Source = tuple[str, int]


class Datagrams:
    """Reads `listening`, a bound socket that does not block, from `start` to `close`."""

    def __init__(self, listening: socket.socket, responder: Responder, clock: Callable[[], float] = time.time) -> None:
        self._socket = listening
        self._responder = responder
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Answer from now on, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    def close(self) -> None:
        """Answer nothing more, and free the port."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        """Answer what has come, as far as the budget goes; the loop calls again while there is more."""
        quick, receive, now = self._responder.quick, self._socket.recvfrom, self._clock()
        left = BUDGET
        while left > 0:
            try:
                data, source = receive(_LONGEST)
            except BlockingIOError:
                return
            except OSError:
                left -= 1  # what a router said of an answer of ours; the next datagram is as good as any
                continue
            if answer := quick(data, source[0], now):
                left -= 1
                self._send(answer, source)
            else:
                left -= _SLOW
                self._look(data, source)

    def _look(self, data: bytes, source: Source) -> None:
        if source[1]:  # nobody can receive on port 0
            self._responder.handle_datagram(data, source[0], self._deliver_to(source))

    def _deliver_to(self, source: Source) -> Deliver:
        def deliver(answer: bytes | None) -> None:
            if answer is not None:
                self._send(answer, source)

        return deliver

    def _send(self, answer: bytes, source: Source) -> None:
        # Who asks by UDP asks again: a full buffer, or nobody there, costs this one answer and no other.
        with contextlib.suppress(OSError):
            self._socket.sendto(answer, source)
