"""LIO in the guest through rtslib: a target with CHAP for one initiator, logged in to by open-iscsi."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.inside.disks import Disks
from tests.guest.inside.programs import run

pytestmark = pytest.mark.guest
TARGET, INITIATOR = "iqn.2026-11.test.guest:web1", "iqn.2026-11.test.guest:initiator"
PORTAL = "127.0.0.1:3260"
SECRET = "a-secret-of-16ch"


def node(*arguments: str) -> str:
    return run("iscsiadm", "--mode", "node", "--targetname", TARGET, "--portal", PORTAL, *arguments)


@pytest.fixture
def target(disks: Disks) -> Iterator[Path]:
    """One disk as a target; the disk itself."""
    import rtslib_fb as lio

    run("modprobe", "target_core_mod")
    store = lio.BlockStorageObject("web1", dev=str(disks.scsi[0]), readonly=False)
    made = lio.Target(lio.FabricModule("iscsi"), TARGET)
    group = lio.TPG(made, 1)
    lio.NetworkPortal(group, *PORTAL.split(":"))
    lun = lio.LUN(group, 0, store)
    user = lio.NodeACL(group, INITIATOR)
    user.chap_userid, user.chap_password = "web1", SECRET
    lio.MappedLUN(user, 0, lun)
    group.set_attribute("authentication", 1)
    group.enable = True
    yield disks.scsi[0]
    made.delete()
    store.delete()


@pytest.fixture
def initiator(target: Path) -> Iterator[None]:
    """open-iscsi, told of the target and its secret."""
    Path("/etc/iscsi/initiatorname.iscsi").write_text(f"InitiatorName={INITIATOR}\n")
    run("systemctl", "restart", "iscsid")
    node("--op", "new")
    for name, value in (("authmethod", "CHAP"), ("username", "web1"), ("password", SECRET)):
        node("--op", "update", "--name", f"node.session.auth.{name}", "--value", value)
    yield
    node("--logout")
    run("systemctl", "stop", "iscsid")


def test_who_knows_the_secret_gets_the_disk(target: Path, initiator: None) -> None:
    with target.open("r+b", buffering=0) as disk:
        disk.write(b"root of web1")  # LIO reads the disk, not what the kernel keeps of it for programs
        os.fsync(disk.fileno())
    node("--login")
    run("udevadm", "settle")
    with open(f"/dev/disk/by-path/ip-{PORTAL}-iscsi-{TARGET}-lun-0", "rb") as seen:
        assert seen.read(12) == b"root of web1"
