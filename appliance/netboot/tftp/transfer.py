"""One file on its way to one client: the sending side of RFC 1350 and RFC 7440, without any I/O. Pure.

The owner moves datagrams in and out and says what time it is:

    transfer = Transfer(content, terms, limits, now)
    while transfer.outcome is None:
        send everything in transfer.datagrams_to_send(), or in bursts_to_send()
        on arrival:  transfer.receive_datagram(data, now)
        at transfer.next_deadline():  transfer.handle_timer(now)

Block counts inside are plain integers that never wrap; only the wire has 16 bits.
"""

from dataclasses import dataclass

from appliance.netboot.tftp.content import Content
from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.options import Terms
from appliance.netboot.tftp.packet import (
    Ack,
    ErrorCode,
    Failure,
    MalformedPacketError,
    OptionsAck,
    decode,
    encode,
)
from appliance.netboot.tftp.patience import Patience
from appliance.netboot.tftp.sheets import Burst, Sheets

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
        self.deadline = now
        """When `handle_timer` wants to be called, as long as there is no outcome."""
        self._terms = terms
        self._limits = limits
        self._started = now
        self._sheets = Sheets(content, terms.block_size)
        self._acknowledged = 0  # blocks that the client has, in order
        self._sent = 0  # blocks that it was sent, these among them
        self._last_acks = b""  # what the client sends when it has all that it was sent
        self._patience = Patience(terms.timeout, limits)
        self._tries = 0
        self._outgoing: list[Burst] = []
        self._negotiating = bool(terms.granted)
        if self._negotiating:
            self._send_oack(now)
        else:
            self._send_window(now)

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Take one datagram that came from the client's own address and port."""
        if self.outcome is not None:
            return
        if data == self._last_acks:  # as nearly all are: what follows is their answer without any detour
            self._advance(self._sent - self._acknowledged, now)
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

    def bursts_to_send(self) -> list[Burst]:
        """What is to be sent now, in order; each is handed out once."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def datagrams_to_send(self) -> list[bytes]:
        """The same, datagram by datagram."""
        return [datagram for burst in self.bursts_to_send() for datagram in burst.datagrams()]

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called; None when the transfer is over."""
        return None if self.outcome else self.deadline

    def handle_timer(self, now: float) -> None:
        """Repeat what was not answered in time, or give up. Early calls do nothing."""
        if self.outcome is not None or now < self.deadline:
            return
        limits = self._limits
        if self._tries >= (limits.retries if self.answered else limits.unanswered_retries):
            self._abort(ErrorCode.UNDEFINED, "the client stopped answering")
            return
        tries = self._tries + 1
        if self._negotiating:
            self._send_oack(now)
        else:
            self._send_window(now)
        self._tries = tries
        self.deadline = now + self._patience.pause(tries)

    def cancel(self, reason: str) -> None:
        """End the transfer from our side and tell the client."""
        if self.outcome is None:
            self._abort(ErrorCode.UNDEFINED, reason)

    def _send_oack(self, now: float) -> None:
        self._say(encode(OptionsAck(self._terms.granted)))
        self.deadline = now + self._patience.pause(0)

    def _say(self, datagram: bytes) -> None:
        self._outgoing.append(Burst(datagram, len(datagram)))

    def _receive_ack(self, block: int, now: float) -> None:
        if self._negotiating:
            if block == 0:  # the client takes our OACK (RFC 2347)
                self._negotiating, self.answered = False, True
                self._send_window(now)
            return
        # An ACK of what was acknowledged before gets no DATA: answering duplicates with duplicates
        # is the sorcerer's apprentice (RFC 1123 section 4.2.3.1).
        advanced = (block - self._acknowledged) % _WIRE_BLOCKS
        if 0 < advanced <= self._sent - self._acknowledged:
            self._advance(advanced, now)

    def _advance(self, blocks: int, now: float) -> None:
        self.answered = True
        self._acknowledged += blocks
        if not self._tries:  # of a repeated window nobody knows which sending is answered (Karn)
            self._patience.answered(now)
        if self._acknowledged == self._sheets.last:
            self.outcome = Finished(self._sheets.bytes, now - self._started)
        else:
            self._send_window(now)

    def _send_window(self, now: float) -> None:
        """Send a full window from the last in-order ACK on (RFC 7440 section 4): old blocks first."""
        first = self._acknowledged + 1
        try:
            bursts = self._sheets.blocks(first, self._terms.window_size)
        except OSError as error:
            self._abort(ErrorCode.UNDEFINED, f"cannot read the file: {error}")
            return
        self._outgoing += bursts
        self._sent = self._acknowledged + self._terms.window_size
        if self._sheets.last is not None and self._sent > self._sheets.last:
            self._sent = self._sheets.last
        self._last_acks = b"\0\4" + (self._sent % _WIRE_BLOCKS).to_bytes(2, "big")
        self._tries = 0
        self.deadline = self._patience.asked(now)

    def _receive_error(self, code: int, message: str) -> None:
        if self._negotiating:
            self.outcome = Probed()
        else:
            self.outcome = Failed(f"the client gave up: error {code} {message}".rstrip())

    def _abort(self, code: ErrorCode, reason: str) -> None:
        self._say(encode(Failure(code, reason)))
        self.outcome = Failed(reason)
