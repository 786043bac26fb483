"""Somebody before the screen, for conversations: presses keys, sees lines, and the computer answers by hand."""

from dataclasses import replace

from appliance.networking.layout import Interface, Layout
from appliance.networking.served import Served
from appliance.privileged.verbs.network import Seen
from appliance.screen.facts import Facts, Happened, Service
from appliance.screen.orders import NetworkSeen
from appliance.screen.steer import Ui, came, left_alone, passed, press
from appliance.screen.text import Size, cells
from appliance.screen.view import view

NOW = 1763812800.0
FACTS = Facts(
    at=NOW,
    clock="12:00:00",
    host="rack7",
    version="0.1.0",
    slot="A",
    urls=("https://192.168.1.50:8443", "https://10.77.0.1:8443"),
    fingerprint="3a5f" * 16,
    services=(
        Service("appliance.service", "netboot services and console", "running"),
        Service("chrony.service", "clock", "failed", "exit-code"),
        Service("ssh.service", "SSH log-in", "resting"),
    ),
    events=(Happened(NOW - 60, "version 0.1.0 started"), Happened(NOW - 90000, "web-1 is active")),
)
MACS = tuple(f"52:54:00:00:00:0{number}" for number in range(4))
NIC0 = Interface("nic0", mac=MACS[0], method="dhcp", roles=("management",))
NIC1 = Interface("nic1", mac=MACS[1], method="static", addresses=("10.77.0.1/24",), roles=("provisioning",))
SPARE = (Interface("nic2", mac=MACS[2]), Interface("nic3", mac=MACS[3]))


def networks(*interfaces, nat=False, served=()):
    """Four cards, the first with a lease, the last without a cable; and these interfaces, or the usual ones."""
    leases = {0: ("192.168.1.50/24",), 1: ("10.77.0.1/24",)}
    seen = tuple(
        Seen(f"nic{number}", mac, True, number < 3, 1000 if number < 3 else 0, "igb", leases.get(number, ()))
        for number, mac in enumerate(MACS)
    )
    layout = Layout(interfaces or (NIC0, NIC1, *SPARE), nat)
    made = tuple(Seen(each.name, "", False, True, 0, "", ()) for each in layout.interfaces if each.kind != "nic")
    return NetworkSeen(layout, (*seen, *made), tuple(Served(name, name) for name in served))


SETUP = "/setup?token=K7Q2-9XMA-4R8T-ZW3C"


class Person:
    """One conversation."""

    def __init__(self, size=None, **facts):
        self.facts = replace(FACTS, **facts)
        self.size = size or Size()
        self.ui = Ui()
        self.orders = []

    def presses(self, *keys):
        for key in keys:
            step = press(self.ui, key, self.facts)
            self.ui = step.ui
            if step.order is not None:
                self.orders.append(step.order)
        return self

    def types(self, text):
        return self.presses(*text)

    def chooses(self, words):
        """Move to the line of a menu with these words, and choose it."""
        for _ in range(len(self.ui.top.items)):
            if words in self.ui.top.items[self.ui.top.at].label:
                return self.presses("enter")
            self.presses("down")
        raise AssertionError(f"no {words!r} in {self.ui.top}")

    def hears(self, outcome):
        """What came of the last order."""
        self.ui = came(self.ui, outcome, self.size)
        return self

    def waits(self, seconds):
        self.facts = replace(self.facts, at=self.facts.at + seconds)
        self.ui = passed(self.ui, self.facts)
        return self

    def goes_away(self):
        self.ui = left_alone(self.ui)
        return self

    @property
    def lines(self):
        found = view(self.ui.top, self.facts, self.size)
        assert len(found) == self.size.rows
        assert all(cells(line.text) <= self.size.columns for line in found)
        assert all(line.text.isprintable() for line in found)
        return found

    @property
    def text(self):
        """What stands on the screen, in one line: words may be broken over two."""
        return " ".join(" ".join(line.text for line in self.lines).split())

    def sees(self, *words):
        for each in words:
            assert each in self.text, "\n".join(line.text for line in self.lines)
        return self

    def sees_no(self, *words):
        for each in words:
            assert each not in self.text, "\n".join(line.text for line in self.lines)
        return self

    @property
    def order(self):
        """The only order so far; forgotten."""
        (found,) = self.orders
        self.orders = []
        return found
