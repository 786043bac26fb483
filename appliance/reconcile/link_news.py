"""Whether machines can be reached over the interfaces that we serve them on, and what of that is worth an event. Pure.

Times are seconds of a clock that nobody sets.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from appliance.links import Links, cables, named

SETTLE_SECONDS = 2.0
"""How long something has to hold before it is told: a switch that restarts a port takes as long as a cable that is
moved, and nobody has to know."""
START_SECONDS = 10.0
"""The same after a start, as long as there was no link: an interface that was just switched on agrees with its other
end for some seconds."""


class Condition(StrEnum):
    """How an interface is."""

    LINKED = "linked"
    CUT = "cut"
    OFF = "off"
    GONE = "gone"
    UNSAID = "unsaid"
    """It ends in no cable, as a bridge of virtual machines."""

    @property
    def bad(self) -> bool:
        """Whether no machine is reached over it."""
        return self in (Condition.CUT, Condition.OFF, Condition.GONE)


class Reach(Struct, frozen=True):
    """How an interface is, and of what that is known."""

    condition: Condition
    cables: tuple[str, ...] = ()
    """Names of the interfaces with a plug."""
    off: str = ""
    """The interface to be switched on, where one is not."""

    def where(self, interface: str) -> str:
        """The interface, with the ports that count where it is a bridge."""
        others = ", ".join(each for each in self.cables if each != interface)
        return f"{interface} ({others})" if others else interface

    def text(self, interface: str) -> str:
        """What is wrong with it; empty where nothing is."""
        wrong = {
            Condition.CUT: f"no link on {self.where(interface)}",
            Condition.OFF: f"the interface {self.where(interface)} is switched off",
            Condition.GONE: f"the interface {interface} is gone",
        }.get(self.condition)
        return f"{wrong}: no machine can boot over it" if wrong else ""

    def hint(self) -> str:
        """What to do about it; empty where nothing is wrong."""
        return {
            Condition.CUT: "plug the cable in, or switch the switch on",
            Condition.OFF: f"switch it on: ip link set {self.off} up",
            Condition.GONE: "see whether it was pulled out, or its driver failed; nothing is served until it is back",
        }.get(self.condition, "")


class News(Struct, frozen=True):
    """What to tell of one interface."""

    interface: str
    reach: Reach
    text: str
    reason: str


def reach(interface: str, links: Links) -> Reach:
    """How an interface is."""
    link = named(interface, links)
    if link is None:
        return Reach(Condition.GONE)
    found = cables(link, links)
    names = tuple(each.name for each in found)
    if not found:
        return Reach(Condition.UNSAID)
    on = [each for each in found if each.up]
    if not link.up or not on:
        return Reach(Condition.OFF, names, off=names[0] if link.up else link.name)
    return Reach(Condition.LINKED if any(each.carrier for each in on) else Condition.CUT, names)


class LinkNews:
    """What has been told of each interface, and what waits to have settled."""

    def __init__(self, interfaces: Iterable[str], now: float) -> None:
        """Until something else is seen, all are taken to be linked; what is not when we start is told as well."""
        self.told: dict[str, Reach] = {each: Reach(Condition.LINKED) for each in interfaces}
        """By interface: what counts now."""
        self._patient_until = dict.fromkeys(self.told, now + START_SECONDS)
        """By interface, until it was seen with a link."""
        self._since: dict[str, float] = {}
        """When an interface began to be other than was told of it."""
        self._bad_since: dict[str, float] = {}
        self._seen: dict[str, Reach] = {}

    def see(self, links: Links, now: float) -> None:
        """All interfaces of the computer, as they are at this moment."""
        for interface, told in self.told.items():
            seen = self._seen[interface] = reach(interface, links)
            if seen.condition is Condition.LINKED:
                self._patient_until.pop(interface, None)
            if seen.condition is told.condition:
                self._since.pop(interface, None)
                self.told[interface] = seen
            else:
                self._since.setdefault(interface, now)

    def due(self) -> float | None:
        """When something will have settled; None where nothing waits."""
        return min((self._settles(each) for each in self._since), default=None)

    def _settles(self, interface: str) -> float:
        settles = self._since[interface] + SETTLE_SECONDS
        return (
            max(settles, self._patient_until.get(interface, settles))
            if self._seen[interface].condition.bad
            else settles
        )

    def settled(self, now: float) -> list[News]:
        """What holds for long enough: it is told from here on, and is news once."""
        ready = [each for each in self._since if self._settles(each) <= now]
        return [news for each in ready if (news := self._tell(each))]

    def _tell(self, interface: str) -> News | None:
        before, since = self.told[interface], self._since.pop(interface)
        now_is = self.told[interface] = self._seen[interface]
        if now_is.condition.bad:
            self._bad_since.setdefault(interface, since)
            return News(interface, now_is, now_is.text(interface), now_is.hint())
        began = self._bad_since.pop(interface, since)
        if before.condition.bad and now_is.condition is Condition.LINKED:
            reason = f"it was without one for {since - began:.0f} s"
            return News(interface, now_is, f"link on {now_is.where(interface)} again", reason)
        return None
