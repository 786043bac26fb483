"""What the certificate is told to be for, as addresses come and go on a flashed appliance."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.networking.layout import Interface, Layout
from appliance.networking.reached import Held
from appliance.privileged.client import Privileged
from appliance.privileged.verbs.network import NetworkStatus, Status, Trial
from appliance.reconcile.own_addresses import OwnAddresses
from appliance.store.store import Store, open_store

NIC = Layout((Interface("nic0", roles=("management",)),))
BRIDGE = Layout((Interface("br0", kind="bridge", roles=("management",)),))


class Helper(Privileged):
    """Knows one layout."""

    here = True

    def __init__(self) -> None:
        self.status: NetworkStatus | ApplianceError = NetworkStatus(NIC, None, None, ())

    async def call(self, verb: object, hears: object = None) -> NetworkStatus:
        assert verb == Status()
        if isinstance(self.status, ApplianceError):
            raise self.status
        return self.status


@dataclass
class Desk:
    own: OwnAddresses
    store: Store
    helper: Helper
    held: list[Held] = field(default_factory=list)
    used: list[Sequence[str]] = field(default_factory=list)

    async def told(self) -> list[str]:
        rows = "SELECT doc FROM events WHERE kind = 'certificate.changed'"
        return [bytes(doc).decode() for (doc,) in await self.store.read(lambda db: db.execute(rows).fetchall())]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_store(tmp_path / "store.db") as store:
        helper, held, used = Helper(), [Held("nic0", "192.0.2.5")], list[Sequence[str]]()
        own = OwnAddresses(store, Bus(), time.time, helper, {4}, used.append, lambda: list(held))
        yield Desk(own, store, helper, held, used)


async def test_it_follows_and_tells(desk: Desk) -> None:
    assert not await desk.own.step()
    assert (desk.used, await desk.told()) == ([("192.0.2.5",)], [])
    assert not await desk.own.step(), "nothing changed"
    desk.held.append(Held("nic1", "198.51.100.1"))
    assert not await desk.own.step(), "that network is for something else"
    desk.held.append(Held("nic0", "192.0.2.6"))
    assert await desk.own.step()
    assert desk.used == [("192.0.2.5",), ("192.0.2.5", "192.0.2.6")]
    desk.held[:] = [Held("nic0", "192.0.2.6")]
    assert await desk.own.step()
    came, went = await desk.told()
    assert "is for 192.0.2.6 from now on" in came
    assert "not for 192.0.2.5 any more" in went
    assert desk.used[-1] == ("192.0.2.6",)


async def test_a_network_on_trial_counts(desk: Desk) -> None:
    await desk.own.step()
    desk.held.append(Held("br0", "192.0.2.9"))
    desk.helper.status = NetworkStatus(NIC, Trial(BRIDGE, 1.0), None, ())
    assert await desk.own.step()
    assert desk.used[-1] == ("192.0.2.9",), "who is to confirm it comes by its address"


async def test_another_purpose_counts_without_another_address(desk: Desk) -> None:
    desk.held.append(Held("nic1", "198.51.100.1"))
    await desk.own.step()
    both = Layout((*NIC.interfaces, Interface("nic1", roles=("management",))))
    desk.helper.status = NetworkStatus(both, None, None, ())
    assert not await desk.own.step()
    desk.own.ring()
    assert await desk.own.step()
    assert desk.used[-1] == ("192.0.2.5", "198.51.100.1")
    desk.own.ring()
    assert not await desk.own.step(), "it is for these already"


async def test_a_certificate_that_cannot_be_made_is_made_later(desk: Desk) -> None:
    await desk.own.step()
    desk.held.append(Held("nic0", "192.0.2.6"))
    use, desk.own._use = desk.own._use, _full
    with pytest.raises(OSError, match="too many"):
        await desk.own.step()
    desk.own._use = use
    assert await desk.own.step()
    assert desk.used[-1] == ("192.0.2.5", "192.0.2.6")


def _full(_: Sequence[str]) -> None:
    raise OSError("too many open files")


async def test_what_cannot_be_asked_changes_nothing(desk: Desk) -> None:
    await desk.own.step()
    known, desk.helper.status = desk.helper.status, ApplianceError("helper-gone", "it ended")
    assert not await desk.own.step(), "a refreshed address is no reason to ask"
    desk.held.append(Held("nic0", "192.0.2.6"))
    with pytest.raises(ApplianceError, match="it ended"):
        await desk.own.step()
    assert len(desk.used) == 1
    desk.helper.status = known
    assert await desk.own.step()
