"""Answers are checked and kept, and carried out in an order that locks nobody out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from paper import EMPTY, FULL, NIC0, PaperAppliance

from appliance.accounts import Asker, Role
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.events import Bus
from appliance.setup import stored
from appliance.setup.conduct import TAKEN_BACK, Conduct
from appliance.setup.draft import Progress, accepted, open_step
from appliance.setup.steps import HEARD_SECONDS, LONGEST_TYPED, SetUpSteps
from appliance.setup.value import Management, Provisioning, Site, Storage
from appliance.store import accounts, subnet_rules
from appliance.store.documents import one
from appliance.store.store import Store, open_store
from tests.clock import Clock

EVA = Asker("eva", Role.ADMIN, "192.0.2.77")
SITE = Site("boot", "rack.example", "Europe/Vienna")
FIXED = Management("nic0", "192.0.2.10/24", "192.0.2.1")
SERVED = Provisioning("nic1", "10.77.0.1/24", ranges=("10.77.0.50-10.77.0.99",))


@dataclass
class Bench:
    """Steps and conduct over a store, and what they meet."""

    store: Store
    clock: Clock
    paper: PaperAppliance
    steps: SetUpSteps
    conduct: Conduct

    async def answer(self) -> None:
        await self.steps.answer_site(SITE, EVA)
        await self.steps.answer_networks(FIXED, SERVED, EVA)
        await self.steps.answer_storage(Storage((EMPTY.serial,)), None, EVA)

    async def until(self, phase: str) -> Progress:
        """The progress, once it is in this phase and stands still."""
        async with asyncio.timeout(20):
            while (found := await self.steps.progress()).phase != phase or (phase == "trying" and not found.until):
                await asyncio.sleep(0.01)
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.conduct.run())
            yield
            task.cancel()


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr("appliance.setup.conduct.ANSWER_SECONDS", 0.0)
    monkeypatch.setattr("appliance.setup.conduct.LATE_SECONDS", 0.0)
    async with open_store(tmp_path / "store.db") as store:
        clock, bus = Clock(), Bus()
        paper = PaperAppliance(clock)
        yield Bench(store, clock, paper, SetUpSteps(store, bus, clock, paper), Conduct(store, bus, clock, paper))


async def test_steps_are_answered_one_after_the_other(bench: Bench) -> None:
    assert open_step(await bench.steps.draft()) == "site"
    await bench.steps.answer_site(SITE, EVA)
    assert open_step(await bench.steps.draft()) == "networks"
    await bench.steps.answer_networks(FIXED, SERVED, EVA)
    assert open_step(await bench.steps.draft()) == "storage"
    draft = await bench.steps.answer_storage(Storage(), None, EVA)
    assert open_step(draft) == "ready"
    assert accepted(draft) == ("account", "site", "networks", "storage")
    assert await bench.steps.draft() == draft, "it is kept"
    assert bench.paper.done == ["look nic1"], "nothing is done before the end"


async def test_a_mac_address_becomes_the_name_of_its_interface(bench: Bench) -> None:
    draft = await bench.steps.answer_networks(replace(FIXED, nic=NIC0.mac.upper()), SERVED, EVA)
    assert draft.management == FIXED


@pytest.mark.parametrize(
    ("management", "provisioning", "field"),
    [
        (replace(FIXED, nic="nic7"), None, "management.nic"),
        (replace(FIXED, nic="52:54:00:ff:ff:ff"), None, "management.nic"),
        (FIXED, replace(SERVED, nic="eth0"), "provisioning.nic"),
        (FIXED, replace(SERVED, address=""), "provisioning.address"),
        (FIXED, replace(SERVED, nic=NIC0.mac), "provisioning.address"),
    ],
)
async def test_networks_that_cannot_be(
    bench: Bench, management: Management, provisioning: Provisioning | None, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await bench.steps.answer_networks(management, provisioning, EVA)
    assert caught.value.field == field
    assert (await bench.steps.draft()).management is None


async def test_a_zone_that_nobody_knows(bench: Bench) -> None:
    with pytest.raises(Invalid, match="Europe/Wien"):
        await bench.steps.answer_site(replace(SITE, time_zone="Europe/Wien"), EVA)


async def test_another_dhcp_server_is_told_at_once(bench: Bench) -> None:
    bench.paper.dhcp["nic1"] = ("10.77.0.254",)
    with pytest.raises(Conflict, match=r"10\.77\.0\.254") as caught:
        await bench.steps.answer_networks(FIXED, SERVED, EVA)
    assert caught.value.code == "dhcp-foreign"
    assert "proxy" in caught.value.hint
    await bench.steps.answer_networks(FIXED, replace(SERVED, dhcp="proxy", ranges=()), EVA)
    await bench.steps.answer_networks(FIXED, SERVED, EVA, despite_dhcp=True)
    assert bench.paper.done == ["look nic1"], "one look tells for a while"
    bench.clock.now += HEARD_SECONDS
    bench.paper.dhcp.clear()
    await bench.steps.answer_networks(FIXED, SERVED, EVA)
    assert bench.paper.done == ["look nic1", "look nic1"]


async def test_a_look_that_cannot_be_taken_keeps_nobody_back(bench: Bench) -> None:
    bench.paper.fails["look nic1"] = ApplianceError("look-failed", "nic1: Network is down")
    await bench.steps.answer_networks(FIXED, SERVED, EVA)
    heard = bench.steps.heard("nic1")
    assert heard
    assert heard.problem == "nic1: Network is down"


@pytest.mark.parametrize(
    ("disks", "wrong"),
    [
        (("WD-NOT-THERE",), "no disk"),
        (("S5Y1NG0R1",), "itself runs from"),
        (("/dev/sdb",), "names no disk for sure"),
        ((EMPTY.serial, EMPTY.serial), "name a disk twice"),
    ],
)
async def test_disks_that_cannot_be(bench: Bench, disks: tuple[str, ...], wrong: str) -> None:
    with pytest.raises(Invalid, match=wrong):
        await bench.steps.answer_storage(Storage(disks), None, EVA)


async def test_what_is_on_a_disk_wants_its_identifier_typed(bench: Bench) -> None:
    both = Storage((EMPTY.serial, FULL.serial))
    for typed in (None, "", "yes", EMPTY.serial):
        with pytest.raises(Conflict, match="backup") as caught:
            await bench.steps.answer_storage(both, typed, EVA)
        assert caught.value.code == "confirmation-needed"
        assert FULL.serial in caught.value.hint
        assert EMPTY.serial not in caught.value.hint, "nothing is on it"
    draft = await bench.steps.answer_storage(both, f" {FULL.serial} ", EVA)
    assert draft.storage == both
    assert draft.agreed == ("WD Red Plus WD-WX12D4000002, 4 TB: 1 partition: ext4 (backup)",)


async def test_what_was_refused_is_kept_until_something_is_accepted(bench: Bench) -> None:
    await bench.steps.keep_typed("site", {"host_name": "the host", "domain": "x" * 10_000})
    kept = (await bench.steps.draft()).typed["site"]
    assert kept["host_name"] == "the host"
    assert len(kept["domain"]) == LONGEST_TYPED
    assert "site" not in (await bench.steps.answer_site(SITE, EVA)).typed


async def test_all_is_carried_out_once_somebody_came_over_the_new_network(bench: Bench) -> None:
    await bench.answer()
    async with bench.running():
        begun = await bench.conduct.begin(EVA, "192.0.2.200")
        assert begun.target == "192.0.2.10:8443"
        await bench.until("trying")
        assert bench.paper.done[-1] == "try"
        assert bench.paper.written is None, "nothing but the network is touched"
        await bench.conduct.confirm()
        await bench.until("done")
        async with asyncio.timeout(20):
            while bench.paper.done[-1] != "restart":
                await asyncio.sleep(0.01)
    assert bench.paper.done[1:] == ["try", "keep", "write", "restart"]
    assert bench.paper.written
    assert bench.paper.written.site == SITE
    chosen = await bench.store.read(subnet_rules.every)
    assert chosen == {"nic1": {"mode": "authoritative", "unknown_machines": "enlist"}}


async def test_a_network_that_nobody_comes_over_goes_back_and_nothing_was_changed(bench: Bench) -> None:
    await bench.answer()
    async with bench.running():
        await bench.conduct.begin(EVA, "192.0.2.200")
        trying = await bench.until("trying")
        assert trying.until
        bench.clock.now, bench.paper.now_on = trying.until + 1, None
        bench.conduct._wake.set()
        back = await bench.until("asking")
    assert back.failed
    assert back.message == TAKEN_BACK
    assert bench.paper.done[1:] == ["try"]
    assert open_step(await bench.steps.draft()) == "ready", "all answers are kept"
    assert await bench.store.read(lambda db: one(db, "SELECT kind FROM events ORDER BY id DESC")) == ("setup.failed",)
    with pytest.raises(Conflict, match="no new network"):
        await bench.conduct.confirm()


async def test_a_network_as_it_is_already_wants_no_confirmation(bench: Bench) -> None:
    bench.paper.changes = False
    await bench.answer()
    async with bench.running():
        assert (await bench.conduct.begin(EVA, "192.0.2.10")).target == "", "the address stays"
        await bench.until("done")
    assert bench.paper.done[1:4] == ["try", "try", "write"]


@pytest.mark.parametrize("act", ["try", "keep", "write"])
async def test_what_goes_wrong_is_told_and_can_be_tried_again(bench: Bench, act: str) -> None:
    bench.paper.fails[act] = ApplianceError("helper-gone", f"{act} failed", "look at its journal")
    await bench.answer()
    async with bench.running():
        await bench.conduct.begin(EVA, "")
        if act != "try":
            await bench.until("trying")
            await bench.conduct.confirm()
        back = await bench.until("asking")
        assert back.failed
        assert back.message == f"{act} failed: look at its journal"
        bench.paper.fails.clear()
        bench.paper.now_on = None
        await bench.conduct.begin(EVA, "")
        await bench.until("trying")
        await bench.conduct.confirm()
        await bench.until("done")


async def test_a_daemon_that_dies_after_the_confirmation_goes_on(bench: Bench) -> None:
    """To keep the network may restart it."""
    await bench.answer()
    async with bench.running():
        await bench.conduct.begin(EVA, "")
        await bench.until("trying")
    await bench.conduct.confirm()
    assert bench.paper.done[-1] == "try"
    async with bench.running():
        await bench.until("done")
    assert [each for each in bench.paper.done if each in ("keep", "write")] == ["keep", "write"]


async def test_how_a_subnet_is_served_is_stored_before_the_configuration_names_it(bench: Bench) -> None:
    """A daemon that dies in between begins with that configuration, and asks nothing any more."""
    bench.paper.fails["write"] = ApplianceError("helper-gone", "it ended in the middle")
    await bench.answer()
    await bench.steps.answer_networks(FIXED, replace(SERVED, dhcp="proxy", ranges=()), EVA)
    async with bench.running():
        await bench.conduct.begin(EVA, "")
        await bench.until("trying")
        await bench.conduct.confirm()
        await bench.until("asking")
    assert (await bench.store.read(subnet_rules.every))["nic1"]["mode"] == "proxy"


async def test_a_daemon_that_dies_while_the_network_is_tried_waits_on(bench: Bench) -> None:
    await bench.answer()
    async with bench.running():
        await bench.conduct.begin(EVA, "")
        await bench.until("trying")
    async with bench.running():
        assert (await bench.until("trying")).until == bench.clock.now + 60
        await bench.conduct.confirm()
        await bench.until("done")
    assert bench.paper.done.count("try") == 1


async def test_two_do_not_begin_at_once_and_nothing_is_answered_meanwhile(bench: Bench) -> None:
    await bench.answer()
    await bench.conduct.begin(EVA, "")
    with pytest.raises(Conflict, match="already"):
        await bench.conduct.begin(EVA, "")
    with pytest.raises(Conflict, match="being carried out"):
        await bench.steps.answer_site(SITE, EVA)


async def test_nothing_begins_before_all_is_answered(bench: Bench) -> None:
    await bench.steps.answer_site(SITE, EVA)
    with pytest.raises(Conflict, match="not all steps") as caught:
        await bench.conduct.begin(EVA, "")
    assert caught.value.field == "networks"


async def test_what_came_onto_a_disk_meanwhile_is_not_lost(bench: Bench) -> None:
    await bench.answer()
    bench.paper.with_disk(replace(EMPTY, content="1 partition: xfs (new)"))
    with pytest.raises(Conflict, match="changed meanwhile") as caught:
        await bench.conduct.begin(EVA, "")
    assert caught.value.code == "disks-changed"


async def test_another_appliance_s_state_does_not_say_that_this_one_is_set_up(bench: Bench) -> None:
    """It came from a backup, and this computer has the configuration that it begins with."""
    await bench.answer()
    await bench.store.write(lambda db: stored.put_progress(db, Progress("done", "eva")))
    async with bench.running():
        assert (await bench.until("asking")).message == ""
    assert open_step(await bench.steps.draft()) == "ready"


async def test_a_draft_that_nobody_can_read_begins_anew(bench: Bench) -> None:
    await bench.store.write(lambda db: accounts.put_setting(db, "setup.draft", '{"site": 5}'))
    assert open_step(await bench.steps.draft()) == "site"
