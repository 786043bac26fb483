"""One file on its way to one client: the sending side of RFC 1350 and RFC 7440, without any I/O. Pure.

The owner moves datagrams in and out and says what time it is:

    transfer = Transfer(content, terms, limits, now)
    while transfer.outcome is None:
        send everything in transfer.datagrams_to_send()
        transfer.prepare(), which may be left out
        on arrival:  transfer.receive_datagram(data, now), or before it transfer.follow(data, now)
        at transfer.next_deadline():  transfer.handle_timer(now)

Block counts inside are plain integers that never wrap; only the wire has 16 bits.
"""

import struct
from dataclasses import dataclass

from appliance.netboot.tftp.blocks import Blocks
from appliance.netboot.tftp.content import Content
from appliance.netboot.tftp.limits import TftpLimits
from appliance.netboot.tftp.options import Terms
from appliance.netboot.tftp.packet import (
    Ack,
    ErrorCode,
    Failure,
    MalformedPacketError,
    Opcode,
    OptionsAck,
    decode,
    encode,
)
from appliance.netboot.tftp.patience import Patience
from appliance.netboot.tftp.pieces import Pieces, Step

_WIRE_BLOCKS = 0x10000
_ACK = int(Opcode.ACK)  # looking up the member takes as long as the rest of what an ACK costs
_pack = struct.Struct("!HH").pack


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

    def __init__(
        self, content: Content, terms: Terms, limits: TftpLimits, now: float, pieces: Pieces | None = None
    ) -> None:
        """``pieces`` are shared with other transfers."""
        self.outcome: Outcome | None = None
        self.answered = False
        self._terms, self._window_size = terms, terms.window_size
        self._limits = limits
        self._started = now
        self._blocks = Blocks(content, terms.block_size, pieces)
        self._acknowledged = 0  # blocks that the client has, in order
        self._window: list[bytes] = []  # packets sent after that, oldest first
        self._following: list[bytes] = []  # what comes after these, as far as it is ready
        self._next: Step | None = None  # the same without windows
        self._whole_window: bytes | None = None  # what the client sends when it has all of the window
        self._patience = Patience(terms.timeout, limits)
        self._asked_at, self._pause = now, 0.0
        self._tries = 0
        self._outgoing: list[bytes] = []
        self._negotiating = bool(terms.granted)
        if self._negotiating:
            self._send_oack(now)
        else:
            self._send_window(now)

    @property
    def deadline(self) -> float:
        """When `handle_timer` wants to be called, as long as there is no outcome."""
        return self._asked_at + self._pause

    @property
    def flows(self) -> bool:
        """Whether the client answers: nothing has had to be repeated since it was heard of."""
        return self._tries == 0

    def follow(self, data: bytes, now: float) -> bytes | None:
        """The next packet where all is as it nearly always is: one block was out, once, and `data` is its ACK, in time.

        None where not: nothing has changed then, and `receive_datagram` decides. Where there is a packet, that would
        have come to the same one and the same deadline, by a longer way.
        """
        if data != self._whole_window or (step := self._next) is None or self.outcome is not None:
            return None
        if now - self._asked_at > self._patience.swift:
            return None
        self._window[0], self._whole_window = step
        self._next = None
        self._acknowledged += 1
        self._asked_at = now
        return step[0]

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Take one datagram that came from the client's own address and port."""
        if self.outcome is not None:
            return
        if data == self._whole_window:  # as nearly all are
            if self._following:
                self._go_on(now)
            else:
                self._advance(len(self._window), now)
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

    def prepare(self) -> None:
        """Make ready what the next answer will ask for. Call it after sending: the client is busy meanwhile."""
        blocks, following, most = self._blocks, self._following, self._window_size
        if not self.answered:  # nobody may be there
            return
        if most == 1:
            self._next = self._next or next(blocks.ahead, None)
            return
        try:
            while len(following) < most and not blocks.ended:
                following.append(blocks.next())
        except OSError:  # told when it is really wanted
            return

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
        self._tries, self._whole_window = tries, None  # a repetition has an answer out of the ordinary
        self._pause = self._patience.pause(tries)

    def cancel(self, reason: str) -> None:
        """End the transfer from our side and tell the client."""
        if self.outcome is None:
            self._abort(ErrorCode.UNDEFINED, reason)

    def abandon(self, reason: str) -> None:
        """End the transfer without a word: what its client is sent may go to the victim of a forged address."""
        if self.outcome is None:
            self.outcome = Failed(reason)

    def _send_oack(self, now: float) -> None:
        self._outgoing.append(encode(OptionsAck(self._terms.granted)))
        self._asked_at, self._pause = now, self._patience.pause(0)

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

    def _go_on(self, now: float) -> None:
        """What `_advance` does, in a straight line, where the next window is ready: nearly always."""
        if now - self._asked_at > self._patience.swift:
            self._patience.answered(now - self._asked_at)
        acknowledged, self._window, self._following = self._window, self._following, self._window
        self._acknowledged += len(acknowledged)
        acknowledged.clear()
        if len(self._window) < self._window_size and not self._blocks.ended:
            self._send_window(now)
            return
        self._outgoing += self._window
        self._whole_window = _pack(_ACK, (self._acknowledged + len(self._window)) % _WIRE_BLOCKS)
        self._asked_at, self._pause = now, self._patience.first

    def _advance(self, blocks: int, now: float) -> None:
        self.answered = True
        self._acknowledged += blocks
        # Of a repeated window nobody knows which sending is answered (Karn).
        if not self._tries and now - self._asked_at > self._patience.swift:
            self._patience.answered(now - self._asked_at)
        del self._window[:blocks]
        if self._window or self._following or self._next or not self._blocks.ended:
            self._send_window(now)
        else:
            self.outcome = Finished(self._blocks.payload, now - self._started)

    def _send_window(self, now: float) -> None:
        """Send a full window from the last in-order ACK on (RFC 7440 section 4): old blocks first."""
        try:
            self._fill_window()
        except OSError as error:
            self._abort(ErrorCode.UNDEFINED, f"cannot read the file: {error}")
            return
        self._outgoing += self._window
        self._whole_window = _pack(_ACK, (self._acknowledged + len(self._window)) % _WIRE_BLOCKS)
        self._tries = 0
        self._asked_at, self._pause = now, self._patience.first

    def _fill_window(self) -> None:
        window, following = self._window, self._following
        if not window:  # all of it was acknowledged: what is ready is the next one
            self._window, self._following = window, following = following, window
        missing = self._window_size - len(window)
        if missing and following:
            window += following[:missing]
            del following[:missing]
        if self._next and not window:
            window.append(self._next[0])
            self._next = None
        while len(window) < self._window_size and not self._blocks.ended:
            window.append(self._blocks.next())

    def _receive_error(self, code: int, message: str) -> None:
        if self._negotiating:
            self.outcome = Probed()
        else:
            self.outcome = Failed(f"the client gave up: error {code} {message}".rstrip())

    def _abort(self, code: ErrorCode, reason: str) -> None:
        self._outgoing.append(encode(Failure(code, reason)))
        self.outcome = Failed(reason)
