"""One computer: from the power button to the poll in which an idle machine waits."""

import re
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from appliance.netboot.dhcp.options import Code
from tests.benchmarks.simulated import http, tftp
from tests.benchmarks.simulated.dhcp import Cable

PXE = b"PXEClient:Arch:00000:UNDI:002001"
ASKS_FOR = bytes([1, 3, 6, 12, 15, 43, 54, 60, 66, 67, 97])
IPXE_FEATURES = bytes.fromhex("130101 160101 120101 170101 150101 240101 190101".replace(" ", ""))
"""Of option 175: HTTP among others (https://ipxe.org/howto/dhcpd)."""


@dataclass(slots=True)
class Computer:
    """`claim` makes an address this computer's; it is told each as soon as it is leased."""

    number: int
    cable: Cable
    claim: Callable[[str], Awaitable[None]]
    octets: int = 0
    """Of the maintenance stack."""
    waiting: list[socket.socket] = field(default_factory=list)

    @property
    def mac(self) -> str:
        """Its network card."""
        return f"02:77:00:{self.number >> 16 & 255:02x}:{self.number >> 8 & 255:02x}:{self.number & 255:02x}"

    @property
    def uuid(self) -> UUID:
        """Of its main board."""
        return UUID(int=(0x7777_0000 << 96) + (4 << 76) + (8 << 60) + self.number)

    async def boot(self) -> None:
        """Until it is idle; raises Failed, OSError or TimeoutError where that does not work."""
        script = await self._firmware()
        url, address = script
        said = (await http.get(address, url)).decode()
        kernel = re.search(r"kernel (\S+) (.*?) && initrd --name initrd (\S+)", said)
        if kernel is None:
            raise http.Failed(f"no maintenance stack in {said!r}")
        for file in (kernel[1], kernel[3]):
            self.octets += await http.swallow(address, file)
        words = dict(word.split("=", 1) for word in kernel[2].split() if word.startswith("qrm."))
        await self._agent(address, words)

    async def _firmware(self) -> tuple[str, str]:
        """The ROM fetches iPXE, iPXE is told its script: the URL of that, and the computer's address."""
        identity = {Code.ARCHITECTURE: b"\0\0", Code.CLIENT_UUID: b"\0" + self.uuid.bytes_le}
        asking = {Code.PARAMETER_LIST: ASKS_FOR, Code.MAX_MESSAGE_SIZE: b"\x05\xc0", Code.VENDOR_CLASS: PXE}
        mac = bytes.fromhex(self.mac.replace(":", ""))
        rom = await self.cable.lease(mac, {**asking, **identity})
        address = str(rom.address)
        await self.claim(address)
        await tftp.fetch(address, str(rom.server), rom.file)
        ipxe = await self.cable.lease(mac, {**asking, **identity, Code.USER_CLASS: b"iPXE", Code.IPXE: IPXE_FEATURES})
        if ipxe.address != rom.address:
            raise http.Failed(f"{self.mac} was leased {address}, then {ipxe.address}")
        serial = f"S{self.number}"
        known = {"platform": "pcbios", "product": "Simulated", "manufacturer": "Bench", "buildarch": "i386"}
        filled = ipxe.file.replace("${uuid}", str(self.uuid)).replace("${serial:uristring}", serial)
        for name, value in known.items():
            filled = filled.replace(f"${{{name}}}", value).replace(f"${{{name}:uristring}}", value)
        return filled, address

    async def _agent(self, address: str, words: dict[str, str]) -> None:
        """Trade the boot token, tell what the computer is, wait for work."""
        server, control = words["qrm.server"], f"{words['qrm.control']}/control/v1"
        authority = (await http.get(address, f"{server}/ca.pem")).decode()
        await http.get(address, f"{server}/time")
        context = ssl.create_default_context(cadata=authority)
        token = secrets.token_hex(32)
        redemption = {
            "boot_token": words["qrm.token"],
            "machine_token": token,
            "nonce": words["qrm.nonce"],
            "mac": self.mac,
            "macs": [self.mac],
            "uuid": str(self.uuid),
            "firmware": "bios",
        }
        welcome = await http.post(address, f"{control}/redeem", redemption, "", context)
        said = await http.post(address, f"{control}/inventory", self._inventory(), token, context)
        if said.get("state") != "idle":
            raise http.Failed(f"{self.mac} is {said}")
        self.waiting.append(await http.hold(address, f"{server}/poll/{welcome['poll']}"))

    def _inventory(self) -> dict[str, object]:
        """As the agent tells it of a small server."""
        system = {"manufacturer": "Bench", "product": "Simulated", "serial": f"S{self.number}", "uuid": str(self.uuid)}
        disks = [
            {
                "name": name, "path": f"/dev/disk/by-path/pci-0000:00:0{at}", "model": "Simulated", "wwn": "",
                "serial": f"D{self.number}-{at}", "bytes": 480 << 30, "sector_size": 512, "rotational": False,
                "transport": "sata", "read_only": False, "smart": "passed",
                "content": {"empty": True, "fingerprint": "0" * 64, "summary": "nothing", "partitions": []},
            }
            for at, name in enumerate(("sda", "sdb"))
        ]  # fmt: skip
        return {
            "firmware": "bios", "boot_mac": self.mac, "system": system, "disks": disks,
            "cpu": {"model": "Simulated", "sockets": 2, "cores": 32, "threads": 64, "architecture": "x86_64"},
            "memory": {"bytes": 256 << 30, "modules": []},
            "nics": [{"name": "eth0", "mac": self.mac, "driver": "none", "link": True, "addresses": []}],
        }  # fmt: skip
