"""What VMs use, and what is on their screens, over the API."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from web_world import FAST, World, services_over

from appliance.errors import ApplianceError
from appliance.events import Measured
from appliance.hypervisor.build import Surroundings
from appliance.hypervisor.memory import Kept, Memory
from appliance.reconcile.vm_statistics import screens
from appliance.reconcile.vm_statistics.parts import FigureParts, figure_parts
from appliance.reconcile.vms.host_rooms import HostRooms
from appliance.reconcile.vms.host_wishes import HostWishes
from appliance.reconcile.vms.looking import Looking
from appliance.store.store import open_store
from appliance.vm import Vm, VmId, VmState
from appliance.vm_points import FINE
from appliance.vm_usage import FIGURES, DiskUse, NicUse, Usage
from appliance.web.app import make_app
from appliance.web.setup import prepare_setup
from tests.clock import Clock
from tests.people import ADA

WEB = Vm(VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e"), "web1", memory=64 << 20)
OFF = Vm(VmId("758ecf7d-31a1-4e67-8b1b-5e94b28c141e"), "off1", memory=64 << 20)
AT = "/vms/web1"


class Door:
    """What figures ask of the room of VMs; counts how often."""

    def __init__(self, rooms: HostRooms, looking: Looking) -> None:
        self.rooms, self.looking, self.asked = rooms, looking, 0

    async def reach(self, key: str) -> Any:
        self.asked += 1
        view = await self.looking.find(key)
        return view, self.rooms.driver(view.host)


@dataclass
class Figured:
    world: World
    memory: Memory
    parts: FigureParts
    door: Door

    def live(self, count: int) -> None:
        """So many samples, ten seconds apart: half a core, a disk that reads 100 bytes a second."""
        now, wall = asyncio.get_running_loop().time(), self.world.clock()
        for number in range(count):
            ago = (count - 1 - number) * 10.0
            disks, nics = (DiskUse("sda", number * 1000, 0, number, 0),), (NicUse(0, "vnet0", 0, 0),)
            used = Usage(WEB.id, 1, number * 5 * 10**9, 1 << 30, None, disks, nics)
            self.parts.sampling.known.take("one", [used], now - ago, wall - ago)


@pytest.fixture
async def figured(tmp_path: Path) -> AsyncIterator[Figured]:
    clock = Clock()
    async with open_store(tmp_path / "store.db") as store:
        services, memory = services_over(store, tmp_path, clock), Memory(clock)
        for each in (WEB, OFF):
            memory.kept[each.id] = Kept("0123456789abcdef", each)
        memory.put(WEB.id, VmState.RUNNING)
        rooms = HostRooms(store, clock, Surroundings("0123456789abcdef", {"one": memory}), lambda: False)
        looking = Looking(rooms)
        await HostWishes(rooms, looking, services.bus).add("one", "memory:///one", ADA)
        door = Door(rooms, looking)
        parts = figure_parts(store, services.bus, clock, rooms, door)  # type: ignore[arg-type]
        link = await prepare_setup(store, tmp_path, clock())
        assert link
        app = make_app(replace(services, vm_figures=lambda: parts.figures), FAST)
        async with TestClient(TestServer(app)) as client:
            world = World(services, clock, client, link)
            await world.set_up()
            yield Figured(world, memory, parts, door)


async def test_what_a_vm_uses_now_and_did(figured: Figured) -> None:
    figured.live(40)
    found = await figured.world.api("GET", f"{AT}/statistics")
    assert found["live"] == {
        "at": figured.world.clock(), "cpu": pytest.approx(0.5), "memory": 1 << 30, "used": None,
        "disks": [
            {"target": "sda", "read": pytest.approx(100), "written": 0.0, "reads": pytest.approx(0.1), "writes": 0.0}
        ],
        "nics": [{"number": 0, "received": 0.0, "sent": 0.0}],
    }  # fmt: skip
    assert len(found["time"]) == 40
    assert found["time"][-1] == pytest.approx(figured.world.clock(), abs=1)
    assert {len(found[name]) for name in FIGURES} == {len(found["peaks"][name]) for name in FIGURES} == {40}
    assert found["cpu"][0] is None
    assert found["cpu"][1:] == [pytest.approx(0.5, rel=1e-3)] * 39
    assert set(found["used"]) == {None}
    day = await figured.world.api("GET", f"{AT}/statistics?span=day")
    assert len(day["time"]) <= 40 * 10 / FINE + 2
    assert day["peaks"]["cpu"][-1] == pytest.approx(0.5, rel=1e-3)
    assert len((await figured.world.api("GET", f"{AT}/statistics?span=week"))["time"]) in (1, 2)


async def test_a_vm_that_never_ran_has_no_figures_and_one_that_is_not_there_is_not_found(figured: Figured) -> None:
    found = await figured.world.api("GET", "/vms/off1/statistics")
    assert (found["live"], found["time"], found["cpu"]) == (None, [], [])
    assert (await figured.world.api("GET", "/vms/nobody/statistics", 404))["code"] == "vm-unknown"
    assert (await figured.world.api("GET", f"{AT}/statistics?span=year", 422))["field"] == "span"


async def picture(figured: Figured, key: str = "web1", status: int = 200) -> bytes:
    headers = figured.world.headers
    async with figured.world.client.get(f"/api/v1/vms/{key}/screenshot", headers=headers) as response:
        assert response.status == status
        if status == 200:
            assert response.content_type == "image/png"
            assert response.headers["Cache-Control"] == "private, max-age=5"
        return await response.read()


async def test_a_screen_is_asked_for_once_however_many_look(figured: Figured, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await asyncio.gather(*(picture(figured) for _ in range(5)))
    assert len(set(shown)) == 1
    assert shown[0].startswith(b"\x89PNG")
    figured.memory.screen = b"P6\n1 1\n255\n" + bytes(3)
    assert await picture(figured) == shown[0], "it is some seconds old"
    monkeypatch.setattr("appliance.reconcile.vm_statistics.screens.FRESH", 0.0)
    assert await picture(figured) != shown[0]


async def test_what_is_no_picture_is_said_and_not_kept(figured: Figured) -> None:
    good, figured.memory.screen = figured.memory.screen, b"nothing"
    assert b"screenshot-unreadable" in await picture(figured, status=502)
    figured.memory.screen = good
    await picture(figured)
    assert b"vm-state" in await picture(figured, "off1", 409)


async def test_an_id_that_is_sampled_costs_its_host_no_question(figured: Figured) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(figured.parts.sampling.run())
        with figured.world.services.bus.subscribe() as heard:
            await heard.woken(lambda item: isinstance(item, Measured), 10)
        await figured.world.api("GET", f"/vms/{WEB.id}/statistics")
        await picture(figured, WEB.id)
        assert figured.door.asked == 0
        await figured.world.api("GET", "/vms/web1/statistics")
        assert figured.door.asked == 1
        running.cancel()


async def test_pictures_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Host:
        async def screenshot(self, key: VmId) -> bytes:
            if key == "dark":
                raise ApplianceError("vm-failed", "no", "yes")
            return bytes(300)

    monkeypatch.setattr(screens, "MOST", 1000)
    kept = screens.Screens()
    for number in range(10):
        await kept.take(VmId(f"vm{number}"), Host())
    with pytest.raises(ApplianceError):
        await kept.take(VmId("dark"), Host())
    assert sorted(kept._kept) == ["vm7", "vm8", "vm9"]
    assert len(kept._locks) == 0, "a lock is there for as long as somebody waits for it"
