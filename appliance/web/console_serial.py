"""A VM's serial line: one reader of it, however many look. What it said last is kept, and is all that they read from.

So the VM never waits for a viewer; one who is too slow misses what is not kept any more, and begins with the rest anew.
What the line says goes to viewers as binary messages. Those of text are JSON: ``past`` (with ``bytes``: so many of what
follows was said earlier, and the screen is to be cleared for it) and ``viewers`` (with ``count``, and with ``answers``,
whether this one is to answer what terminals are asked, since the VM takes but one answer).
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import cast
from weakref import WeakValueDictionary

from appliance.vm import VmId
from appliance.web.console_past import Past
from appliance.web.console_screen import ENDED
from appliance.web.console_viewer import EndError, Viewer

KEPT = 64 << 10
"""Bytes of what a line said last."""
PIECE = 16 << 10
"""Bytes sent to a viewer at once."""
UNTAKEN = 4096
"""Bytes typed that may wait for a VM that reads none."""
LINGER = 300.0
"""Seconds for which a line is listened to although nobody looks: whoever comes back sees what happened."""

Opens = Callable[[], Awaitable[socket.socket]]


class Line(asyncio.Protocol):
    """One serial line that is listened to."""

    def __init__(self, ended: Callable[["Line"], None]) -> None:
        self.past = Past(KEPT)
        self.viewers: list[Viewer] = []
        self._ended = ended
        self._vm: asyncio.Transport | None = None
        self._news, self._takes = asyncio.Event(), asyncio.Event()
        self._takes.set()
        self.lost = False
        self._alone: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It speaks."""
        self._vm = cast("asyncio.Transport", transport)
        self._vm.set_write_buffer_limits(high=UNTAKEN)

    def data_received(self, data: bytes) -> None:
        """It has said something."""
        self.past.add(data)
        self._wake()

    def pause_writing(self) -> None:
        """The VM does not read."""
        self._takes.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._takes.set()

    def connection_lost(self, error: Exception | None) -> None:
        """The VM is off, or its host gone."""
        self._vm, self.lost = None, True
        self._takes.set()
        self._wake()
        self._ended(self)

    def _wake(self) -> None:
        self._news.set()  # wakes all who wait now
        self._news.clear()

    async def news(self) -> None:
        """Until something was said, or somebody came or left."""
        await self._news.wait()

    async def say(self, data: bytes) -> None:
        """What a viewer typed; waits while the VM takes none."""
        if self._vm is not None:
            self._vm.write(data)
        await self._takes.wait()

    def join(self, viewer: Viewer) -> None:
        """One more looks."""
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None
        self.viewers.append(viewer)
        self._wake()

    def leave(self, viewer: Viewer) -> None:
        """One fewer; the line is let go some time after the last one."""
        self.viewers.remove(viewer)
        self._wake()
        if not self.viewers and not self.lost:
            self._alone = asyncio.get_running_loop().call_later(LINGER, self.close)

    def close(self) -> None:
        """Nobody listens any more."""
        self._ended(self)
        if self._alone is not None:
            self._alone.cancel()
        if self._vm is not None:
            self._vm.close()


class Lines:
    """All lines that are listened to, one for each VM."""

    def __init__(self) -> None:
        self._lines: dict[VmId, Line] = {}
        self._opening: WeakValueDictionary[VmId, asyncio.Lock] = WeakValueDictionary()

    async def line(self, vm: VmId, opens: Opens) -> Line:
        """The one of this VM; raises as ``opens``, which is asked where nobody listens to it yet."""
        if (alone := self._opening.get(vm)) is None:
            alone = self._opening[vm] = asyncio.Lock()
        async with alone:
            if (found := self._lines.get(vm)) is not None:
                return found
            made = Line(lambda line: self._forget(vm, line))
            opened = await opens()
            await asyncio.get_running_loop().create_unix_connection(lambda: made, sock=opened)
            self._lines[vm] = made
            return made

    def _forget(self, vm: VmId, line: Line) -> None:
        if self._lines.get(vm) is line:
            del self._lines[vm]

    def close(self) -> None:
        """All of them."""
        for each in tuple(self._lines.values()):
            each.close()


async def show_serial(viewer: Viewer, line: Line) -> None:
    """Until the viewer or the line is gone; raises EndError, GoneError, TimeoutError."""
    line.join(viewer)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_carry_typed(viewer, line), name="console typed")
            tasks.create_task(_tell(viewer, line), name="console line")
    finally:
        line.leave(viewer)


async def _carry_typed(viewer: Viewer, line: Line) -> None:
    async for data in viewer.typed():
        await line.say(data)


async def _tell(viewer: Viewer, line: Line) -> None:
    position, company = await _begin(viewer, line), (0, False)
    while True:
        here = len(line.viewers), line.viewers[0] is viewer
        if here != company:
            company = here
            await viewer.tell(json.dumps({"kind": "viewers", "count": here[0], "answers": here[1]}))
        if (data := line.past.after(position, PIECE)) is None:
            position = await _begin(viewer, line)
        elif data:
            viewer.send(data)
            position += len(data)
            await viewer.drained()
        elif line.lost:
            raise EndError(ENDED, "the VM has ended its serial line: it is off")
        else:
            await line.news()


async def _begin(viewer: Viewer, line: Line) -> int:
    """Send what was said last; the position after it."""
    position, data = line.past.latest()
    await viewer.tell(json.dumps({"kind": "past", "bytes": len(data)}))
    for place in range(0, len(data), PIECE):
        viewer.send(data[place : place + PIECE])
    await viewer.drained()
    return position + len(data)
