"""Somebody before the screen, for conversations: presses keys, sees lines, and the computer answers by hand."""

from dataclasses import replace

from appliance.screen.facts import Facts, Happened, Service
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
