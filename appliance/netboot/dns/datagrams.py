"""UDP on one address: a batch of datagrams for each wake-up of the loop.

A socket of our own beside the loop's transports, which hand over one datagram at a time: half of the time of a
question went into that.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable

from appliance.netboot.batch import Batch
from appliance.netboot.dns.message import UDP_LIMIT
from appliance.netboot.dns.responder import Deliver, Responder

_log = logging.getLogger(__name__)

MOST = 64
"""Datagrams for one wake-up, so that the other servers of the loop have their turn: half a millisecond."""
MOST_SLOW = 8
"""The same after a batch with questions whose answers were not ready, which take ten times as long."""
_MOST_NEAR = 20_000

Source = tuple[str, int]


class Datagrams:
    """Reads `listening`, a bound socket that does not block, from `start` to `close`."""

    def __init__(self, listening: socket.socket, responder: Responder, clock: Callable[[], float] = time.time) -> None:
        self._socket = listening
        self._batch = Batch(listening, MOST, UDP_LIMIT)
        self._responder = responder
        self._clock = clock
        self._most = MOST
        self._near: set[int] = set()
        """Those of our own networks that were heard of, by the numbers of their addresses."""
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
        """Answer what has come, within bounds; the loop calls again while there is more."""
        ready, near, now = self._responder.ready, self._near, self._clock()
        answers: list[tuple[int, bytes]] = []
        slow: list[tuple[int, bytes, int]] = []
        for number, (data, address) in enumerate(self._batch.receive(self._most)):
            if address in near and (answer := ready(data, now)):
                answers.append((number, answer))
            else:
                slow.append((number, data, address))
        self._batch.answer(answers)
        self._most = MOST_SLOW if len(slow) > MOST_SLOW // 2 else MOST
        for number, data, address in slow:
            self._look(data, self._batch.source(number), address)

    def _look(self, data: bytes, source: Source, address: int) -> None:
        if not source[1]:
            return  # nobody can receive on port 0
        try:
            self._responder.handle_datagram(data, source[0], self._deliver_to(source))
        except Exception:  # one question must not cost the others of its batch theirs
            _log.exception("dns: answering %s failed", source[0])
        if self._responder.is_near(source[0]):
            self._remember(address)

    def _remember(self, address: int) -> None:
        if len(self._near) >= _MOST_NEAR:
            self._near.clear()
        self._near.add(address)

    def _deliver_to(self, source: Source) -> Deliver:
        def deliver(answer: bytes | None) -> None:
            # Who asks by UDP asks again: a full buffer, or nobody there, costs this one answer and no other.
            if answer is not None:
                with contextlib.suppress(OSError):
                    self._socket.sendto(answer, source)

        return deliver
