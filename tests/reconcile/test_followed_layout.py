"""What is stored of an interface moves with its name, whoever confirms it, and whatever is killed in between."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path

import msgspec
import pytest

from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.lease import Lease, LeaseState
from appliance.networking.edit import replace, with_interface, without_interface
from appliance.networking.layout import Interface, Layout
from appliance.privileged.client import Privileged
from appliance.reconcile.followed_layout import follow, follow_at_start
from appliance.reconcile.own_networks import OwnNetworks
from appliance.store import leases, subnet_rules
from appliance.store.store import Store, open_store
from tests.privileged.paper_computer import serving
from tests.privileged.paper_network import FIRST, PaperNetwork

BRIDGED = with_interface(FIRST, Interface("br0", "bridge", ports=("nic1",)))
LEASE = Lease("52:54:00:00:00:99", IPv4Address("10.77.0.60"), "nic1", b"", "", 1.0, 2e9, LeaseState.BOUND)
KILLED = """
import os, signal, sys
from pathlib import Path
import asyncio, msgspec
from appliance.networking.layout import Layout
from appliance.reconcile.followed_layout import follow
from appliance.store.store import open_store

async def main():
    layout = msgspec.json.decode(sys.argv[2], type=Layout)
    async with open_store(Path(sys.argv[1])) as store:
        def job(db):
            follow(db, layout)
            os.kill(os.getpid(), signal.SIGKILL)
        await store.write(job)

asyncio.run(main())
"""


async def put(store: Store) -> None:
    def job(db):
        leases.put(db, [LEASE])
        subnet_rules.choose(db, "nic1", {"mode": "proxy"})

    await store.write(job)


async def names(store: Store) -> set[str]:
    """The interfaces that something is stored of."""
    found = {each.interface for each in await store.read(leases.every)}
    return found | set(await store.read(subnet_rules.every))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store.db") as made:
        yield made


@pytest.fixture
async def net(tmp_path: Path) -> PaperNetwork:
    (tmp_path / "paper").mkdir()
    made = PaperNetwork(tmp_path / "paper")
    await made.boot()
    return made


async def test_the_screen_confirms_while_the_daemon_is_away(store: Store, net: PaperNetwork, tmp_path: Path) -> None:
    async with serving(tmp_path, net.computer) as privileged:
        await follow_at_start(store, privileged)
        await put(store)
        await net.apply(BRIDGED)
        await follow_at_start(store, privileged)
        assert await names(store) == {"nic1"}, "a trial moves nothing"
        await net.confirm()
        await follow_at_start(store, privileged)
        assert await names(store) == {"br0"}
        await follow_at_start(store, privileged)
        assert await names(store) == {"br0"}
        await net.apply(FIRST)
        await net.confirm()
        await follow_at_start(store, privileged)
        assert await names(store) == {"nic1"}, "and back"


async def test_the_screen_confirms_while_the_daemon_runs(
    store: Store, net: PaperNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, net.computer) as privileged:
        own = OwnNetworks(store, Bus(), time.time, privileged)
        rests, step = asyncio.Event(), own.step

        async def stepped() -> None:
            await step()
            rests.set()

        monkeypatch.setattr(own, "step", stepped)
        await step()
        await put(store)
        own._wake.clear()
        running = asyncio.get_running_loop().create_task(own.run())
        await rests.wait()
        await net.apply(BRIDGED)
        await net.confirm()
        await own.standing()  # somebody looks
        while await names(store) != {"br0"}:
            await asyncio.sleep(0.01)
        running.cancel()


async def test_a_kill_in_the_middle_moves_all_or_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        await store.write(lambda db: follow(db, FIRST))
        await put(store)
    layout = msgspec.json.encode(BRIDGED).decode()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, tmp_path / "store.db", layout)
    assert await process.wait() == -signal.SIGKILL
    async with open_store(tmp_path / "store.db") as store:
        assert await names(store) == {"nic1"}
        assert await store.write(lambda db: follow(db, BRIDGED)) == {"nic1": "br0"}
        assert await names(store) == {"br0"}
        assert await store.write(lambda db: follow(db, BRIDGED)) == {}


async def test_what_was_left_under_a_port_never_comes_into_force(store: Store) -> None:
    """Rows that an older version, or a time in which the port was served, left there."""
    await store.write(lambda db: follow(db, BRIDGED))
    await put(store)
    await store.write(lambda db: subnet_rules.choose(db, "br0", {"unknown_machines": "ignore"}))
    changed = replace(BRIDGED, nat=True)
    assert await store.write(lambda db: follow(db, changed)) == {}
    assert (await store.read(subnet_rules.every))["br0"] == {"unknown_machines": "ignore"}
    await store.write(lambda db: follow(db, without_interface(changed, "br0")))
    assert await store.read(subnet_rules.every) == {"nic1": {"unknown_machines": "ignore"}}


async def test_a_layout_that_cannot_be_read_is_none_to_follow(store: Store) -> None:
    await store.write(lambda db: follow(db, FIRST))
    await put(store)
    assert await store.write(lambda db: follow(db, Layout())) == {}
    assert await store.write(lambda db: follow(db, BRIDGED)) == {"nic1": "br0"}


async def test_a_start_goes_on_without_the_helper(
    store: Store, net: PaperNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await follow_at_start(store, Privileged(tmp_path / "none.sock"))
    async with serving(tmp_path, net.computer) as privileged:

        async def gone(*_: object) -> None:
            raise ApplianceError("helper-gone", "it ended")

        monkeypatch.setattr(privileged, "call", gone)
        await follow_at_start(store, privileged)
