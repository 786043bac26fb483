"""Pools for programs: shown as they are, made of disks whose content was agreed to by name, retired, repaired."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from storage_bench import at_work, memory_pool
from web_world import World

from appliance.errors import Conflict
from appliance.privileged.verb import Done
from appliance.privileged.verbs.disks import DiskState, PartitionState
from appliance.privileged.verbs.lvm_pools import Adopt, ExtendPool, MakePool, Part, Retire
from appliance.privileged.verbs.lvm_repair import Examined, Repair
from appliance.storage.directory import VOLUMES
from appliance.volume import PoolKind
from appliance.web.api import pool_shapes as shapes
from tests.reconcile.pool_world import GIB, UUID, Helper, group

OLD = "sdb1: ext4 'old'"
DISK = DiskState(
    "sdb", "PM893", "B", "0xb", 100 * GIB, "sata", False, False, [OLD], False,
    partitions=[PartitionState("sdb1", "p-1", GIB, [OLD])],
)  # fmt: skip
EMPTY = msgspec.structs.replace(DISK, name="sdc", serial="C", wwn="", holds=[], partitions=[])
MINE = {"disk": "B", "holds": [OLD]}


@pytest.fixture
async def storing(admin: World) -> AsyncIterator[World]:
    """With a helper that has two disks."""
    async with at_work(admin.services):
        helper_of(admin).answers["disks.list"] = [DISK, EMPTY]
        yield admin


def helper_of(world: World) -> Helper:
    helper = world.services.storage().rooms.on.helper
    assert isinstance(helper, Helper)
    return helper


async def ended(world: World, task: Any) -> Any:
    async with asyncio.timeout(20):
        while task["status"] in ("waiting", "running"):
            await asyncio.sleep(0.01)
            task = await world.api("GET", f"/tasks/{task['id']}")
    return task


async def thin(world: World) -> None:
    """The pool ``fast`` of LVM, on the disk C."""

    def made(_: Any) -> Done:
        helper_of(world).groups = [group()]
        return Done()

    helper_of(world).answers["lvm.make-pool"] = made
    task = await world.api("POST", "/pools", 202, json={"name": "fast", "disks": [{"disk": "C"}]})
    assert (await ended(world, task))["status"] == "done"


async def test_disks_are_offered_with_what_is_on_them(storing: World) -> None:
    full, empty = (await storing.api("GET", "/storage/disks"))["items"]
    assert (full["identifier"], full["holds"], full["refused"]) == ("B", [OLD], "")
    assert full["partitions"] == [{"name": "sdb1", "uuid": "p-1", "size": GIB, "holds": [OLD], "refused": ""}]
    assert (empty["identifier"], empty["holds"]) == ("C", [])
    wish = {"disks": [MINE, {"disk": "C"}]}
    foreseen = await storing.api("POST", "/storage/disks/consequences", json=wish)
    assert (foreseen["texts"], foreseen["confirm"]) == ([f"All that is on B is lost: {OLD}."], "B")
    nothing = await storing.api("POST", "/storage/disks/consequences", json={"disks": [{"disk": "C"}]})
    assert (nothing["confirm"], nothing["destroys"]) == (None, False)


async def test_a_pool_is_made_once_it_was_agreed_by_name_what_is_lost(storing: World) -> None:
    wish = {"name": "fast", "disks": [{**MINE, "partition": "p-1"}]}
    refused = await storing.api("POST", "/pools", 409, json=wish)
    assert (refused["code"], OLD in refused["detail"]) == ("confirmation-needed", True)
    assert helper_of(storing).asked == []

    def made(_: Any) -> Done:
        helper_of(storing).groups = [group(80.0, 10.0, 8 * GIB)]
        return Done()

    helper_of(storing).answers["lvm.make-pool"] = made
    task = await ended(storing, await storing.api("POST", "/pools", 202, json={**wish, "confirm": "B"}))
    assert (task["status"], task["title"]) == ("done", "Making the pool fast")
    made_of = [each for each in helper_of(storing).asked if isinstance(each, MakePool)]
    assert made_of == [MakePool("fast", (Part("B", "p-1", (OLD,)),), True)]
    (fast,) = (await storing.api("GET", "/pools"))["items"]
    assert fast == await storing.api("GET", "/pools/fast")
    assert (fast["kind"], fast["place"], fast["level"], fast["here"]) == ("lvm-thin", UUID, "alert", True)
    assert fast["data"] == {"total": 100 * GIB, "used": 80 * GIB}
    assert fast["metadata"]["total"] == GIB
    assert (fast["members"], fast["volumes"], fast["overcommitted"]) == (["/dev/sdb"], 0, False)
    assert fast["largest"] == 100 * GIB


async def test_what_the_helper_refuses_fails_the_task(storing: World) -> None:
    helper_of(storing).answers["lvm.make-pool"] = Conflict("disk-changed", "there is something else on C now")
    task = await ended(
        storing, await storing.api("POST", "/pools", 202, json={"name": "fast", "disks": [{"disk": "C"}]})
    )
    assert (task["status"], task["code"]) == ("failed", "disk-changed")
    assert (await storing.api("GET", "/pools"))["items"] == []


async def test_it_is_extended_and_retired_by_name(storing: World) -> None:
    await thin(storing)
    helper_of(storing).groups = [group(free=64 * GIB)]
    assert (await storing.api("POST", "/pools/fast/extend", 409, json={"disk": MINE}))["code"] == "confirmation-needed"
    task = await storing.api("POST", "/pools/fast/extend", 202, json={"disk": MINE, "confirm": "B"})
    assert (await ended(storing, task))["status"] == "done"
    assert ExtendPool(UUID, Part("B", holds=(OLD,))) in helper_of(storing).asked
    foreseen = await storing.api("GET", "/pools/fast/consequences?action=retire")
    assert (foreseen["confirm"], foreseen["destroys"]) == ("fast", True)
    assert (await storing.api("POST", "/pools/fast/retire", 409, json={}))["code"] == "confirmation-needed"
    task = await storing.api("POST", "/pools/fast/retire", 202, json={"confirm": "fast"})
    assert (await ended(storing, task))["status"] == "done"
    assert Retire(UUID, "fast") in helper_of(storing).asked
    assert (await storing.api("GET", "/pools/fast", 404))["code"] == "pool-unknown"


async def test_a_repair_says_first_what_it_would_do(storing: World) -> None:
    await thin(storing)
    helper_of(storing).answers["lvm.examine"] = Examined(False, "bad block", ("take 3 volumes away", "write anew"))
    checked = await ended(storing, await storing.api("POST", "/pools/fast/examine", 202, json={}))
    assert (checked["result"]["sound"], checked["result"]["said"]) == (False, "bad block")
    of = f"/pools/fast/consequences?action=repair&check={checked['id']}"
    foreseen = await storing.api("GET", of)
    assert foreseen["texts"][1:3] == ["take 3 volumes away", "write anew"]
    assert (await storing.api("POST", "/pools/fast/repair", 409, json={}))["code"] == "confirmation-needed"
    wish = {"confirm": foreseen["confirm"]}
    await ended(storing, await storing.api("POST", "/pools/fast/repair", 202, json=wish))
    assert Repair(UUID, "fast") in helper_of(storing).asked
    made = (await storing.api("GET", "/tasks?kind=pool.make"))["items"][0]["id"]
    for number in (made, 4711):
        unknown = await storing.api("GET", f"/pools/fast/consequences?action=repair&check={number}", 404)
        assert (unknown["code"], unknown["field"]) == ("task-unknown", "check")
    helper_of(storing).answers["lvm.examine"] = Conflict("volume-in-use", "web is in use")
    failed = await ended(storing, await storing.api("POST", "/pools/fast/examine", 202, json={}))
    refused = await storing.api("GET", f"/pools/fast/consequences?action=repair&check={failed['id']}", 409)
    assert refused["code"] == "check-unfinished"


async def test_a_group_that_is_there_is_adopted(storing: World) -> None:
    helper_of(storing).groups = [group(name="old", tags=(), missing=True)]
    (found,) = (await storing.api("GET", "/storage/groups"))["items"]
    assert (found["uuid"], found["name"], found["whole"], found["was_pool"]) == (UUID, "old", False, False)
    assert found["volumes"] == ["pool"]
    foreseen = await storing.api("GET", f"/storage/groups/{UUID}/consequences")
    assert foreseen["confirm"] == "old"
    path, wish = f"/storage/groups/{UUID}/adopt", {"name": "fast", "thin": False}
    assert (await storing.api("POST", path, 409, json=wish))["code"] == "confirmation-needed"
    task = await storing.api("POST", path, 202, json={**wish, "confirm": "old"})
    assert (await ended(storing, task))["status"] == "done"
    assert Adopt(UUID, "old", False) in helper_of(storing).asked
    assert (await storing.api("GET", "/storage/groups"))["items"] == []
    assert (await storing.api("POST", "/storage/groups/x/adopt", 404, json=wish))["code"] == "group-unknown"


async def test_a_directory_becomes_a_pool(storing: World, tmp_path: Path) -> None:
    wish = {"name": "files", "kind": "directory", "place": str(tmp_path / "pool")}
    missing = await storing.api("POST", "/pools", 404, json=wish)
    assert (missing["code"], missing["field"]) == ("pool-place", "place")
    (tmp_path / "pool").mkdir()
    await ended(storing, await storing.api("POST", "/pools", 202, json=wish))
    (tmp_path / "pool" / VOLUMES / "notes.txt").write_text("somebody's")
    files = await storing.api("GET", "/pools/files")
    assert (files["kind"], files["metadata"], files["members"]) == ("directory", None, [wish["place"]])
    assert [each["name"] for each in files["foreign"]] == ["notes.txt"]
    for path in ("extend", "examine", "repair"):
        body = {"disk": {"disk": "C"}} if path == "extend" else {}
        assert (await storing.api("POST", f"/pools/files/{path}", 409, json=body))["code"] == "pool-not-of-disks"


async def test_one_with_volumes_is_not_retired_and_an_overcommitted_one_says_so(storing: World) -> None:
    await memory_pool(storing.services)
    for name in ("a", "b", "c"):
        await storing.api("POST", "/pools/fast/volumes", 201, json={"name": name, "size": 1 << 39})
    fast = await storing.api("GET", "/pools/fast")
    assert (fast["volumes"], fast["promised"], fast["overcommitted"]) == (3, 3 << 39, True)
    assert "a, b, c" in (await storing.api("GET", "/pools/fast/consequences?action=retire"))["refused"]
    refused = await storing.api("POST", "/pools/fast/retire", 409, json={"confirm": "fast"})
    assert refused["code"] == "pool-not-empty"


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"name": "a b", "disks": [{"disk": "C"}]}, 422, "pool-name", "name"),
        ({"name": "fast"}, 422, "disks-missing", "disks"),
        ({"name": "fast", "kind": "memory"}, 422, "body-field", "kind"),
        ({"name": "fast", "kind": "directory"}, 422, "pool-place", "place"),
        ({"name": "fast", "kind": "directory", "place": "srv"}, 422, "pool-place", "place"),
        ({"name": "fast", "kind": "directory", "place": "/srv/../etc"}, 422, "pool-place", "place"),
        ({"name": "fast", "kind": "directory", "place": "/\x00"}, 404, "pool-place", "place"),
        ({"name": "fast", "disks": [{"partition": "p"}]}, 422, "body-field", "disks[0].disk"),
        ({"name": "fast", "disks": [{"disk": "x" * 201}]}, 422, "body-field", "disks[0].disk"),
        ({"name": "fast", "disks": [{"disk": "C"}] * 65}, 422, "body-field", "disks"),
        ({"name": "fast", "path": "/dev/sda"}, 422, "body-field", "path"),
    ],
)
async def test_bad_values_are_refused_at_their_fields(
    storing: World, body: Any, status: int, code: str, field: str
) -> None:
    refused = await storing.api("POST", "/pools", status, json=body)
    assert (refused["code"], refused["field"]) == (code, field)
    assert helper_of(storing).asked == []


def test_the_api_makes_pools_of_every_kind_that_is_real() -> None:
    assert {*get_args(shapes.Kind), "memory"} == {str(each) for each in PoolKind}
