"""systemd-networkd, ip and nft on paper: what the files say becomes what is on, when they are told to look."""

import json
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.networking.layout import Interface, Layout
from appliance.privileged import network
from appliance.privileged.network_state import NetworkState
from appliance.privileged.verbs.network import Admit, Apply, Confirm, Revert, Status
from tests.privileged.paper_computer import computer, quiet

MACS = ("52:54:00:00:00:00", "52:54:00:00:00:01")
NOW = 1_700_000_000.0
FIRST = Layout(
    tuple(Interface(f"nic{number}", mac=mac, method="dhcp", roles=("management",)) for number, mac in enumerate(MACS))
)
STATIC = Interface("nic0", mac=MACS[0], method="static", addresses=("192.0.2.5/24",), gateway="192.0.2.1",
                   roles=("management",))  # fmt: skip
FIXED = Layout((STATIC, Interface("nic1", mac=MACS[1])))
CONFIGURATION = """\
# By hand.
[[subnet]]
interface = "nic1"   # the rack
ranges = ["10.77.0.50-10.77.0.60"]

[web]
listen = ["0.0.0.0:8443"]
"""


class PaperNetwork:
    """A computer with two NICs, which the kernel calls what it likes."""

    def __init__(self, directory: Path, names: tuple[str, ...] = ("nic0", "nic1")) -> None:
        self.directory = directory
        self.links = dict(zip(names, MACS, strict=False))
        self.on: dict[str, str] = {}
        """The files that networkd has read."""
        self.timer = False
        self.networkd = False
        """Whether it runs when ``settle`` looks."""
        self.restarts: list[str] = []
        self.addresses: dict[str, str] = {}
        """Those of interfaces that have another one than 192.0.2.5."""
        self.fails: set[str] = set()
        """Beginnings of command lines that fail."""
        self.computer, self.programs = computer(directory, {"": self.answer})
        self.roots = self.computer.roots
        self.state = NetworkState(self.roots)
        for number, name in enumerate(names):
            self._slot(number, name)

    def _slot(self, number: int, name: str) -> None:
        slot = self.roots.sys / "devices" / "pci0000:00" / f"0000:00:{number + 9:02x}.0" / "net" / name
        slot.mkdir(parents=True)
        (slot / "device").symlink_to(slot.parent.parent)
        classes = self.roots.sys / "class" / "net"
        classes.mkdir(parents=True, exist_ok=True)
        (classes / name).symlink_to(slot)

    def plug(self, name: str, mac: str) -> None:
        """A NIC more, which the kernel calls so."""
        self._slot(len(self.links), name)
        self.links[name] = mac

    def answer(self, argv: list[str]) -> str:
        """What the programs do."""
        line = " ".join(argv)
        if any(line.startswith(each) for each in self.fails):
            raise ApplianceError("program-failed", f"{line}: no")
        match argv:
            case ["ip", "-json", "address", "show"]:
                return json.dumps([{"ifname": "lo", "link_type": "loopback"}, *map(self._link, self.links)])
            case ["ip", "link", "set", "dev", name, "name", new]:
                self.links[new] = self.links.pop(name)
                classes = self.roots.sys / "class" / "net"
                (classes / name).rename(classes / new)
            case ["ip", "link", "delete", "dev", name]:
                self.links.pop(name)
            case ["networkctl", "reload"] | ["systemctl", "restart", "systemd-networkd.service"]:
                self.reads()
            case ["systemctl", "is-active", *_] if not self.networkd:
                raise ApplianceError("program-failed", "inactive")
            case ["systemctl", "restart", network.TIMER]:
                self.timer = True
            case ["systemctl", "stop", network.TIMER]:
                self.timer = False
            case ["systemctl", "--no-block", "restart", unit]:
                self.restarts.append(unit)
        return ""

    def _link(self, name: str) -> dict[str, object]:
        address = self.addresses.get(name, "192.0.2.5")
        return {"ifname": name, "link_type": "ether", "address": self.links[name], "flags": ["UP", "LOWER_UP"],
                "addr_info": [{"local": address, "prefixlen": 24, "scope": "global"}]}  # fmt: skip

    def reads(self) -> None:
        """networkd reads its files, and makes what they name."""
        self.on = self.files()
        for name in self.on:
            if name.endswith(".netdev"):
                self.links.setdefault(name.removeprefix("10-qrm-").removesuffix(".netdev"), MACS[0])

    def files(self) -> dict[str, str]:
        """Those on the disk."""
        place = self.roots.state / "etc" / "systemd" / "network"
        return {each.name: each.read_text() for each in place.glob("*") if not each.name.startswith(".")}

    def configure(self, text: str = CONFIGURATION) -> Path:
        """Write the daemon's configuration file."""
        place = self.roots.state / "etc" / "qrm" / "appliance.toml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def configuration(self) -> str:
        """The daemon's configuration file."""
        return (self.roots.state / "etc" / "qrm" / "appliance.toml").read_text()

    async def boot(self) -> Layout:
        """The appliance starts: nothing is on, and no timer runs."""
        self.on, self.timer = {}, False
        self.links = {name: mac for name, mac in self.links.items() if name.startswith(("nic", "en", "eth"))}
        found = await network.settle(self.computer, clock=lambda: NOW)
        self.reads()
        return found

    async def apply(self, layout: Layout, unserve: bool = False):
        """The verb."""
        return await network.apply(Apply(layout, unserve), self.computer, quiet, clock=lambda: NOW)

    async def admit(self):
        """The verb."""
        return await network.admit(Admit(), self.computer, quiet)

    async def confirm(self):
        """The verb."""
        return await network.confirm(Confirm(), self.computer, quiet)

    async def revert(self):
        """The verb."""
        return await network.revert(Revert(), self.computer, quiet)

    async def elapse(self) -> bool:
        """What the timer starts."""
        self.timer = False
        return await network.take_back(self.computer, network.NOT_CONFIRMED, clock=lambda: NOW + 60)

    async def status(self):
        """The verb."""
        return await network.status(Status(), self.computer, quiet)
