"""One computer: its ROM, the iPXE that the ROM fetches, and the maintenance stack that this starts."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TypeVar
from uuid import UUID

from appliance.agent.commandline import parse
from appliance.machine import MacAddress
from appliance.netboot.dhcp.options import Code
from appliance.netboot.ipxe import PAUSES
from tests.benchmarks.simulated import http, tftp
from tests.benchmarks.simulated.agent import Agent
from tests.benchmarks.simulated.dhcp import Cable

T = TypeVar("T")

PXE = b"PXEClient:Arch:00000:UNDI:002001"
ASKS_FOR = bytes([1, 3, 6, 12, 15, 43, 54, 60, 66, 67, 97])
IPXE_FEATURES = bytes.fromhex("130101 160101 120101 170101 150101 240101 190101".replace(" ", ""))
"""Of option 175: HTTP among others (https://ipxe.org/howto/dhcpd)."""

_STACK = re.compile(r"kernel (\S+) (.*?) && initrd --name initrd (\S+)")
_BUSY = re.compile(r"^sleep (\d+) ", re.MULTILINE)
"""In the script of an appliance that is busy, which waits and then asks for its script again."""
_TELLS = re.compile(r"imgfetch --timeout 3000 --name trouble (\S+?)\?")


@dataclass(slots=True)
class Computer:
    """`claim` makes an address this computer's; it is told each as soon as it is leased."""

    number: int
    cable: Cable
    claim: Callable[[str], Awaitable[None]]
    again: Counter[str] = field(default_factory=Counter)
    """What was asked again, by whom it was asked."""
    octets: int = 0
    """Of the maintenance stack."""

    @property
    def mac(self) -> MacAddress:
        """Its network card."""
        return MacAddress(
            f"02:77:00:{self.number >> 16 & 255:02x}:{self.number >> 8 & 255:02x}:{self.number & 255:02x}"
        )

    @property
    def uuid(self) -> UUID:
        """Of its main board."""
        return UUID(int=(0x7777_0000 << 96) + (4 << 76) + (8 << 60) + self.number)

    async def boot(self) -> Agent:
        """Its agent, once it is idle; raises Failed, Unanswered, OSError or TimeoutError where that does not work."""
        url, address = await self._firmware()
        script = await self._script(url, address)
        found = _STACK.search(script)
        if found is None:
            raise http.Failed(f"no maintenance stack in {script!r}")
        await self._fetch(address, (found[1], found[3]), script)
        agent = Agent(self.number, self.mac, str(self.uuid), address, parse(found[2]), self.again)
        await agent.become_idle()
        return agent

    async def _firmware(self) -> tuple[str, str]:
        """The ROM fetches iPXE, iPXE is told its script: the URL of that, and the computer's address."""
        identity = {Code.ARCHITECTURE: b"\0\0", Code.CLIENT_UUID: b"\0" + self.uuid.bytes_le}
        asking = {Code.PARAMETER_LIST: ASKS_FOR, Code.MAX_MESSAGE_SIZE: b"\x05\xc0", Code.VENDOR_CLASS: PXE}
        mac = bytes.fromhex(self.mac.replace(":", ""))
        rom = await self.cable.lease(mac, {**asking, **identity})
        address = str(rom.address)
        await self.claim(address)
        self.again["tftp"] += (await tftp.fetch(address, str(rom.server), rom.file))[1]
        ipxe = await self.cable.lease(mac, {**asking, **identity, Code.USER_CLASS: b"iPXE", Code.IPXE: IPXE_FEATURES})
        if ipxe.address != rom.address:
            raise http.Failed(f"{self.mac} was leased {address}, then {ipxe.address}")
        return self._filled(ipxe.file), address

    def _filled(self, url: str) -> str:
        """The URL of a script with what iPXE knows of the computer."""
        filled = url.replace("${uuid}", str(self.uuid)).replace("${serial:uristring}", f"S{self.number}")
        known = {"platform": "pcbios", "product": "Simulated", "manufacturer": "Bench", "buildarch": "i386"}
        for name, value in known.items():
            filled = filled.replace(f"${{{name}}}", value).replace(f"${{{name}:uristring}}", value)
        return filled

    async def _script(self, url: str, address: str) -> str:
        """The script that is not one that waits. A silent appliance is asked again once such a one runs, not before."""

        async def ask() -> str:
            return (await http.get(address, url)).decode()

        said = await ask()
        while not _STACK.search(said) and (busy := _BUSY.search(said)):
            self.again["script"] += 1
            await asyncio.sleep(float(busy[1]))
            said = await self._insist("script", ask)
        return said

    async def _fetch(self, address: str, files: tuple[str, ...], script: str) -> None:
        """Kernel and initrd, both again where one does not come, which is told."""

        async def ask() -> int:
            try:
                return sum([await http.swallow(address, file) for file in files])
            except (http.Unanswered, http.Failed):
                if tells := _TELLS.search(script):
                    with suppress(http.Unanswered, http.Failed):
                        await http.get(address, tells[1], 3.0)
                raise

        self.octets += await self._insist("stack", ask)

    async def _insist(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Until it works, with the pauses of our scripts, of which the last one repeats."""
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            try:
                return await ask()
            except (http.Unanswered, http.Failed):
                self.again[what] += 1
            await asyncio.sleep(pause)
        raise AssertionError("repeated pauses do not end")
