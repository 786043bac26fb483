"""What the answers of the system mean for whoever stands before the screen. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from appliance.privileged.verbs.network import Reverted
from appliance.privileged.verbs.services import DAEMON, UnitState
from appliance.screen.facts import NO_ADDRESS, Service
from appliance.updates.record import SILENT, Record, Stage, Update

EXPECTED = (DAEMON, "systemd-networkd.service", "chrony.service")
"""Units that always run; the others rest until they are needed, or were never wanted."""
HIDDEN = ("appliance-screen@",)
TOLD_SECONDS = 3600.0
"""For so long a change of the network that was taken back is news."""
FULL_PART = 0.05
"""Less room than this part of the state partition is told."""
FULL_BYTES = 256 << 20
"""So many bytes are enough, however large the partition is."""
_STATES = {"active": "running", "reloading": "running", "activating": "starting", "failed": "failed"}


class Address(msgspec.Struct, frozen=True):
    """An address of an interface, as ``ip -json address`` says it."""

    local: str = ""
    prefixlen: int = 0
    scope: str = ""
    family: str = ""
    temporary: bool = False


class Link(msgspec.Struct, frozen=True):
    """An interface with its addresses."""

    ifname: str
    link_type: str = ""
    flags: list[str] = []
    addr_info: list[Address] = []


class Route(msgspec.Struct, frozen=True):
    """A route, as ``ip -json route`` says it."""

    dst: str = ""
    dev: str = ""
    gateway: str = ""


def services(states: Iterable[UnitState]) -> tuple[Service, ...]:
    """The units that this computer has, as the screen shows them."""
    return tuple(_service(each) for each in states if each.loaded and not each.unit.startswith(HIDDEN))


def _service(unit: UnitState) -> Service:
    resting = "stopped" if unit.unit in EXPECTED else "resting"
    state = _STATES.get(unit.active, resting)
    if unit.active == "activating" and unit.sub == "auto-restart":
        state = "failed"  # systemd starts it again and again
    return Service(unit.unit, unit.about, state, unit.result if state == "failed" else "")


def urls(
    listen: Sequence[str], links: Sequence[Link], routes: Sequence[Route], managed: Collection[str] | None = None
) -> tuple[str, ...]:
    """Where browsers reach the console: the addresses that it listens on, that of the default route's card first.

    ``managed`` are the interfaces that the firewall lets browsers in by; None: all of them.
    """
    shown = [each for each in links if managed is None or each.ifname in managed]
    found = list[str]()
    for each in listen:
        host, _, port = each.rpartition(":")
        hosts = addresses(shown, routes, host) if host in ("0.0.0.0", "[::]") else [host]  # noqa: S104 - read only
        suffix = "" if port == "443" else f":{port}"
        found += [f"https://{name}{suffix}" for name in hosts]
    return tuple(dict.fromkeys(found))


def no_address(links: Sequence[Link], managed: Collection[str] | None = None) -> str:
    """Why the console has no address, and what to do. ``links`` has none at all where the kernel did not answer.

    The daemon gives its place to a card that is put in while it runs; the firewall lets nobody in by it before.
    """
    cards = [each for each in links if each.link_type == "ether"]
    if links and not cards:
        return "no network card was found: put one in, it is taken within seconds"
    if cards and managed is not None and not managed:
        return "a network card is there, and gets its place now: where this stays, restart the appliance"
    if cards and all("NO-CARRIER" in each.flags for each in cards):
        return f"no cable is connected ({', '.join(each.ifname for each in cards)})"
    return NO_ADDRESS


def addresses(links: Sequence[Link], routes: Sequence[Route], host: str) -> list[str]:
    """Global addresses of interfaces as hosts of a URL; IPv6 ones only where ``host`` listens on those too."""
    default = [each.dev for each in routes if each.dst == "default"]
    order = sorted(links, key=lambda link: (link.ifname not in default, link.ifname))
    shown = [each for link in order for each in link.addr_info if each.scope == "global" and not each.temporary]
    fours = [each.local for each in shown if each.family == "inet"]
    sixes = [f"[{each.local}]" for each in shown if each.family == "inet6"]
    return fours + (sixes if host == "[::]" else [])


def command_line(text: str) -> Mapping[str, str]:
    """The words of a kernel command line, those without a value with an empty one."""
    return {name: value for name, _, value in (word.partition("=") for word in text.split())}


def room(free: int, total: int, place: str) -> str:
    """What is wrong with the room on the state partition; empty: nothing."""
    if free >= min(total * FULL_PART, FULL_BYTES):
        return ""
    what = "is full" if free < 1 << 20 else f"is nearly full, {free >> 20} MiB are left"
    return f"The state partition ({place}) {what}. Delete images that nobody needs, or look at the log."


def taken_back(reverted: Reverted | None, now: float) -> str:
    """What is to be known of a change of the network that did not last; empty: nothing, or it is long ago."""
    if reverted is None or not 0 <= now - reverted.at < TOLD_SECONDS:
        return ""
    return f"The last change of the network was taken back: {reverted.why}."


def _on_trial(update: Update) -> str:
    """A try that was not judged yet stands in the record as one that was silent: it still goes on."""
    judged = [each.reasons for each in update.tries if each.reasons != (SILENT,)]
    why = "; ".join(judged[-1]) if judged else ""
    if update.tries and update.tries[-1].reasons == (SILENT,):
        return f"Version {update.version} is on trial, and being judged" + (f"; the try before: {why}." if why else ".")
    return f"Version {update.version} is on trial and not good yet" + (f": {why}." if why else ".")


def update(record: Record, slot: str) -> str:
    """What is to be known of the last update; empty: nothing."""
    last = record.last
    if last is None:
        return ""
    if last.stage is Stage.FELL_BACK:
        return f"The update to {last.version} did not hold: {last.reason}. The version before runs."
    if last.stage is Stage.TRYING and last.slot == slot:
        return _on_trial(last)
    if last.stage in (Stage.CUT_OFF, Stage.FAILED):
        return f"The update to {last.version} was not installed: {last.reason}."
    return ""
