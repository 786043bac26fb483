"""Subnets that do not fit are told of once, and the daemon begins anew as soon as one fits."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.networking.served import Aside
from appliance.reconcile import set_aside
from appliance.reconcile.set_aside import KIND, SetAside
from appliance.store.events import query
from appliance.store.store import Store, open_store

NIC1 = Aside("nic1", "nic1 has no IPv4 address", "give it one")
NIC2 = Aside("nic2", "there is no such interface as nic2", "this computer has nic1")


@dataclass
class Desk:
    store: Store
    now: list[Aside] = field(default_factory=lambda: [NIC1, NIC2])
    begun: int = 0
    fails: bool = False

    def __post_init__(self) -> None:
        self.aside = SetAside(self.store, Bus(), time.time, tuple(self.now), self.look, self.again)

    def look(self) -> list[Aside]:
        if self.fails:
            raise ApplianceError("program-failed", "ip: no")
        return list(self.now)

    def again(self) -> None:
        self.begun += 1

    async def told(self) -> list[str]:
        found = await self.store.read(lambda db: query(db, kind=KIND))
        return [each.text for each in reversed(found)]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_store(tmp_path / "store.db") as store:
        yield Desk(store)


async def test_what_fits_again_is_served_again(desk: Desk) -> None:
    await desk.aside.step()
    assert (desk.begun, desk.aside.aside) == (0, (NIC1, NIC2))
    other = replace(NIC1, why="nic1 is elsewhere")
    desk.now[:] = [other, NIC2]
    await desk.aside.step()
    assert (desk.begun, desk.aside.aside) == (0, (other, NIC2)), "the reason is that of now"
    desk.now[:] = [NIC2]
    await desk.aside.step()
    assert (desk.begun, desk.aside.aside) == (1, (NIC2,))
    assert await desk.told() == ["the subnet nic1 fits the networks, and is served from now on"]


async def test_it_goes_on_looking_whatever_fails(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "LOOK_SECONDS", 0.01)
    desk.fails = True
    running = asyncio.get_running_loop().create_task(desk.aside.run())
    while len(await desk.told()) < 2:
        await asyncio.sleep(0.01)
    assert await desk.told() == [f"the subnet {each.subnet} is not served: {each.why}" for each in (NIC1, NIC2)]
    desk.now.clear()
    desk.fails = False
    while not desk.begun:
        await asyncio.sleep(0.01)
    assert not running.done(), "a loop that ends would end the daemon"
    running.cancel()
