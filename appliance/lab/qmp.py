"""A client of the QEMU Machine Protocol (QEMU documentation, docs/interop/qmp-spec.rst)."""

import asyncio
import itertools
import json
from collections import deque
from typing import Any

from appliance.errors import ApplianceError

LONGEST_LINE = 1 << 20
"""Bytes; the answer to some queries is a single line of some hundred kilobytes."""


class Qmp:
    """One connection. ``listen`` must run for ``execute`` to get its answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.events: deque[dict[str, Any]] = deque(maxlen=200)
        """The last events, as QEMU sent them, oldest first."""

    async def listen(self) -> None:
        """Take in messages until QEMU closes the connection; then every open call fails."""
        try:
            # A line without its end is what a killed QEMU left of a message.
            while (line := await self._reader.readline()).endswith(b"\n"):
                self._take(json.loads(line))
        finally:
            self._writer.close()
            self._fail_all()

    def _take(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self.events.append(message)
        elif future := self._waiting.pop(message.get("id", 0), None):
            self._answer(future, message)

    @staticmethod
    def _answer(future: asyncio.Future[Any], message: dict[str, Any]) -> None:
        if future.done():
            return
        if "error" in message:
            future.set_exception(ApplianceError("lab-qmp", str(message["error"].get("desc", "QMP error"))))
        else:
            future.set_result(message.get("return"))

    def _fail_all(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ApplianceError("lab-machine-off", "the machine went off before it answered"))
        self._waiting.clear()

    async def execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """Run ``command`` and return its result; raises ``lab-qmp`` with QEMU's words, ``lab-machine-off``."""
        if self._writer.is_closing():
            raise ApplianceError("lab-machine-off", "the machine is off")
        number = next(self._ids)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        message = {"execute": command, "arguments": arguments or {}, "id": number}
        self._writer.write(json.dumps(message).encode() + b"\n")
        return await future
