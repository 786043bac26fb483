"""A QEMU without a disk, whose firmware speaks on a screen and on a serial line: reached as consoles of a VM are."""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from appliance.hypervisor.consoles import ConsoleKind
from appliance.vm import VmId

SERIAL_OF_SEABIOS = (0x3F8).to_bytes(2, "little")
"""Where it speaks, too, if it is told so (etc/sercon-port)."""


class FirmwareConsoles:
    """Both are sockets in a directory; ``opened`` counts."""

    def __init__(self, directory: Path, process: asyncio.subprocess.Process) -> None:
        self._directory, self.process = directory, process
        self.opened: list[ConsoleKind] = []

    async def open(self, key: VmId, kind: ConsoleKind) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, str(self._directory / kind))
        self.opened.append(kind)
        if kind is ConsoleKind.SERIAL:
            await self._begin_again()
        return made

    async def _begin_again(self) -> None:
        """What was said before somebody listened is gone."""
        said, monitor = await asyncio.open_unix_connection(self._directory / "monitor")
        await said.readuntil(b"(qemu) ")
        monitor.write(b"system_reset\n")
        await said.readuntil(b"(qemu) ")
        monitor.close()
        await monitor.wait_closed()


@asynccontextmanager
async def firmware_consoles() -> AsyncIterator[FirmwareConsoles]:
    """It has no disk to start from, and says so."""
    directory = Path(tempfile.mkdtemp(prefix="qrm-fw-", dir="/tmp"))  # a socket's path is short
    sercon = directory / "sercon"
    sercon.write_bytes(SERIAL_OF_SEABIOS)
    process = await asyncio.create_subprocess_exec(
        "qemu-system-x86_64", "-M", "pc", "-m", "32", "-nodefaults", "-vga", "std", "-net", "none",
        "-display", "none", "-vnc", f"unix:{directory}/screen",
        "-serial", f"unix:{directory}/serial,server=on,wait=off",
        "-monitor", f"unix:{directory}/monitor,server=on,wait=off",
        "-fw_cfg", f"name=etc/sercon-port,file={directory}/sercon",
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            while not all((directory / each).exists() for each in (*ConsoleKind, "monitor")):
                await asyncio.sleep(0.02)
        yield FirmwareConsoles(directory, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        shutil.rmtree(directory)
