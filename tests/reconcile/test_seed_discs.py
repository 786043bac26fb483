"""Seeds of VMs as discs: what stands on them, who may read them, and that they go with their VMs."""

import asyncio
import json
import os
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest

from appliance.errors import ApplianceError, Invalid
from appliance.events import Bus, Event
from appliance.reconcile.seed_discs import SeedDiscs
from appliance.seed_disc import NOTHING, SeedWish, seed_disc
from appliance.vm import VmId

VM = VmId("658ecf7d-31a1-4e67-8b1b-5e94b28c141e")
OTHER = VmId("00000000-1111-4222-8333-444444444444")
SECRET = "correct-horse"
WISH = SeedWish("web1", f"#cloud-config\npassword: {SECRET}\n", "version: 2\nethernets:\n  eth0: {dhcp4: true}\n")


@pytest.fixture
def seeds(tmp_path: Path) -> SeedDiscs:
    return SeedDiscs(tmp_path, lambda: 1_795_400_000.0)


def inside(path: Path) -> dict[str, str]:
    """The files on a disc, by isoinfo."""

    def isoinfo(*more: str) -> str:
        argv = ["isoinfo", "-J", "-i", str(path), *more]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    return {name.strip("/"): isoinfo("-x", name) for name in isoinfo("-f").split()}


async def test_cloud_init_finds_what_was_written(seeds: SeedDiscs) -> None:
    path = await seeds.make(VM, WISH)
    found = inside(path)
    meta = json.loads(found.pop("meta-data"))
    assert meta["local-hostname"] == "web1"
    assert meta["instance-id"].startswith(f"{VM}-")
    assert found == {"user-data": WISH.user_data, "network-config": WISH.network_config}
    label = subprocess.run(["blkid", "-p", "-s", "LABEL", "-o", "value", path], check=True, capture_output=True).stdout
    assert label == b"CIDATA\n"


async def test_without_anything_it_is_the_name_alone(seeds: SeedDiscs) -> None:
    found = inside(await seeds.make(VM, SeedWish("web1", " \n", "")))
    assert (sorted(found), found["user-data"]) == (["meta-data", "user-data"], NOTHING)


def test_another_seed_is_another_instance() -> None:
    same = [seed_disc(VM, WISH, 0.0), seed_disc(VM, WISH, 0.0)]
    assert same[0] == same[1]
    assert seed_disc(VM, SeedWish("web1", "#cloud-config\n{}\n"), 0.0) != seed_disc(VM, SeedWish("web2"), 0.0)


async def test_nobody_else_reads_it_and_nothing_tells_of_it(
    seeds: SeedDiscs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = os.umask(0)
    try:
        path = await seeds.make(VM, WISH)
    finally:
        os.umask(old)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert SECRET not in repr(WISH) + caplog.text
    monkeypatch.setattr("appliance.reconcile.seed_discs.put", _full)
    with pytest.raises(ApplianceError, match="could not be stored: No space left") as caught:
        await seeds.make(VM, WISH)
    assert caught.value.code == "seed-failed"
    assert SECRET not in str(caught.value)


def _full(path: Path, content: bytes) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (SeedWish("web1", "no first line"), "user_data"),
        (SeedWish("web1", "#cloud-config\n- a list\n"), "user_data"),
        (SeedWish("web1", "", "version: 1\n"), "network_config"),
    ],
)
async def test_what_cloud_init_would_not_take_is_refused(seeds: SeedDiscs, wish: SeedWish, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        await seeds.make(VM, wish)
    assert caught.value.field == field
    assert not seeds.directory.exists()


async def test_no_name_leads_out_of_the_directory(seeds: SeedDiscs) -> None:
    with pytest.raises(Invalid):
        await seeds.make(VmId("../../etc/x"), WISH)


async def test_it_is_made_anew_and_removed(seeds: SeedDiscs) -> None:
    await seeds.make(VM, WISH)
    path = await seeds.make(VM, SeedWish("web2"))
    assert "web2" in inside(path)["meta-data"]
    for _ in range(2):
        await seeds.remove(VM)
        assert list(seeds.directory.iterdir()) == []


async def test_those_of_vms_that_are_gone_go_and_all_stay_where_nobody_knows(seeds: SeedDiscs) -> None:
    there: Collection[VmId] | None = None

    async def present() -> Collection[VmId] | None:
        return there

    await seeds.tidy(present)  # there is no directory yet
    kept, gone = await seeds.make(VM, WISH), await seeds.make(OTHER, WISH)
    half = gone.with_name(gone.name + ".part")
    half.write_bytes(b"cut off")
    await seeds.tidy(present)
    assert {kept, gone, half} == set(seeds.directory.iterdir())
    there = [VM]
    await seeds.tidy(present)
    assert set(seeds.directory.iterdir()) == {kept}


async def test_the_event_that_a_vm_is_deleted_takes_its_disc_at_once(seeds: SeedDiscs) -> None:
    bus, there = Bus(), [VM]
    path, asked = await seeds.make(VM, WISH), asyncio.Event()

    async def present() -> Collection[VmId]:
        asked.set()
        return tuple(there)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(seeds.run(bus, present))
        await asked.wait()
        asked.clear()
        there.clear()
        bus.publish(Event("vm.changed", 1.0, "admin deleted the VM web1"))
        while path.exists():
            await asyncio.sleep(0.01)
        running.cancel()
