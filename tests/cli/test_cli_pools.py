"""Pools by ``qrm``: what is on disks is shown and agreed to, repairs say first what they do."""

from pathlib import Path

import msgspec
import pytest
from cli_world import Cli
from test_cli_completion import tab

from appliance.privileged.verb import Done
from appliance.privileged.verbs.disks import DiskState, List, PartitionState
from appliance.privileged.verbs.lvm_pools import Adopt, ExtendPool, MakePool, Part, Retire
from appliance.privileged.verbs.lvm_repair import Examined, Repair
from tests.reconcile.pool_world import GIB, UUID, Helper, group

OLD = "sdd1: ext4 'old\x1b[2J'"
DISK = DiskState(
    "sdd", "PM893", "B", "0xb", 100 * GIB, "sata", False, False, [OLD], False,
    partitions=[PartitionState("sdd1", "p-1", GIB, [OLD])],
)  # fmt: skip
EMPTY = msgspec.structs.replace(DISK, name="sdc", serial="C", wwn="", holds=[], partitions=[])
OWN = msgspec.structs.replace(DISK, name="sda", serial="OWN", own=True, partitions=[])


def helper_of(qrm: Cli) -> Helper:
    helper = qrm.world.services.storage().rooms.on.helper
    assert isinstance(helper, Helper)
    return helper


def asked_of(helper: Helper) -> list[object]:
    """But for looks."""
    return [each for each in helper.asked if not isinstance(each, List)]


@pytest.fixture
def helper(qrm: Cli) -> Helper:
    found = helper_of(qrm)
    found.answers["disks.list"] = [OWN, DISK, EMPTY]

    def made(_: object) -> Done:
        found.groups = [group()]
        return Done()

    found.answers["lvm.make-pool"] = made
    return found


async def test_disks_are_listed_with_what_is_on_them(qrm: Cli, helper: Helper) -> None:
    shown = (await qrm.run("pools", "disks")).out
    assert "the appliance runs from it" in shown
    assert "p-1" in shown
    assert "\x1b" not in shown
    assert [each["identifier"] for each in (await qrm.run("pools", "disks", "--json")).json["items"]] == [
        "OWN",
        "B",
        "C",
    ]
    helper.answers["disks.list"] = []
    assert "no flashed appliance" in (await qrm.run("pools", "disks")).out


async def test_a_pool_is_made_once_it_is_agreed_what_is_lost(qrm: Cli, helper: Helper) -> None:
    assert "qrm pools make NAME" in (await qrm.run("pools")).out
    asked = await qrm.run("pools", "make", "fast", "--partition", "p-1", "--disk", "C", code=1)
    assert "All that is on the partition p-1 of B is lost" in asked.err
    assert "confirmation-needed" in asked.err
    assert "\x1b" not in asked.err
    wrong = await qrm.run("pools", "make", "fast", "--disk", "B", "--confirm", "C", code=1)
    assert "confirmation-wrong" in wrong.err
    assert asked_of(helper) == []
    done = await qrm.run("pools", "make", "fast", "--partition", "p-1", "--disk", "C", "--yes", "--wait")
    assert done.out.splitlines()[-1] == "done"
    assert "PM893, sdd1, 1 GiB" in done.err
    assert asked_of(helper) == [MakePool("fast", (Part("C"), Part("B", "p-1", (OLD,))), True)]
    listed = (await qrm.run("pools", "list")).out
    assert "lvm-thin" in listed
    assert "10%" in listed
    (found,) = (await qrm.run("pools", "--json")).json["items"]
    assert (found["name"], found["place"]) == ("fast", UUID)
    assert "made of" in (await qrm.run("pools", "show", "fast")).out
    assert (await qrm.run("pools", "show", "fast", "--json")).json == found


