"""Our DHCP server on br0 as a process of its own, for real clients to talk to and for kill -9.

Usage: dhcp_process.py STORE asyncio|uvloop MODE. Prints "ready", then one line for each lease granted. While
the file STORE.stuck exists, writes never return.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import cast

import uvloop

from appliance.lease import Lease, LeaseState
from appliance.netboot.dhcp.facts import AddressConflict, Fact, LeaseGranted
from appliance.netboot.dhcp.server import DhcpServer
from appliance.netboot.dhcp.subnet import AddressRange, Mode, Subnet

SUBNET = Subnet(
    interface="br0",
    address=IPv4Interface("10.77.0.1/24"),
    ranges=(AddressRange(IPv4Address("10.77.0.50"), IPv4Address("10.77.0.59")),),
    lease_seconds=600,
    gateway=IPv4Address("10.77.0.1"),
    dns=(IPv4Address("10.77.0.1"),),
    domain="lab.test",
)


class FileStore:
    """One JSON line per lease, synced before `save` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> Sequence[Lease]:
        """The newest line of each address."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return list({lease.address: lease for lease in map(self._read, lines)}.values())

    def _read(self, line: str) -> Lease:
        mac, address, start, end, state = json.loads(line)
        return Lease(mac, IPv4Address(address), "br0", b"", "", start, end, LeaseState(state))

    async def save(self, leases: Sequence[Lease]) -> None:
        """Append."""
        if self._path.with_suffix(".stuck").exists():
            await asyncio.Event().wait()
        with self._path.open("a") as file:
            for each in leases:
                file.write(json.dumps([each.mac, str(each.address), each.start, each.end, each.state]) + "\n")
            file.flush()
            os.fsync(file.fileno())


def tell(fact: Fact) -> None:
    """Print what the tests wait for."""
    if isinstance(fact, LeaseGranted):
        print("granted", fact.lease.mac, fact.lease.address, fact.client.firmware, flush=True)
    if isinstance(fact, AddressConflict):
        print("conflict", fact.address, flush=True)


async def serve(store: Path, mode: Mode) -> None:
    """Until killed."""
    server = DhcpServer([replace(SUBNET, mode=mode)], FileStore(store), tell, lambda mac: False)
    await server.start()
    print("ready", flush=True)
    await server.run()


if __name__ == "__main__":
    (uvloop.run if sys.argv[2] == "uvloop" else asyncio.run)(serve(Path(sys.argv[1]), cast("Mode", sys.argv[3])))
