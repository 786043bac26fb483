"""One file on its way to one client: the sending side of RFC 1350 and RFC 7440, without any I/O. Pure.

The owner moves datagrams in and out and says what time it is:

    transfer = Transfer(content, terms, limits, now)
    while transfer.outcome is None:
        send everything in transfer.datagrams_to_send()
        on arrival:  transfer.receive_datagram(data, now)
        at transfer.next_deadline():  transfer.handle_timer(now)

Block counts inside are plain integers that never wrap; only the wire has 16 bits.
"""

from collections import deque
from dataclasses import dataclass

from appliance.netboot.tftp.content import Content
from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.options import Terms
from appliance.netboot.tftp.packet import (
    Ack,
    Data,
    ErrorCode,
    Failure,
    MalformedPacketError,
    OptionsAck,
    decode,
    encode,
)

_WIRE_BLOCKS = 0x10000


@dataclass(frozen=True)
class Finished:
    """The client has acknowledged the last block."""

    size: int
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The transfer ended early, for a `reason` that a person can read."""

    reason: str


@dataclass(frozen=True)
class Probed:
    """The client wanted to know the size only: it aborted on seeing the OACK. Not an error."""


Outcome = Finished | Failed | Probed


class Transfer:
    """Sends one file. `outcome` stays None until it is over."""

    def __init__(self, content: Content, terms: Terms, limits: TftpLimits, now: float) -> None:
        self.outcome: Outcome | None = None
        self.answered = False
        self._content = content
        self._terms = terms
        self._limits = limits
        self._started = now
        self._acknowledged = 0  # blocks that the client has, in order
        self._window: deque[bytes] = deque()  # datagrams sent after that, oldest first
        self._at_end = False
        self._bytes = 0
        self._tries = 0
        self._outgoing: list[bytes] = []
        self._deadline = now
        self._negotiating = bool(terms.granted)
        self._send_first(now)

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Take one datagram that came from the client's own address and port."""
        if self.outcome is not None:
            return
        try:
            packet = decode(data)
        except MalformedPacketError as error:
            self._abort(ErrorCode.ILLEGAL_OPERATION, f"the client sent garbage: {error}")
            return
        match packet:
            case Ack(block):
                self._receive_ack(block, now)
            case Failure(code, message):
                self._receive_error(code, message)
            case _:
                self._abort(ErrorCode.ILLEGAL_OPERATION, f"the client sent {type(packet).__name__}")

    def datagrams_to_send(self) -> list[bytes]:
        """What is to be sent now, in order; each datagram is handed out once."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called; None when the transfer is over."""
        return None if self.outcome else self._deadline

    def handle_timer(self, now: float) -> None:
        """Repeat what was not answered in time, or give up. Early calls do nothing."""
        if self.outcome is not None or now < self._deadline:
            return
        limits = self._limits
        if self._tries >= (limits.retries if self.answered else limits.unanswered_retries):
            self._abort(ErrorCode.UNDEFINED, "the client stopped answering")
            return
        self._tries += 1
        self._outgoing.extend(self._window or [self._oack()])
        self._set_deadline(now)

    def cancel(self, reason: str) -> None:
        """End the transfer from our side and tell the client."""
        if self.outcome is None:
            self._abort(ErrorCode.UNDEFINED, reason)

    def _send_first(self, now: float) -> None:
        if self._negotiating:
            self._outgoing.append(self._oack())
            self._set_deadline(now)
        else:
            self._send_window(now)

    def _oack(self) -> bytes:
        return encode(OptionsAck(self._terms.granted))

    def _receive_ack(self, block: int, now: float) -> None:
        if self._negotiating:
            if block == 0:  # the client takes our OACK (RFC 2347)
                self._negotiating, self.answered = False, True
                self._send_window(now)
            return
        # An ACK of what was acknowledged before gets no DATA: answering duplicates with duplicates
        # is the sorcerer's apprentice (RFC 1123 section 4.2.3.1).
        advanced = (block - self._acknowledged) % _WIRE_BLOCKS
        if 0 < advanced <= len(self._window):
            self._advance(advanced, now)

    def _advance(self, blocks: int, now: float) -> None:
        self.answered = True
        self._acknowledged += blocks
        for _ in range(blocks):
            self._window.popleft()
        if self._at_end and not self._window:
            self.outcome = Finished(self._bytes, now - self._started)
        else:
            self._send_window(now)

    def _send_window(self, now: float) -> None:
        """Send a full window from the last in-order ACK on (RFC 7440 section 4): old blocks first."""
        try:
            while len(self._window) < self._terms.window_size and not self._at_end:
                self._window.append(self._next_block())
        except OSError as error:
            self._abort(ErrorCode.UNDEFINED, f"cannot read the file: {error}")
            return
        self._outgoing.extend(self._window)
        self._tries = 0
        self._set_deadline(now)

    def _next_block(self) -> bytes:
        payload = self._content.take(self._terms.block_size)
        number = self._acknowledged + len(self._window) + 1
        # A short block ends the file; after an exact multiple that is an empty one.
        self._at_end = len(payload) < self._terms.block_size
        self._bytes += len(payload)
        return encode(Data(number % _WIRE_BLOCKS, payload))

    def _receive_error(self, code: int, message: str) -> None:
        if self._negotiating:
            self.outcome = Probed()
        else:
            self.outcome = Failed(f"the client gave up: error {code} {message}".rstrip())

    def _abort(self, code: ErrorCode, reason: str) -> None:
        self._outgoing.append(encode(Failure(code, reason)))
        self.outcome = Failed(reason)

    def _set_deadline(self, now: float) -> None:
        base = self._terms.timeout or self._limits.first_timeout
        longest = max(base, self._limits.longest_timeout)
        self._deadline = now + min(base * 2**self._tries, longest)
