"""The asyncio shell around one Transfer: its port, its timer, its end."""

import asyncio
import math
from collections.abc import Callable

from appliance.netboot.tftp.ports import Port, Received
from appliance.netboot.tftp.transfer import Transfer


class TransferSession:
    """Moves datagrams between one client and its transfer until that has an outcome."""

    def __init__(
        self,
        transfer: Transfer,
        open_port: Callable[[Received], Port],
        answered: Callable[[], None],
        over: Callable[[], None],
    ) -> None:
        """``open_port`` may raise OSError. ``answered`` hears of the client's first answer, ``over`` of the end."""
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._transfer = transfer
        self._answered, self._over = answered, over
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf
        self._heard = False
        self._port = open_port(self.receive)

    def begin(self) -> None:
        """Send what comes first."""
        self._proceed()

    def receive(self, data: bytes) -> None:
        """A datagram of the client's."""
        transfer = self._transfer
        if transfer.outcome is not None:
            return
        transfer.receive_datagram(data, self._now())
        if not self._heard and transfer.answered:
            self._heard = True
            self._answered()
        self._proceed()

    def cancel(self, reason: str) -> None:
        """End the transfer early and tell the client why."""
        if self._transfer.outcome is None:
            self._transfer.cancel(reason)
            self._proceed()

    def abandon(self, reason: str) -> None:
        """End the transfer early, without a word to the client."""
        if self._transfer.outcome is None:
            self._transfer.abandon(reason)
            self._proceed()

    def _proceed(self) -> None:
        transfer = self._transfer
        if datagrams := transfer.datagrams_to_send():
            self._port.send(datagrams)
        transfer.prepare()
        if transfer.outcome is not None:
            self._end()
        elif transfer.deadline < self._rings_at:
            # Nearly every ACK moves the deadline on: the timer is set anew when it fires, not each time.
            self._set_timer(transfer.deadline)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._rings_at = self._loop.call_at(at, self._tick), at

    def _tick(self) -> None:
        self._timer, self._rings_at = None, math.inf
        self._transfer.handle_timer(self._now())
        self._proceed()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._port.close()
        self._over()
