"""A network card that is plugged in while the daemon runs: heard of, given its place, told of."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.events import Bus
from appliance.networking.layout import Layout
from appliance.reconcile import own_networks
from appliance.reconcile.own_networks import OwnNetworks
from appliance.store.events import query
from appliance.store.store import Store, open_store
from tests.privileged.paper_computer import serving
from tests.privileged.paper_network import FIXED, MACS, PaperNetwork

ASKS = "it asks for an address, and the console is reached over it"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db") as made:
        yield made


@pytest.fixture
async def net(tmp_path: Path) -> PaperNetwork:
    """A computer without a card."""
    (tmp_path / "paper").mkdir()
    made = PaperNetwork(tmp_path / "paper", ())
    assert await made.boot() == Layout()
    return made


async def told(store: Store) -> list[tuple[str, str]]:
    return [(each.text, each.reason) for each in await store.read(lambda db: query(db, kind=own_networks.KIND))]


async def test_a_card_gets_its_place_as_soon_as_it_is_heard_of(store: Store, net: PaperNetwork, tmp_path: Path) -> None:
    bus = Bus()
    async with serving(tmp_path, net.computer) as privileged:
        own = OwnNetworks(store, bus, lambda: 7.0, privileged)
        await own.step()
        assert await told(store) == []
        with bus.subscribe() as heard:
            async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
                running = tasks.create_task(own.run())
                net.plug("enp9s0", MACS[0])
                own.look()
                event = await heard.get()
                running.cancel()
    assert event.text == f"a network card was found: nic0 ({MACS[0]})"
    assert await told(store) == [(event.text, ASKS)]
    assert net.links == {"nic0": MACS[0]}


async def test_a_card_that_comes_while_a_change_is_tried_gets_it_afterwards(
    store: Store, net: PaperNetwork, tmp_path: Path
) -> None:
    net.plug("enp9s0", MACS[0])
    await net.boot()
    async with serving(tmp_path, net.computer) as privileged:
        own = OwnNetworks(store, Bus(), lambda: 7.0, privileged)
        await net.apply(Layout(FIXED.interfaces[:1]))
        net.plug("enp10s0", MACS[1])
        await own.step()
        assert await told(store) == []
        assert own._pause() is not None, "it looks again by itself"
        await net.confirm()
        await own.step()
        assert await told(store) == [(f"a network card was found: nic1 ({MACS[1]})", "it is for nothing yet")]
        assert own._pause() is None
