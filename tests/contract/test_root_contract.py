"""Roots on volumes: what the daemon tells of them is what agent and hand-over initrd understand."""

import dataclasses
import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from agent_bench import Bench
from fake_appliance import FakeAppliance
from test_agent_contract import MAC, TOKEN, appliance, bench, body_of, small_image, surroundings, work  # noqa: F401

from appliance.agent.exported.given import IscsiRoot, NfsRoot
from appliance.agent.exported.told import exported_root
from appliance.agent.job import Params
from appliance.delivery import Delivery
from appliance.deployment import DiskIdentity
from appliance.export import ALPHABET, SECRET_LENGTH, Export, ExportId, ExportKind, initiator_name, target_name
from appliance.machine import MachineId
from appliance.netboot import control as daemon
from appliance.netboot.stack_files import HAND_OVER as INITRD
from appliance.netboot.stack_files import StackFile
from appliance.reconcile.root_document import RootFiles, by_kexec, document, on_volume
from appliance.root_volume import Grant, RootVolume
from appliance.volume import PoolId, VolumeId
from appliance.workflow import CONFIGURE, HAND_OVER, AttemptId, DeploymentId

RULES = Path(__file__).parents[2] / "image-builder/handover/90qrm-root/values.jq"
UUID = "33333333-0000-4000-8000-000000000001"
SECRETS = [(ALPHABET * 2)[at : at + SECRET_LENGTH] for at in range(0, len(ALPHABET), SECRET_LENGTH)]
"""With all the letters that a secret may have."""


def told(kind: ExportKind, secret: str = SECRETS[0]) -> dict[str, Any]:
    """What a document says of a root by this kind of export."""
    machine, export = MachineId("m-1"), ExportId("0123456789abcdef")
    iscsi = kind is ExportKind.ISCSI
    exported = Export(export, kind, VolumeId("fedcba9876543210"), "10.77.0.20", "")
    target = ""
    if iscsi:
        exported = dataclasses.replace(exported, initiator=initiator_name("lab.test", machine))
        target = target_name("lab.test", export)
    grant = Grant(exported, "10.77.0.1", machine, AttemptId("a1"), target)
    root = RootVolume(
        exported.volume, DeploymentId(1), PoolId(1), "web-1", 1 << 30, AttemptId("a1"), 0.0, UUID, grant=grant
    )
    return on_volume(root, grant, secret)


@pytest.mark.parametrize("secret", SECRETS)
def test_the_agent_understands_what_the_daemon_says_of_iscsi(secret: str) -> None:
    root = exported_root(Params({"delivery": "iscsi", **told(ExportKind.ISCSI, secret)}))
    assert isinstance(root, IscsiRoot)
    assert (root.portal, root.secret, root.uuid) == ("10.77.0.1:3260", secret, UUID)


def test_the_agent_understands_what_the_daemon_says_of_nfs() -> None:
    root = exported_root(Params({"delivery": "nfs", **told(ExportKind.NFS)}))
    assert root == NfsRoot("10.77.0.1", "/0123456789abcdef")


@pytest.mark.parametrize("delivery", [Delivery.NFS, Delivery.ISCSI])
def test_made_ones_own_and_handed_over_to(
    appliance: FakeAppliance,  # noqa: F811
    bench: Bench,  # noqa: F811
    tmp_path: Path,
    delivery: Delivery,
) -> None:
    image = small_image(tmp_path)
    shutil.copytree(tmp_path / "tree", bench.directory / "exported")
    around = surroundings(appliance, bench, image, DiskIdentity(None, None, 0))
    deployment = dataclasses.replace(around.deployment, delivery=delivery, disk=None)
    around = dataclasses.replace(around, deployment=deployment, root=told(ExportKind(delivery)))
    files = {name: b"the file " + name.encode() for name in ("vmlinuz", *INITRD)}
    given = document(around.machine, MAC, deployment, around.root)
    assert wrong(given) == ""
    with bench.running(appliance.command_line(token=TOKEN)) as agent:
        appliance.wait_for(lambda: "GET /poll/poll-1" in appliance.paths())
        appliance.work = [work(CONFIGURE, around)]
        said = msgspec.convert(appliance.report_of(CONFIGURE), daemon.ReportBody)
        assert said.status == "done", said
        for name, content in files.items():
            appliance.answers["GET", f"/stack/1/{name}"] = lambda call, content=content: (200, content)
        served = {name: StackFile(len(content), sha256(content).hexdigest()) for name, content in files.items()}
        leaving = by_kexec(RootFiles("/stack/1", served), appliance.server, MAC, given, "panic=30")
        appliance.work = [work(HAND_OVER, dataclasses.replace(around, root=leaving))]
        said = msgspec.convert(appliance.report_of(HAND_OVER), daemon.ReportBody)
        assert said.status == "done", said
        assert agent.wait(30) == 0
    assert (bench.directory / "exported/etc/hostname").read_text() == "web-1\n"
    assert [each["action"] for each in bench.actions][-4:] == [
        "open-export",
        "give-export-back",
        "load-kernel",
        "kexec",
    ]
    assert SECRETS[0] not in bench.screen
    assert SECRETS[0] not in (bench.directory / "actions").read_text()


def wrong(given: dict[str, Any]) -> str:
    """What the hand-over initrd says is wrong with a document."""
    argv = ["jq", "-rs", "-f", str(RULES)]
    return subprocess.run(argv, input=json.dumps(given), capture_output=True, text=True, check=True).stdout.strip()
