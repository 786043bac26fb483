"""A flashed appliance that is set up, on paper: its configuration, its networks, its disks."""

import json
from pathlib import Path

from appliance.networking.layout import Interface, Layout
from appliance.privileged.network_state import NetworkState
from tests.privileged.paper_computer import computer

FILE = """\
# By hand.
[site]
domain = "lab.test"

[[subnet]]
interface = "nic1"   # the rack
ranges = ["10.77.0.50-10.77.0.60"]

[web]
listen = ["0.0.0.0:8443"]
hosts = ["appliance.lab.test", "appliance"]
"""
LAYOUT = Layout(
    (
        Interface("nic0", mac="52:54:00:00:00:00", method="static", addresses=("192.0.2.5/24",), roles=("management",)),
        Interface(
            "nic1", mac="52:54:00:00:00:01", method="static", addresses=("10.77.0.1/24",), roles=("provisioning",)
        ),
        Interface(
            "nic2", mac="52:54:00:00:00:02", method="static", addresses=("10.78.0.1/24",), roles=("provisioning",)
        ),
    )
)
OWN = {"name": "sda", "type": "disk", "serial": "OWN", "size": 256 * 10**9, "model": "Samsung", "mountpoints": ["/"]}
EMPTY = {"name": "sdb", "type": "disk", "serial": "WD-1", "wwn": "0x51", "size": 4 * 10**12, "model": "WD Red"}
FULL = {
    "name": "sdc", "type": "disk", "serial": "WD-2", "size": 4 * 10**12, "model": "WD Red",
    "children": [{"name": "sdc1", "type": "part", "fstype": "ext4", "label": "backup"}],
}  # fmt: skip


def _links() -> str:
    def one(each: Interface) -> dict[str, object]:
        address, _, prefix = each.addresses[0].partition("/")
        told = [{"local": address, "prefixlen": int(prefix), "scope": "global"}]
        return {"ifname": each.name, "link_type": "ether", "address": each.mac, "flags": [], "addr_info": told}

    return json.dumps([one(each) for each in LAYOUT.interfaces])


class Paper:
    """The appliance's files, and what its programs were asked."""

    def __init__(self, directory: Path) -> None:
        self.on, self.programs = computer(
            directory,
            {
                "": "",
                "ip -json": _links(),
                "lsblk": json.dumps({"blockdevices": [OWN, EMPTY, FULL]}),
                "lvm fullreport": json.dumps({"report": []}),
            },
        )
        self.etc = self.on.roots.state / "etc"
        self.file = self.etc / "qrm" / "appliance.toml"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(FILE)
        NetworkState(self.on.roots).finish(LAYOUT)
        (self.etc / "hostname").write_text("appliance\n")
        zone = self.on.roots.share / "zoneinfo" / "Europe" / "Vienna"
        zone.parent.mkdir(parents=True)
        zone.touch()

    @property
    def text(self) -> str:
        return self.file.read_text()

    @property
    def storage(self) -> list[str]:
        found: list[str] = json.loads((self.etc / "qrm" / "storage.json").read_text())["disks"]
        return found
