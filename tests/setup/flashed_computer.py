"""A flashed appliance of paper: the real privileged helper over a computer that only answers."""

import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from test_seed import TWO

from appliance.privileged.client import Privileged
from appliance.privileged.computer import Computer
from appliance.privileged.network import settle
from appliance.setup.apply_seed import Places
from appliance.setup.through_helper import HelperAppliance
from tests.privileged.paper_computer import Answers, Programs, computer, serving

MACS = {"nic0": "52:54:00:aa:00:01", "nic1": "52:54:00:aa:00:02"}
LINKS = json.dumps(
    [
        {"ifname": name, "link_type": "ether", "address": mac, "flags": ["LOWER_UP"], "addr_info": []}
        for name, mac in MACS.items()
    ]
)
DISKS = {
    "blockdevices": [
        {"name": "sda", "type": "disk", "size": 10**11, "serial": "OWN", "mountpoints": [],
         "children": [{"name": "sda5", "type": "part", "mountpoints": ["/state"], "fstype": "ext4"}]},
        {"name": "sdb", "type": "disk", "size": 10**12, "serial": "WD-1", "wwn": "0x1", "mountpoints": [None],
         "children": [{"name": "sdb1", "type": "part", "mountpoints": [], "fstype": "xfs", "label": "old"}]},
        {"name": "sdc", "type": "disk", "size": 10**12, "serial": "S", "wwn": "0x5002538f", "mountpoints": []},
        {"name": "sdd", "type": "disk", "size": 10**12, "serial": "BUSY", "mountpoints": ["/srv"]},
    ]
}  # fmt: skip
SEED = TWO.replace("52:54:00:AA:00:01", MACS["nic0"].upper())


@dataclass
class Flashed:
    """A flashed appliance of paper."""

    on: Computer
    programs: Programs
    helper: Privileged
    appliance: HelperAppliance
    places: Places

    def ran(self, *programs: str) -> list[str]:
        """What they were told to do; to look at LVM's groups is no deed."""
        lines = [" ".join(argv) for argv in self.programs.ran if argv[0] in programs]
        return [each for each in lines if not each.startswith("lvm fullreport")]

    def configuration(self) -> Path:
        return self.on.roots.state / "etc/qrm/appliance.toml"


def reported(*groups: dict[str, Any]) -> Answers:
    """What LVM says."""
    return {"lvm fullreport": json.dumps({"report": groups})}


def group(name: str, *paths: str, tags: str = "") -> dict[str, Any]:
    """A volume group of these disks, as LVM reports it."""
    of = {"vg_uuid": f"uuid-{name}", "vg_name": name, "vg_tags": tags, "vg_size": "9", "vg_free": "9"}
    disks = [{"pv_uuid": f"uuid-{each}", "pv_name": each, "pv_size": "9", "pv_missing": ""} for each in paths]
    return {"vg": [of | {"vg_extent_size": "1", "vg_exported": ""}], "pv": disks, "lv": []}


def answers(members: str = "") -> Answers:
    data = [group("qrm", *members.split())] if members else []
    said: Answers = dict.fromkeys(
        ["systemctl", "networkctl", "hostname", "nft", "udevadm", "wipefs", "vgcreate", "vgextend"], ""
    )
    return (
        said
        | {"ip": LINKS, "lsblk": json.dumps(DISKS), "ip link": "", "chronyc": ""}
        | reported(*data, group("other", "/dev/sdz"))
    )


@asynccontextmanager
async def flashed(directory: Path, said: Answers | None = None) -> AsyncIterator[Flashed]:
    on, programs = computer(directory / "computer", said or answers())
    for name in MACS:
        (on.roots.sys / "class/net" / name / "device").mkdir(parents=True)
    for zone in ("UTC", "Europe/Vienna"):
        place = on.roots.share / "zoneinfo" / zone
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("TZif")
    await settle(on)
    programs.ran.clear()
    places = Places(directory / "kept", directory / "daemon", (-1, -1))
    async with serving(directory, on) as helper:
        yield Flashed(on, programs, helper, HelperAppliance(helper), places)


def put(partition: Path, text: str) -> None:
    file = partition.with_name("put.toml")
    file.write_text(text)
    subprocess.run(["mcopy", "-o", "-i", partition, file, "::seed.toml"], check=True)
