"""A VM's screen for one viewer: what QEMU says goes out as it comes, what the viewer sends goes in.

Who does not read stops what feeds them: QEMU is not read from while a viewer has much unread, and sends that viewer
fewer pictures then; a viewer is not read from while QEMU takes nothing. Nobody else is touched by either.
"""

import asyncio
import socket
from typing import cast

from appliance.web.console_viewer import EndError, Viewer

UNTAKEN = 64 << 10
"""Bytes that may wait for QEMU."""
ENDED = 4000
"""The code of the close frame where a VM ends its console: it is off, most of the time."""


class Screen(asyncio.Protocol):
    """QEMU's end. What is received is sent on in the same turn of the event loop."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._qemu: asyncio.Transport | None = None
        self._full, self._takes, self._lost = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._takes.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It can be read from at once."""
        self._qemu = cast("asyncio.Transport", transport)
        self._qemu.set_write_buffer_limits(high=UNTAKEN)

    def data_received(self, data: bytes) -> None:
        """A piece of what QEMU says."""
        self._viewer.send(data)
        if self._viewer.is_full and self._qemu is not None and not self._full.is_set():
            self._qemu.pause_reading()
            self._full.set()

    def pause_writing(self) -> None:
        """QEMU takes nothing."""
        self._takes.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._takes.set()

    def connection_lost(self, error: Exception | None) -> None:
        """The VM is off, or its host gone."""
        self._qemu = None
        self._takes.set()
        self._lost.set()

    async def keep_pace(self) -> None:
        """Read from QEMU again whenever the viewer has read what waited for it. Raises as ``Viewer.drained``."""
        while True:
            await self._full.wait()
            await self._viewer.drained()
            self._full.clear()
            if self._qemu is not None:
                self._qemu.resume_reading()

    async def carry_typed(self) -> None:
        """Hand on what the viewer sends. Raises as ``Viewer.typed``."""
        async for data in self._viewer.typed():
            if self._qemu is not None:
                self._qemu.write(data)
            await self._takes.wait()

    async def until_lost(self) -> None:
        """Raises EndError once there is nothing to see any more."""
        await self._lost.wait()
        raise EndError(ENDED, "the VM has ended its screen: it is off")

    def close(self) -> None:
        """Nobody looks any more; what the viewer typed last still reaches the VM."""
        if self._qemu is not None:
            self._qemu.close()


async def show_screen(viewer: Viewer, opened: socket.socket) -> None:
    """Until the viewer or the screen is gone; raises EndError, GoneError, TimeoutError."""
    screen = Screen(viewer)
    await asyncio.get_running_loop().create_unix_connection(lambda: screen, sock=opened)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(screen.carry_typed(), name="console typed")
            tasks.create_task(screen.keep_pace(), name="console pace")
            tasks.create_task(screen.until_lost(), name="console screen")
    finally:
        screen.close()
