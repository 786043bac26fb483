"""Hosts and VMs as they are shown: what a host says, with what is kept of it and what is under way. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from appliance.errors import Conflict
from appliance.pool import KnownVolume
from appliance.vm import VmState
from appliance.vm_host import Found, Host, Seen
from appliance.vm_work import KnownHost, VmDeed, VmWork

MAKING = "it is being made"


@dataclass(frozen=True, slots=True)
class HostView:
    """A host as it is at this moment, or as it was when it answered last."""

    known: KnownHost
    host: Host | None = None
    """What it is and can do; None where it was not asked, or does not answer."""
    trouble: str = ""
    """Why it does not answer; then ``vms`` are those of ``at``."""
    vms: tuple[Seen, ...] = ()
    at: float | None = None
    """Unix time of the look that found them; None: never since the daemon started."""


@dataclass(frozen=True, slots=True)
class VmView:
    """A VM in the list of all."""

    host: KnownHost
    seen: Seen
    at: float
    """Unix time of the look that found it so."""
    old: bool = False
    """Its host does not answer: nobody knows how it is now."""
    work: VmWork | None = None
    """What is under way with it."""


@dataclass(frozen=True, slots=True)
class VmDetail:
    """A VM looked at closely."""

    view: VmView
    found: Found
    volumes: Mapping[str, KnownVolume] = field(default_factory=dict)
    """Those that its disks are, by the targets of the disks."""


@dataclass(frozen=True, slots=True)
class Everything:
    """All hosts with all their VMs, looked at once."""

    hosts: tuple[HostView, ...]
    works: tuple[VmWork, ...] = ()

    @property
    def vms(self) -> list[VmView]:
        """By their names; what is about to be made is among them."""
        works = {each.vm: each for each in self.works}
        found = [_view(host, seen, works.get(seen.id)) for host in self.hosts for seen in host.vms]
        there = {each.seen.id for each in found}
        found += [_coming(host, works[key]) for key in works.keys() - there if (host := self._host(works[key]))]
        return sorted(found, key=lambda each: (each.seen.name, each.host.name))

    def named(self, key: str) -> VmView | None:
        """The one of this id or name, ours first; raises Conflict ``vm-ambiguous`` where several are meant."""
        views = self.vms
        if (by_id := next((each for each in views if each.seen.id == key.lower()), None)) is not None:
            return by_id
        called = [each for each in views if each.seen.name == key]
        meant = [each for each in called if each.seen.ours] or called
        if len(meant) > 1:
            text = f"several VMs are called {key[:80]}, on {_names(meant)}"
            raise Conflict("vm-ambiguous", text, "name it by its id")
        return meant[0] if meant else None

    def _host(self, work: VmWork) -> KnownHost | None:
        if work.deed is not VmDeed.CREATE:
            return None
        return next((each.known for each in self.hosts if each.known.id == work.host), None)


def _view(host: HostView, seen: Seen, work: VmWork | None) -> VmView:
    return VmView(host.known, seen, host.at or 0.0, bool(host.trouble), work)


def _coming(host: KnownHost, work: VmWork) -> VmView:
    assert work.wanted is not None, "it says what is to be made"
    cpus, memory = work.wanted.cpus, work.wanted.memory
    seen = Seen(work.vm, work.name, VmState.UNKNOWN, True, cpus, memory, MAKING, stored=False)
    return VmView(host, seen, work.at, work=work)


def _names(views: Iterable[VmView]) -> str:
    return ", ".join(each.host.name for each in views)
