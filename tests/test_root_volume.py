"""Root volumes: which pools take them, which address they are exported at, and when an export moves."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from appliance.errors import Conflict, Invalid
from appliance.export import Export, ExportId, ExportKind
from appliance.machine import MachineId
from appliance.pool import KnownPool
from appliance.root_volume import Grant, choose_pool, has_moved, moved, server_for
from appliance.volume import PoolId, PoolKind, VolumeId
from appliance.workflow import AttemptId

NETWORKS = [("10.77.0.1", IPv4Network("10.77.0.0/24")), ("10.77.0.1", IPv4Network("10.88.0.0/16"))]


def pool(number, kind):
    return KnownPool(PoolId(number), f"pool-{number}", kind, f"place-{number}", 0.0)


def grant(kind=ExportKind.NFS):
    export = Export(ExportId("a" * 16), kind, VolumeId("b" * 16), "10.77.0.50")
    return Grant(export, "10.77.0.1", MachineId("m"), AttemptId("a"), since=1.0)


DIRECTORY, THICK, THIN = pool(1, PoolKind.DIRECTORY), pool(2, PoolKind.LVM_THICK), pool(3, PoolKind.LVM_THIN)


def test_clones_are_made_where_they_cost_nothing_if_there_is_such_a_pool():
    assert choose_pool([DIRECTORY, THICK, THIN], None) == THIN
    assert choose_pool([DIRECTORY, THICK], None) == THICK
    assert choose_pool([THIN, THICK], THICK.id) == THICK


@pytest.mark.parametrize(
    ("pools", "wanted", "code", "words"),
    [
        ([], None, "pool-none-for-roots", "there is no pool"),
        ([DIRECTORY], None, "pool-none-for-roots", "LVM"),
        ([DIRECTORY, THIN], DIRECTORY.id, "pool-not-for-roots", "pool-1 is a directory"),
        ([THIN], PoolId(9), "pool-not-for-roots", "not there any more"),
    ],
)
def test_where_no_root_volume_can_be_is_said(pools, wanted, code, words):
    with pytest.raises(Conflict, match=words) as caught:
        choose_pool(pools, wanted)
    assert (caught.value.code, caught.value.field) == (code, "pool")


@pytest.mark.parametrize(
    ("address", "ours"),
    [("10.77.0.50", "10.77.0.1"), ("10.88.3.4", "10.77.0.1"), ("10.99.0.1", None), (None, None), ("web-1", None)],
)
def test_a_machine_reaches_us_at_the_address_of_its_subnet(address, ours):
    assert server_for(address, NETWORKS) == ours


def test_only_who_is_known_by_its_address_is_followed():
    assert has_moved(grant(), "10.77.0.51", "10.77.0.1")
    assert not has_moved(grant(), "10.77.0.50", "10.77.0.1")
    assert not has_moved(grant(ExportKind.ISCSI), "10.77.0.51", "10.77.0.1")
    assert has_moved(grant(ExportKind.ISCSI), "10.77.0.50", "10.77.0.2")
    after = moved(grant(), "10.77.0.51", "10.77.0.2")
    assert (after.export.address, after.server, after.since) == ("10.77.0.51", "10.77.0.2", None)
    assert replace(after.export, address="10.77.0.50") == grant().export


def test_an_export_is_to_one_computer():
    with pytest.raises(Invalid):
        moved(grant(), "10.77.0.0/24", "10.77.0.1")
