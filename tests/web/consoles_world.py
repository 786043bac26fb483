"""The application over a host of memory with one VM that runs, and viewers of its consoles."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.test_utils import TestClient, TestServer
from web_world import FAST, World, services_over

from appliance.hypervisor.build import Surroundings
from appliance.hypervisor.memory import Kept, Memory
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.host_wishes import HostWishes
from appliance.reconcile.vms.looking import Looking
from appliance.store.store import open_store
from appliance.vm import Vm, VmId, VmState
from appliance.web.app import make_app
from appliance.web.console_tickets import PROTOCOL
from appliance.web.setup import prepare_setup
from tests.clock import Clock
from tests.people import ADA

OURS = "0123456789abcdef"
WEB = Vm(VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e"), "web1", memory=64 << 20)
DB = Vm(VmId("758ecf7d-31a1-4e67-8b1b-5e94b28c141e"), "db1", memory=64 << 20)


@dataclass
class Consoles:
    """``memory`` is the host; ``at`` the API's."""

    world: World
    memory: Memory
    door: Any

    @property
    def opened(self) -> list[Any]:
        """Which consoles were opened on the host."""
        found: list[Any] = self.door.opened
        return found

    async def ticket(self, kind: str = "serial", vm: str = "web1", status: int = 201, **more: Any) -> Any:
        return await self.world.api("POST", f"/vms/{vm}/console", status, json={"kind": kind}, **more)

    async def connect(self, given: Any, headers: dict[str, str] | None = None, path: str = "") -> Any:
        """A WebSocket with that ticket; raises WSServerHandshakeError."""
        who = self.world.headers if headers is None else headers
        return await self.world.client.ws_connect(path or given["path"], protocols=given["protocols"], headers=who)

    async def open(self, kind: str = "serial", vm: str = "web1") -> Any:
        return await self.connect(await self.ticket(kind, vm))


async def refused(connecting: Any) -> int:
    """The status that a connection is refused with."""
    try:
        await connecting
    except aiohttp.WSServerHandshakeError as error:
        return error.status
    raise AssertionError("it was let in")


async def said(socket: Any, until: bytes) -> bytes:
    """What comes in binary messages, until it holds that."""
    heard = b""
    while until not in heard:
        message = await socket.receive(timeout=10)
        assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
        heard += message.data if message.type is aiohttp.WSMsgType.BINARY else b""
    return heard


async def ended(socket: Any) -> tuple[int, str]:
    """How a connection is closed: code, and words."""
    while (message := await socket.receive(timeout=10)).type is not aiohttp.WSMsgType.CLOSE:
        assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
    return message.data, message.extra


@asynccontextmanager
async def open_consoles(state_dir: Path) -> AsyncIterator[Consoles]:
    clock = Clock()
    async with open_store(state_dir / "store.db") as store:
        services = services_over(store, state_dir, clock)
        memory = Memory(clock)
        for each in (WEB, DB):
            memory.kept[each.id] = Kept(OURS, each)
            memory.put(each.id, VmState.RUNNING)
        rooms = HostRooms(store, clock, Surroundings(OURS, {"one": memory}), lambda: False)
        looking = Looking(rooms)
        await HostWishes(rooms, looking, services.bus).add("one", "memory:///one", ADA)
        door = Door(rooms, looking)
        link = await prepare_setup(store, state_dir, clock())
        assert link
        app = make_app(replace(services, vms=lambda: door), FAST)  # type: ignore[arg-type,return-value]
        async with TestClient(TestServer(app)) as client:
            world = World(services, clock, client, link)
            await world.set_up()
            yield Consoles(world, memory, door)


class Door(SimpleNamespace):
    """What consoles ask of the room of VMs."""

    def __init__(self, rooms: HostRooms, looking: Looking) -> None:
        super().__init__(rooms=rooms, looking=looking, find=looking.find, opened=[])

    async def open_console(self, key: str, kind: Any) -> Any:
        view = await self.looking.find(key)
        self.opened.append((view.seen.name, str(kind)))
        return await self.looking.open_console(view, kind)


__all__ = ["DB", "PROTOCOL", "WEB", "Consoles", "ended", "open_consoles", "refused", "said"]