async def test_what_cannot_be_chosen_is_refused_before_anything_is_asked(qrm: Cli, helper: Helper) -> None:
    for words, code, said in (
        (("--disk", "OWN"), 1, "the appliance runs from it"),
        (("--disk", "none"), 1, "there is no disk or partition 'none'"),
        (("--partition", "none"), 1, "there is no disk or partition 'none'"),
        (("--disk", "C", "--directory", "/srv"), 2, "name disks with"),
        ((), 2, "name disks with"),
        (("--directory", "/srv", "--thick"), 2, "for pools of disks"),
    ):
        assert said in (await qrm.run("pools", "make", "fast", *words, code=code)).err, words
    assert "pool-name" in (await qrm.run("pools", "make", "a b", "--disk", "C", code=4)).err
    assert asked_of(helper) == []


async def test_a_directory_is_made_a_pool(qrm: Cli, tmp_path: Path) -> None:
    place = tmp_path / "pool"
    assert "pool-place" in (await qrm.run("pools", "make", "files", "--directory", str(place), code=4)).err
    place.mkdir()
    await qrm.run("pools", "make", "files", "--directory", str(place), "--wait")
    assert str(place) in (await qrm.run("pools", "show", "files")).out
    asked = await qrm.run("pools", "retire", "files", code=1)
    assert "The pool files ends" in asked.err
    await qrm.run("pools", "retire", "files", "--confirm", "files", "--wait")
    assert "No pool yet" in (await qrm.run("pools")).out


async def test_it_is_extended_adopted_and_retired(qrm: Cli, helper: Helper) -> None:
    helper.groups = [group(name="old", tags=())]
    assert UUID in (await qrm.run("pools", "groups")).out
    assert (await qrm.run("pools", "groups", "--json")).json["items"][0]["name"] == "old"
    assert "group-unknown" in (await qrm.run("pools", "adopt", "none", "fast", code=1)).err
    asked = await qrm.run("pools", "adopt", "old", "fast", code=1)
    assert "stay as they are" in asked.err
    await qrm.run("pools", "adopt", "old", "fast", "--yes", "--wait")
    assert asked_of(helper) == [Adopt(UUID, "old", True)]
    helper.groups = [group()]
    assert "name one disk" in (await qrm.run("pools", "extend", "fast", code=2)).err
    await qrm.run("pools", "extend", "fast", "--disk", "B", "--confirm", "B", "--wait")
    assert ExtendPool(UUID, Part("B", holds=(OLD,))) in helper.asked
    await qrm.run("pools", "retire", "fast", "--yes", "--wait")
    assert Retire(UUID, "fast") in helper.asked


async def test_a_repair_is_guided(qrm: Cli, helper: Helper) -> None:
    await qrm.run("pools", "make", "fast", "--disk", "C", "--wait")
    helper.answers["lvm.examine"] = Examined(True, "", ())
    assert "nothing is wrong" in (await qrm.run("pools", "examine", "fast")).out
    assert "nothing is wrong" in (await qrm.run("pools", "repair", "fast", "--yes")).out
    helper.answers["lvm.examine"] = Examined(False, "bad block", ("take 3 volumes away", "write anew"))
    assert "bad block" in (await qrm.run("pools", "examine", "fast", code=1)).out
    assert (await qrm.run("pools", "examine", "fast", "--json", code=1)).json["steps"][1] == "write anew"
    asked = await qrm.run("pools", "repair", "fast", code=1)
    assert "take 3 volumes away" in asked.err
    assert "are lost" in asked.err
    assert not [each for each in helper.asked if isinstance(each, Repair)]
    await qrm.run("pools", "repair", "fast", "--confirm", "fast", "--wait")
    assert Repair(UUID, "fast") in helper.asked


async def test_the_tab_key_knows_pools_and_disks(qrm: Cli, helper: Helper) -> None:
    await qrm.run("pools", "make", "fast", "--disk", "C", "--wait")
    assert await tab(qrm, "pools", "show", "") == ["fast"]
    assert await tab(qrm, "pools", "extend", "fast", "--disk", "") == ["OWN", "B", "C"]
