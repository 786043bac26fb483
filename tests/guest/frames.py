"""What host and guest say to each other over the guest's port: lines of JSON, bytes in them as base64.  Pure.

The host sends ``start`` (a job's number, ``argv``, ``environment``), ``write`` and ``close`` (a job's standard input),
``signal``. The guest sends ``hello`` once it listens, then for each job ``stdout`` and ``stderr``, and last ``ended``
(exit status, negative for a signal) or ``failed`` (why the program could not be started).
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

Frame = dict[str, Any]


def encoded(frame: Frame) -> bytes:
    """One line."""
    return json.dumps(frame).encode() + b"\n"


def decoded(line: bytes) -> Frame:
    """What a line says."""
    frame: Frame = json.loads(line)
    return frame


def packed(data: bytes) -> str:
    """Bytes as a frame carries them."""
    return base64.b64encode(data).decode()


def unpacked(text: str) -> bytes:
    """The bytes again."""
    return base64.b64decode(text)


class Lines:
    """Puts lines together from what arrives in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def taken(self, data: bytes) -> Iterator[bytes]:
        """The lines that ``data`` completes, without their ends."""
        *complete, self._rest = (self._rest + data).split(b"\n")
        yield from complete
