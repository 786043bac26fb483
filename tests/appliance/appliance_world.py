"""The flashed appliance as a computer of its own: on a disk, with people on one network and machines on the other."""

import asyncio
import hashlib
import json
import re
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from appliance.errors import ApplianceError
from appliance.lab.api import Api, connect
from appliance.lab.artefacts import BUILDER
from appliance.lab.lab import Lab, LabMachine
from appliance.lab.operator import until
from appliance.lab.plan import GIB, MANAGEMENT_BRIDGE, Disk, Firmware, LabPlan, MachinePlan, Nic, Start, plan_machine
from appliance.lab.process import capture
from appliance.lab.report import clean

NAME = "appliance"
MANAGEMENT = "10.78.0.10"
"""Its address where people are."""
MANAGEMENT_MAC, PROVISIONING_MAC = "52:54:00:4d:00:01", "52:54:00:4d:00:02"
DISK_BYTES = 24 * GIB
SEED_AT = 66 << 20
"""Where the image has its seed partition (image-builder/builder/appliance_disk.py)."""
BOOT_SECONDS = 900
"""From power-on to the console; emulated, beside other machines."""
FROM_DISK = Start(network=False)


def plan(firmware: Firmware, *, secure_boot: bool = False, name: str = NAME) -> MachinePlan:
    """The computer that the appliance is flashed onto."""
    nics = (
        Nic(MANAGEMENT_MAC, f"{name[:9]}-1", bridge=MANAGEMENT_BRIDGE),
        Nic(PROVISIONING_MAC, f"{name[:9]}-2"),
    )
    made = plan_machine(200, firmware, memory_mib=2048, secure_boot=secure_boot)
    disk = Disk(f"{name}.raw", DISK_BYTES, "APPLIANCE-1")
    return replace(made, name=name, nics=nics, disks=(disk,), cpus=2)


async def image() -> Path:
    """The directory with the built image; built where it is not. Raises ``lab-build``."""
    finished = await capture([str(BUILDER), "appliance"])
    if finished.status != 0:
        raise ApplianceError("lab-build", "the appliance's image could not be built; what was said is above")
    return Path(json.loads(finished.stdout)["appliance"])


def flash(image: Path, disk: Path, seed: str = "") -> None:
    """Write the image onto a blank disk, and a seed file onto its partition."""
    unpacked = disk.with_suffix(".unpacked")
    subprocess.run(["zstd", "-q", "-d", "-f", "--sparse", image / "appliance.raw.zst", "-o", unpacked], check=True)
    with unpacked.open("r+b") as file:
        file.truncate(DISK_BYTES)
    if seed:
        written = disk.with_suffix(".toml")
        written.write_text(seed)
        subprocess.run(["mcopy", "-i", f"{unpacked}@@{SEED_AT}", written, "::/seed.toml"], check=True)
    unpacked.replace(disk)


@dataclass
class Appliance:
    """It, and how people reach its console: at ``port`` of 127.0.0.1."""

    lab: Lab
    machine: LabMachine
    port: int
    say: Callable[[str], None]

    async def switch_on(self) -> None:
        """From its disk."""
        await self.machine.power_on(FROM_DISK)

    async def console_answers(self, seconds: float = BOOT_SECONDS) -> None:
        """Wait until the console is there, however it does; raises with the screen's last words."""
        trust = aiohttp.TCPConnector(ssl=False)
        async with aiohttp.ClientSession(connector=trust, timeout=aiohttp.ClientTimeout(total=20)) as session:

            async def there() -> bool | None:
                try:
                    async with session.get(f"https://127.0.0.1:{self.port}/healthz") as answer:
                        return answer.status == 200 or None
                except (aiohttp.ClientError, TimeoutError):
                    return None

            try:
                async with asyncio.timeout(seconds):
                    await until(there)
            except TimeoutError:
                raise AssertionError(f"no console; its screen:\n{self.screen()[-3000:]}") from None

    def screen(self) -> str:
        """What it showed on its serial console so far."""
        return clean(self.machine.serial_text())

    @asynccontextmanager
    async def user(self, name: str, password: str) -> AsyncIterator[Api]:
        """Log in as somebody who compared the fingerprint on the screen."""
        authority = self.lab.directory.path / "appliance-ca.pem"
        await asyncio.to_thread(authority.write_bytes, await self._authority())
        async with connect(self.port, authority) as api:
            await api.log_in(name, password)
            yield api

    async def _authority(self) -> bytes:
        trust = aiohttp.TCPConnector(ssl=False)
        async with (
            aiohttp.ClientSession(connector=trust) as session,
            session.get(f"https://127.0.0.1:{self.port}/ca.pem") as answer,
        ):
            pem = await answer.read()
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest()
        shown = re.sub(r"[^0-9a-f]", "", self.screen().lower())
        assert fingerprint in shown, "the screen shows another fingerprint"
        return pem


@asynccontextmanager
async def console_door(lab: Lab, address: str) -> AsyncIterator[int]:
    """A port of 127.0.0.1 that leads to the console at ``address`` in the lab's management network."""
    path = lab.directory.path / "console"
    inner = [f"UNIX-LISTEN:{path},fork,unlink-early", f"TCP:{address}:8443,connect-timeout=10"]
    inside = await asyncio.create_subprocess_exec(*lab.inside_argv(["socat", *inner]))
    server = await asyncio.start_server(lambda *ends: _join(*ends, path), "127.0.0.1", 0)
    try:
        async with server:
            yield server.sockets[0].getsockname()[1]
    finally:
        inside.kill()
        await inside.wait()


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: Path) -> None:
    """Carry bytes both ways until both are done."""
    try:
        far_reader, far_writer = await asyncio.open_unix_connection(path)
    except OSError:
        writer.close()
        return
    async with asyncio.TaskGroup() as both:
        both.create_task(_carry(reader, far_writer))
        both.create_task(_carry(far_reader, writer))


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        sink.transport.abort()
    finally:
        sink.close()


@asynccontextmanager
async def appliance_lab(
    base: Path, appliance: MachinePlan, machines: tuple[MachinePlan, ...], seed: str, say: Callable[[str], None]
) -> AsyncIterator[Appliance]:
    """A lab with a freshly flashed appliance, switched off, and bare machines on its provisioning network."""
    built = await image()
    async with Lab(LabPlan((appliance, *machines), appliance_apart=True), base=base) as lab:
        await asyncio.to_thread(flash, built, lab.directory.path / appliance.disks[0].file, seed)
        async with console_door(lab, MANAGEMENT) as port:
            yield Appliance(lab, lab.machine(appliance.name), port, say)
