"""An appliance's web layer over a real store, as tests see it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher
from network_parts import network_parts
from storage_bench import storage_of
from vm_bench import HostsOfMemory

from appliance.events import Bus
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.netboot.dhcp.subnet import Subnet
from appliance.reconcile.imports import Imports
from appliance.reconcile.seeds import Seeds
from appliance.reconcile.wishes import Wishes
from appliance.store import attempts, machines
from appliance.store.sealing import KEY_BYTES, Sealer
from appliance.store.store import Store, open_store
from appliance.web.app import make_app
from appliance.web.services import Services
from appliance.web.setup import prepare_setup
from appliance.workflow import Attempt, AttemptId, DeploymentId, Kind, begin, steps_for
from tests.clock import Clock

SUBNET = Subnet("br0", IPv4Interface("10.77.0.1/24"))
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NAME, PASSWORD = "admin", "correct horse battery"
DISK = {
    "name": "vda",
    "serial": "D1",
    "wwn": None,
    "bytes": 8 << 30,
    "sector_size": 512,
    "model": "QEMU",
    "content": {"empty": True, "fingerprint": "f0"},
}
INVENTORY: dict[str, Any] = {
    "firmware": "uefi",
    "cpu": {"threads": 4},
    "memory": {"bytes": 2 << 30},
    "disks": [DISK],
}


@dataclass
class World:
    """The application, its parts, and a client that is nobody yet."""

    services: Services
    clock: Clock
    client: "TestClient[Any, Any]"
    link: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def token(self) -> str:
        return self.link.partition("token=")[2]

    async def set_up(self) -> str:
        """Become the administrator; later calls of ``api`` are theirs."""
        body = {"token": self.token, "name": NAME, "password": PASSWORD}
        async with self.client.post("/api/v1/setup", json=body) as response:
            assert response.status == 201, await response.text()
            token: str = (await response.json())["token"]
        self.client.session.cookie_jar.clear()
        self.headers = {"Authorization": f"Bearer {token}"}
        return token

    async def api(self, method: str, path: str, status: int = 200, **arguments: Any) -> Any:
        """The JSON answer of the API, which must have this status."""
        headers = {**self.headers, **arguments.pop("headers", {})}
        async with self.client.request(method, f"/api/v1{path}", headers=headers, **arguments) as response:
            text = await response.text()
            assert response.status == status, f"{method} {path}: {response.status} {text}"
            return await response.json(content_type=None) if text else None

    async def machine(self, number: int = 1, state: State = State.IDLE, maintenance: bool = False) -> Machine:
        """A machine with its inventory, in the store."""
        mac = parse_mac(f"52:54:00:00:00:{number:02x}")
        machine = Machine(
            MachineId(f"m{number}"), f"node-{number}", state, (mac,), self.clock(), maintenance=maintenance
        )
        await self.services.store.write(lambda db: machines.put(db, machine))
        await self.services.store.write(lambda db: machines.put_inventory(db, machine.id, INVENTORY))
        return machine

    async def attempt(self, machine: Machine, kind: Kind, deployment: int | None = None) -> Attempt:
        """A live attempt in its first step, in the store."""
        steps, now = steps_for(kind, system_runs=kind is Kind.STOP), self.clock()
        whose = None if deployment is None else DeploymentId(deployment)
        made = begin(AttemptId("a1"), kind, machine.id, whose, steps, nonce="n", armed=True, now=now)
        await self.services.store.write(lambda db: attempts.put(db, made))
        return made

    async def image(self, name: str = "demo") -> Any:
        """A small disk image, uploaded."""
        return await self.api("POST", f"/images?name={name}&format=raw", 201, data=b"\0" * 4096)


def services_over(store: Store, state_dir: Path, clock: Clock) -> Services:
    bus = Bus()
    storage = storage_of(store, bus, clock)
    vms = HostsOfMemory(store, bus, clock, storage)
    return Services(
        store=store,
        bus=bus,
        wishes=Wishes(store, bus, clock, [SUBNET]),
        **network_parts(store, bus, clock, [SUBNET]),
        imports=Imports(store, bus, state_dir, clock),
        seeds=Seeds(store, Sealer(b"k" * KEY_BYTES)),
        clock=clock,
        state_dir=state_dir,
        config_path=state_dir / "appliance.toml",
        domain="lab.test",
        fingerprint="ab" * 32,
        storage=storage,
        vms=vms,
        vm_figures=lambda: vms.figures.figures,
        config={},
    )


@asynccontextmanager
async def open_world(state_dir: Path) -> AsyncIterator[World]:
    clock = Clock()
    async with open_store(state_dir / "store.db") as store:
        services = services_over(store, state_dir, clock)
        link = await prepare_setup(store, state_dir, clock())
        assert link
        async with TestClient(TestServer(make_app(services, FAST))) as client:
            yield World(services, clock, client, link)
