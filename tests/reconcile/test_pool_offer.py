"""What is offered for a pool: disks and partitions with what is on them, and why others cannot be chosen."""

from dataclasses import replace

import msgspec
import pytest
from pool_world import GIB, UUID, Helper, group

from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.pool import KnownPool, PoolPart
from appliance.privileged.verbs.disks import DiskState, PartitionState
from appliance.privileged.verbs.lvm import Member
from appliance.reconcile.pool_offer import NAMELESS, NO_UUID, OWN, members, offered
from appliance.reconcile.pool_parts import pool_parts
from appliance.storage.build import Surroundings
from appliance.store import pools
from appliance.store.store import open_store
from appliance.volume import PoolId, PoolKind

PART = PartitionState("sdc1", "p-1", 10 * GIB, ["sdc1: ext4 'old'"])
DISK = DiskState("sdc", "PM893", "C", "0xc", 100 * GIB, "sata", False, False, ["sdc1: ext4 'old'"], False)


def one(disk, taken=None):
    (found,) = offered([disk], taken or {})
    return found


def with_part(part, **more):
    return msgspec.structs.replace(DISK, partitions=[part], **more)


def test_a_free_disk_is_offered_with_what_is_on_it():
    found = one(with_part(PART))
    assert (found.identifier, found.refused, found.partitions[0].refused) == ("C", "", "")
    assert found.part() == PoolPart("C", "", ("sdc1: ext4 'old'",))
    assert found.part("p-1") == PoolPart("C", "p-1", ("sdc1: ext4 'old'",))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"own": True, "mounted": "/"}, OWN),
        ({"mounted": "/srv"}, "it is mounted on /srv"),
        ({"serial": "", "wwn": ""}, NAMELESS),
    ],
)
def test_what_cannot_be_chosen_says_why(change, why):
    assert one(msgspec.structs.replace(DISK, **change)).refused == why


def test_a_disk_without_a_serial_number_is_named_by_its_wwn():
    assert one(msgspec.structs.replace(DISK, serial="")).identifier == "0xc"


def test_a_partition_in_use_keeps_its_whole_disk_from_being_chosen():
    busy = msgspec.structs.replace(PART, mounted="/srv")
    (part,) = one(with_part(busy)).partitions
    assert (part.refused, one(with_part(busy)).refused) == ("it is mounted on /srv", "it is mounted on /srv")
    nameless = one(with_part(msgspec.structs.replace(PART, uuid="")))
    assert (nameless.refused, nameless.partitions[0].refused) == ("", NO_UUID)
    assert one(with_part(PART, serial="", wwn="")).partitions[0].refused == NAMELESS


def test_what_the_system_has_left_of_its_own_disk_may_be_chosen():
    own = msgspec.structs.replace(PART, name="sdc2", uuid="p-2", own=True)
    found = one(with_part(PART, own=True))
    assert (found.refused, found.partitions[0].refused) == (OWN, "")
    assert one(with_part(own, own=True)).partitions[0].refused == OWN


def test_what_a_pool_has_is_not_offered_and_what_others_have_is():
    ours = replace_members(group(), "/dev/sdc1", "/dev/sdd")
    other = replace_members(group(name="other", uuid="B", tags=()), "/dev/sde")
    taken = members([ours, other], {UUID: "fast-disks"})
    assert taken == dict.fromkeys(("sdc1", "sdd"), "it belongs to the pool fast-disks")
    found = one(with_part(PART), taken)
    assert found.refused == found.partitions[0].refused == "it belongs to the pool fast-disks"
    assert one(msgspec.structs.replace(DISK, name="sde"), taken).refused == ""


def replace_members(of, *devices):
    return msgspec.structs.replace(of, members=tuple(Member("pv", each, GIB) for each in devices))


async def test_they_are_asked_of_the_helper_and_there_are_none_without_one(tmp_path):
    helper = Helper([replace_members(group(), "/dev/sdd")])
    helper.answers["disks.list"] = [DISK, msgspec.structs.replace(DISK, name="sdd", serial="D")]
    async with open_store(tmp_path / "store.db") as store:
        known = KnownPool(PoolId(0), "fast-disks", PoolKind.LVM_THIN, UUID, 5.0)
        stored = await store.write(lambda db: pools.add(db, known))
        offer = pool_parts(store, Bus(), lambda: 5.0, Surroundings(helper, lambda: 5.0)).offer
        assert [each.refused for each in await offer.disks()] == ["", "it belongs to the pool fast-disks"]
        await store.write(lambda db: pools.put(db, replace(stored, name="renamed")))
        assert (await offer.disks())[1].refused == "it belongs to the pool renamed"
        helper.answers["disks.list"] = ApplianceError("helper-missing", "no appliance")
        assert await offer.disks() == []
        helper.answers["disks.list"] = ApplianceError("helper-down", "it does not run")
        with pytest.raises(ApplianceError, match="does not run"):
            await offer.disks()
