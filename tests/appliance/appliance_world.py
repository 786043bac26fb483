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
from argon2 import PasswordHasher
from bundles import signer
from serial_line import Line

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
USER, PASSWORD = "anna", "a long one, for this appliance only"
DISK_BYTES = 24 * GIB
SEED_AT = 66 << 20
"""Where the image has its seed partition (image-builder/builder/appliance_disk.py)."""
BOOT_SECONDS = 900
"""From power-on to the console; emulated, beside other machines."""
PATIENCE_SECONDS = 90.0
"""For the console of a computer that is emulated beside others, and has no processor for seconds at times."""
FROM_DISK = Start(network=False)


def plan(firmware: Firmware, *, secure_boot: bool = False, number: int = 1) -> MachinePlan:
    """The computer that the appliance is flashed onto; ``number`` counts such computers from 1."""
    name = NAME if number == 1 else f"{NAME}{number}"
    macs = nic_macs(number)
    nics = (Nic(macs[0], f"boss{number}-1", bridge=MANAGEMENT_BRIDGE), Nic(macs[1], f"boss{number}-2"))
    made = plan_machine(199 + number, firmware, memory_mib=2048, secure_boot=secure_boot)
    disk = Disk(f"{name}.raw", DISK_BYTES, f"APPLIANCE-{number}")
    return replace(made, name=name, nics=nics, disks=(disk,), cpus=2)


def nic_macs(number: int = 1) -> tuple[str, str]:
    """Of the cards in its management and its provisioning network."""
    return f"52:54:00:4d:{number - 1:02x}:01", f"52:54:00:4d:{number - 1:02x}:02"


def seed(number: int = 1, *, password_hash: str = "") -> str:
    """A seed file that does all of set-up; its account is NAME with PASSWORD."""
    management, provisioning = nic_macs(number)
    return f"""
[account]
name = "{USER}"
password_hash = "{password_hash or PasswordHasher().hash(PASSWORD)}"

[site]
host_name = "rack{number}"
domain = "lab.test"

[management]
nic = "{management}"
address = "{MANAGEMENT}/24"

[provisioning]
nic = "{provisioning}"
address = "10.77.0.1/24"
ranges = ["10.77.0.50-10.77.0.200"]
"""


async def image() -> Path:
    """The directory with the built image, which takes updates of tests. Raises ``lab-build``."""
    made = await asyncio.to_thread(signer)
    finished = await capture([str(BUILDER), "appliance", "--keyring", str(made.certificate)])
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

    async def flash(self, seed: str) -> None:
        """Make it a new one; ``seed`` is the text of its seed file, empty for none."""
        disk = self.lab.directory.path / self.machine.plan.disks[0].file
        await asyncio.to_thread(flash, await image(), disk, seed)

    def instead(self, name: str) -> "Appliance":
        """Another computer in its place."""
        return replace(self, machine=self.lab.machine(name))

    async def switch_on(self) -> None:
        """From its disk."""
        await self.machine.power_on(FROM_DISK)

    async def console_answers(self, seconds: float = BOOT_SECONDS) -> None:
        """Wait until the console is there, however it does."""
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
                raise AssertionError("no console") from None

    def screen(self) -> str:
        """What it showed on its serial console so far."""
        return clean(self.machine.serial_text())

    def shown(self) -> str:
        """What stands on its serial console, to be read by people."""
        glass = Line()
        glass.feed(self.machine.serial_text().encode())
        return "\n".join(filter(None, glass.lines))

    @asynccontextmanager
    async def user(self, password: str = PASSWORD) -> AsyncIterator[Api]:
        """Log in as the administrator, who compared the fingerprint on the screen."""
        async with connect(self.port, await self.authority(), PATIENCE_SECONDS) as api:
            await api.log_in(USER, password)
            yield api

    async def authority(self) -> Path:
        """The certificate of its authority, of which the screen shows the fingerprint."""
        kept = self.lab.directory.path / "appliance-ca.pem"
        await asyncio.to_thread(kept.write_bytes, await self._authority())
        return kept

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
    silent = asyncio.subprocess.DEVNULL  # it complains of every try while the appliance starts
    inside = await asyncio.create_subprocess_exec(*lab.inside_argv(["socat", *inner]), stderr=silent)
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
    """A lab with a freshly flashed appliance, switched off, and other machines beside it, bare."""
    planned = LabPlan((appliance, *machines), appliance_apart=True)
    async with Lab(planned, base=base / "labs") as lab, console_door(lab, MANAGEMENT) as port:
        found = Appliance(lab, lab.machine(appliance.name), port, say)
        await found.flash(seed)
        try:
            yield found
        except BaseException:
            say(f"the appliance's screen:\n{found.shown()}")
            raise
