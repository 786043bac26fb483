"""Device-mapper in the guest: a thin pool, a volume in it, a snapshot that keeps what the volume had."""

import json

import pytest

from tests.guest.inside.disks import Disks
from tests.guest.inside.programs import run

pytestmark = pytest.mark.guest
GROUP = "guestpool"


def test_a_snapshot_of_a_thin_volume_keeps_what_was_there(disks: Disks) -> None:
    run("vgcreate", GROUP, *map(str, disks.scsi[:2]))
    run("lvcreate", "--type", "thin-pool", "--size", "1G", "--name", "pool", GROUP)
    run("lvcreate", "--thin", "--virtualsize", "20G", "--name", "web1", f"{GROUP}/pool")
    with open(f"/dev/{GROUP}/web1", "r+b") as volume:
        volume.write(b"golden")
    run("lvcreate", "--snapshot", "--setactivationskip", "n", "--name", "clone", f"{GROUP}/web1")
    with open(f"/dev/{GROUP}/web1", "r+b") as volume:
        volume.write(b"broken")
    with open(f"/dev/{GROUP}/clone", "rb") as clone:
        assert clone.read(6) == b"golden"
    told = json.loads(run("lvs", "--reportformat", "json", "--options", "lv_name,origin,pool_lv", GROUP))
    found = {each["lv_name"]: each for each in told["report"][0]["lv"]}
    assert found["clone"] == {"lv_name": "clone", "origin": "web1", "pool_lv": "pool"}
