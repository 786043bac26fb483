"""A computer of paper with disks and volume groups, some of them ours."""

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import ApplianceError
from appliance.privileged.computer import Computer, Roots
from appliance.privileged.table import TABLE
from appliance.privileged.verb import Verb
from appliance.privileged.verbs.lvm import THIN_POOL_NAME
from appliance.privileged.verbs.lvm_tags import POOL, THIN_POOL
from appliance.privileged.verbs.lvm_volumes import Create
from tests.privileged.paper_computer import quiet
from tests.privileged.paper_lvm import Group, PaperLvm

MIB = 1 << 20
ONE, TWO = "000000000000001a", "000000000000002b"
DISKS = {
    "blockdevices": [
        {"name": "sda", "type": "disk", "serial": "OWN", "mountpoints": [], "children": [
            {"name": "sda5", "type": "part", "partuuid": "p-state", "mountpoints": ["/state"], "fstype": "ext4"},
            {"name": "sda7", "type": "part", "partuuid": "p-data", "mountpoints": [None], "fstype": None,
             "parttypename": "Linux filesystem", "partlabel": "data"}]},
        {"name": "sdb", "type": "disk", "serial": "B", "wwn": "0xb", "mountpoints": [None], "children": [
            {"name": "sdb1", "type": "part", "partuuid": "p-old", "mountpoints": [], "fstype": "xfs", "label": "old"},
            {"name": "sdb2", "type": "part", "partuuid": "p-busy", "mountpoints": ["/srv"], "fstype": "ext4"}]},
        {"name": "sdc", "type": "disk", "serial": "C", "mountpoints": [None], "fstype": None},
        {"name": "sdd", "type": "disk", "serial": "D", "mountpoints": [None], "fstype": "btrfs", "label": "mine"},
    ]
}  # fmt: skip


class Box:
    """A computer of paper with a pool called qrm, and a group that is not ours."""

    def __init__(self, directory: Path, thin: bool = True) -> None:
        self.on = Computer(Roots.below(directory), PaperLvm(directory / "dev"))
        self.lvm = self.on.run
        assert isinstance(self.lvm, PaperLvm)
        self.lvm.said |= {"lsblk": json.dumps(DISKS), "wipefs": "", "thin_check": ""}
        self.ours, self.other = Group(["/dev/sdx"], tags={POOL}), Group(["/dev/sdy"])
        self.lvm.groups = {"qrm": self.ours, "other": self.other}
        if thin:
            self.lvm.put("qrm", THIN_POOL_NAME, 128 * MIB, {THIN_POOL}, "thin-pool").metadata = 8 * MIB

    async def do(self, verb: Verb[Any]) -> Any:
        return await TABLE[verb.name].act(verb, self.on, quiet)

    async def made(self, key: str = ONE, name: str = "web1") -> None:
        await self.do(Create(self.ours.uuid, key, name, 8 * MIB, 1795000000))

    async def refused(self, code: str, verb: Verb[Any]) -> ApplianceError:
        """Nothing has run that changes something."""
        before = list(self.lvm.ran)
        with pytest.raises(ApplianceError) as caught:
            await self.do(verb)
        assert caught.value.code == code, caught.value.message
        assert caught.value.hint
        assert [each for each in self.lvm.ran[len(before) :] if not each.startswith(("lsblk", "udevadm"))] == []
        return caught.value
