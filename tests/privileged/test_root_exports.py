"""What the daemon asks for root volumes and what the helper does of it: who gets in, and what is seen of it."""

import pytest
from paper_computer import quiet
from paper_exports import GROUP, PaperExporter

from appliance.export import (
    NOISE,
    Export,
    ExportId,
    ExportKind,
    chap_secret,
    check_export,
    initiator_name,
    target_name,
)
from appliance.machine import MachineId
from appliance.pool import KnownPool
from appliance.privileged import iscsi_exports, nfs_exports
from appliance.privileged.exports import listed
from appliance.privileged.verbs.exports import List
from appliance.privileged.verbs.iscsi_exports import IscsiGrant, IscsiRevoke
from appliance.privileged.verbs.nfs_exports import NfsGrant, NfsRevoke
from appliance.reconcile.root_document import on_volume
from appliance.reconcile.root_volumes.comparing import Stray, absent, strays
from appliance.reconcile.root_volumes.exporting import Exporting
from appliance.reconcile.root_volumes.sealed import sealed
from appliance.root_volume import Grant, RootVolume
from appliance.store.sealing import Sealer
from appliance.volume import PoolId, PoolKind, VolumeId
from appliance.workflow import AttemptId, DeploymentId

KEY, VOLUME = ExportId("0123456789abcdef"), VolumeId("1111111111111111")
WEB, SERVER = "192.0.2.17", "192.0.2.1"
MACHINE, OTHER = MachineId("b5b2bb75d351a059"), MachineId("aaaabbbbccccdddd")
POOL = KnownPool(PoolId(1), "fast", PoolKind.LVM_THIN, GROUP, 0.0)
SEALER = Sealer(bytes(32))
DOES = {
    NfsGrant: nfs_exports.grant,
    NfsRevoke: nfs_exports.revoke,
    IscsiGrant: iscsi_exports.grant,
    IscsiRevoke: iscsi_exports.revoke,
    List: listed,
}


class Helper:
    """What is asked is done on paper, by the helper's own code."""

    def __init__(self, box):
        self.box = box

    async def call(self, verb, hears=None):
        return await DOES[type(verb)](verb, self.box.on, quiet)


@pytest.fixture
def box(tmp_path):
    made = PaperExporter(tmp_path / "paper")
    made.volume(VOLUME, "qrm.filesystem=ext4")
    return made


@pytest.fixture
def exporting(box):
    return Exporting(Helper(box), SEALER)


def root(kind):
    iscsi = kind is ExportKind.ISCSI
    export = Export(KEY, kind, VOLUME, WEB, initiator_name("lab.test", MACHINE) if iscsi else "")
    grant = Grant(
        check_export(export), SERVER, MACHINE, AttemptId("a"), target_name("lab.test", KEY) if iscsi else "", 5.0
    )
    return RootVolume(
        VOLUME, DeploymentId(1), PoolId(1), "root-web-1", 8 << 30, AttemptId("a"), 0.0, "1-2", grant=grant
    )


async def test_by_iscsi_the_machine_logs_in_with_what_its_document_says_and_nobody_else(box, exporting):
    made, secret = root(ExportKind.ISCSI), chap_secret(bytes(range(NOISE)))
    await exporting.grant(made, sealed(SEALER, made.grant, secret), POOL)
    told = on_volume(made, made.grant, secret)["iscsi"]
    log_in = box.targets.log_in
    assert log_in(told["target"], told["initiator"], told["user"], told["secret"])
    assert not log_in(told["target"], initiator_name("lab.test", OTHER), told["user"], told["secret"])
    assert not log_in(told["target"], told["initiator"], told["user"], "another-secret16")
    found = (await exporting.found()).found
    assert strays(found, [made]) == []
    assert absent(found, [made]) == []
    assert await exporting.revoke(ExportKind.ISCSI, KEY) == ""
    assert not log_in(told["target"], told["initiator"], told["user"], told["secret"])


async def test_by_nfs_it_is_the_address_of_the_machine_and_no_other(box, exporting):
    made = root(ExportKind.NFS)
    await exporting.grant(made, b"", POOL)
    assert on_volume(made, made.grant, "")["nfs"]["path"] == f"/{KEY}"
    assert {line.split("\t")[1].split("(")[0] for line in box.nfs.lines()} == {WEB}
    assert await exporting.revoke(ExportKind.NFS, KEY) == ""
    assert box.nfs.lines() == []


@pytest.mark.parametrize("kind", list(ExportKind))
async def test_after_a_restart_they_are_missed_and_what_nobody_wants_is_a_stray(box, exporting, kind):
    made = root(kind)
    kept = sealed(SEALER, made.grant, chap_secret(bytes(range(NOISE)))) if kind is ExportKind.ISCSI else b""
    await exporting.grant(made, kept, POOL)
    found = (await exporting.found()).found
    assert strays(found, []) == [Stray(kind, KEY)]
    box.restart()
    assert absent((await exporting.found()).found, [made]) == [made]
    await exporting.grant(made, kept, POOL, serve=False)
    assert absent((await exporting.found()).found, [made]) == [made], "nobody is served yet"
    await exporting.grant(made, kept, POOL)
    assert absent((await exporting.found()).found, [made]) == []
