"""An appliance of paper: interfaces and disks as a small server has them, and a network that can be tried."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from appliance.errors import ApplianceError
from appliance.setup.appliance import Trial
from appliance.setup.hardware import Found, FoundDisk, FoundNic
from appliance.setup.value import SetUp

OWN = FoundDisk("sda", 256 * 10**9, "Samsung 870 EVO", "S5Y1NG0R1", "0x5002538f0001", "5 partitions", own=True)
EMPTY = FoundDisk("sdb", 4 * 10**12, "WD Red Plus", "WD-WX12D4000001", "0x50014ee0001")
FULL = FoundDisk("sdc", 4 * 10**12, "WD Red Plus", "WD-WX12D4000002", "0x50014ee0002", "1 partition: ext4 (backup)")
NAMELESS = FoundDisk("sdd", 16 * 10**9, "USB DISK", removable=True, content="1 partition: vfat (STICK)")
NIC0 = FoundNic("nic0", "52:54:00:aa:00:01", True, 1000, "e1000e", ("127.0.0.1/8",))
NIC1 = FoundNic("nic1", "52:54:00:aa:00:02", True, 10000, "ixgbe")
NIC2 = FoundNic("nic2", "52:54:00:aa:00:03", False, None, "ixgbe")
FOUND = Found((NIC0, NIC1, NIC2), (OWN, EMPTY, FULL, NAMELESS), frozenset({"UTC", "Europe/Vienna", "Asia/Tokyo"}))


@dataclass
class PaperAppliance:
    """Notes what it is asked to do; every answer can be changed."""

    clock: Callable[[], float]
    what: Found = FOUND
    dhcp: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """DHCP servers that answer, by interface."""
    done: list[str] = field(default_factory=list)
    written: SetUp | None = None
    now_on: Trial | None = None
    seconds: float = 60.0
    """How long a network is tried."""
    changes: bool = True
    """Whether the wanted network is another one than the present."""
    restarted: Callable[[], None] = lambda: None
    """What a daemon does that has started anew."""
    fails: dict[str, ApplianceError] = field(default_factory=dict)
    """What goes wrong, by method."""

    def _note(self, act: str) -> None:
        self.done.append(act)
        if act in self.fails:
            raise self.fails[act]

    async def found(self) -> Found:
        return self.what

    async def servers(self, nic: str) -> tuple[str, ...]:
        self._note(f"look {nic}")
        return self.dhcp.get(nic, ())

    async def try_network(self, set_up: SetUp) -> Trial | None:
        self._note("try")
        self.now_on = Trial(self.clock() + self.seconds) if self.changes else None
        return self.now_on

    async def trial(self) -> Trial | None:
        if self.now_on is not None and self.clock() >= self.now_on.until:
            self.now_on = None
        return self.now_on

    async def keep_network(self) -> None:
        self._note("keep")
        self.now_on = None

    async def write(self, set_up: SetUp) -> None:
        self._note("write")
        self.written = set_up

    async def let_in(self, set_up: SetUp) -> None:
        self._note("let in")

    async def restart(self) -> None:
        self._note("restart")
        self.restarted()

    def with_disk(self, disk: FoundDisk) -> None:
        """Another one in the place of the one of the same name."""
        rest = tuple(each for each in self.what.disks if each.name != disk.name)
        self.what = replace(self.what, disks=(*rest, disk))
