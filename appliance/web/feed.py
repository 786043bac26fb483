"""What is published, numbered and encoded once for all who read it, and kept for a while.

A reader has nothing but a position: who reads slowly, or not at all, costs no memory and delays nobody. Who falls
behind the oldest message that is kept has lost some, and has to load everything anew.
"""

import asyncio
import logging
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from appliance.accounts import Role
from appliance.events import Bus, Event, Measured, Published

log = logging.getLogger(__name__)

KEPT = 4096
"""Messages that are kept at most."""
KEPT_BYTES = 8 << 20
"""Bytes of them at most, so that a few huge ones do not fill the memory."""
AT_ONCE = 64
"""Messages that one reader takes before others get their turn."""

ADMINS_ONLY = ("user.", "audit.", "token.", "session.")
"""Beginnings of kinds of events that only administrators may know of."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a whole WebSocket frame. ``for_admins``: nobody else may see it."""

    frame: bytes
    for_admins: bool = False


_FINAL_TEXT = 0x81


class Fallen(Exception):
    """The reader's position is not in what is kept: it has missed something that cannot be sent any more."""


class Feed:
    """Messages by number. ``run`` names this life of the daemon: numbers mean nothing in another."""

    def __init__(self, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self.run = secrets.token_hex(8)
        self.seq = 0
        """Number of the latest message."""
        self.readers = 0
        """How many are connected; kept by whoever serves them."""
        self._kept, self._kept_bytes = kept, kept_bytes
        self._messages: dict[int, Message] = {}
        self._first = 1
        self._bytes = 0
        self._news = asyncio.Event()

    @contextmanager
    def listening(self, bus: Bus) -> Iterator[None]:
        """Take what the bus publishes, for the length of the with-block."""
        with bus.listen(self.put):
            yield

    def put(self, item: Published) -> None:
        """Number, encode and keep an item; wake who waits. Never waits, never fails."""
        self.seq += 1
        message = _message(self.seq, item)
        self._messages[self.seq] = message
        self._bytes += len(message.frame)
        while len(self._messages) > self._kept or self._bytes > self._kept_bytes:
            self._bytes -= len(self._messages.pop(self._first).frame)
            self._first += 1
        self._news.set()  # wakes all who wait now
        self._news.clear()

    def has(self, position: int) -> bool:
        """Whether a reader that has had everything up to this number can be sent all that came after."""
        return self._first - 1 <= position <= self.seq

    def after(self, position: int, role: Role) -> tuple[list[bytes], int]:
        """The frames of the next messages for a reader of this role, and its new position; raises Fallen.

        Empty with the same position: there is nothing new. Numbers of what the role may not see are left out.
        """
        if not self.has(position):
            raise Fallen
        last = min(position + AT_ONCE, self.seq)
        found = (self._messages[number] for number in range(position + 1, last + 1))
        all_of_it = role.covers(Role.ADMIN)
        return [each.frame for each in found if all_of_it or not each.for_admins], last

    async def news(self, position: int) -> None:
        """Wait until there is a message after this position."""
        while self.seq <= position:
            await self._news.wait()


def resync(seq: int) -> bytes:
    """Tells a reader to load everything anew; it knows all up to ``seq`` then."""
    return _encoded({"seq": seq, "kind": "resync"})


def hello(run: str, seq: int) -> bytes:
    """The first message: in which life of the daemon, and after which number the reader's messages begin."""
    return _encoded({"seq": seq, "kind": "hello", "run": run})


def _message(seq: int, item: Published) -> Message:
    for_admins = isinstance(item, Event) and item.kind.startswith(ADMINS_ONLY)
    try:
        return Message(_encoded({"seq": seq, **message_of(item)}), for_admins)
    except (TypeError, ValueError, RecursionError):  # what cannot be said is looked up instead
        log.exception("a message of kind %r cannot be encoded", getattr(item, "kind", "progress"))
        return Message(resync(seq), for_admins)


def message_of(item: Published) -> dict[str, Any]:
    """What was published, as a message without its number."""
    if isinstance(item, Event):
        return {"kind": "event", "event": item}
    kind = "measured" if isinstance(item, Measured) else "progress"
    said: dict[str, Any] = msgspec.to_builtins(item)
    return {"kind": kind, **said}


def _encoded(message: dict[str, Any]) -> bytes:
    return frame(msgspec.json.encode(message))


def frame(text: bytes) -> bytes:
    """A text message as a server sends it: one frame, not masked, not compressed (RFC 6455 section 5.2)."""
    size = len(text)
    if size < 126:
        return bytes((_FINAL_TEXT, size)) + text
    if size < 1 << 16:
        return struct.pack("!BBH", _FINAL_TEXT, 126, size) + text
    return struct.pack("!BBQ", _FINAL_TEXT, 127, size) + text
