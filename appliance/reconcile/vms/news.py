"""What is worth telling of a host and its VMs between two looks. Pure."""

from collections.abc import Iterator

from appliance.events import Event
from appliance.reconcile.vms.shown import HostView
from appliance.vm import VmId, VmState
from appliance.vm_host import Seen
from appliance.vm_work import KnownHost

_BAD = frozenset({VmState.CRASHED, VmState.PAUSED})
"""States in which a VM that nobody brought there needs somebody; where users did, nothing says why."""


def news(before: HostView | None, after: HostView, now: float) -> list[Event]:
    """Of ours, in the sequence in which it is told; ``before`` is None at the first look of this daemon."""
    host = after.known
    if after.trouble:
        if before is None or not before.trouble:
            text = f"the host {host.name} does not answer"
            return [Event("host.trouble", now, text, after.trouble, detail=host.detail)]
        return []
    found = []
    if before is not None and before.trouble:
        found.append(Event("host.trouble", now, f"the host {host.name} answers again", detail=host.detail))
    was = {each.id: each for each in before.vms} if before else None
    return found + [event for seen in after.vms if seen.ours for event in _of_vm(host, was, seen, now)]


def _of_vm(host: KnownHost, was: dict[VmId, Seen] | None, seen: Seen, now: float) -> Iterator[Event]:
    earlier = was.get(seen.id) if was is not None else None
    if earlier is not None and (earlier.state, earlier.why) == (seen.state, seen.why):
        return
    detail = {**host.detail, "vm": seen.id, "name": seen.name, "state": seen.state}
    if seen.why and seen.state in _BAD:
        yield Event("vm.trouble", now, f"{seen.name} is {seen.state}", seen.why, detail=detail)
    elif earlier is not None and earlier.state is not seen.state:
        text = f"{seen.name} is {seen.state}, and was {earlier.state}"
        yield Event("vm.state", now, text, seen.why, detail=detail)


def has_changed(before: HostView | None, after: HostView) -> bool:
    """Whether a list of VMs looks different now, those of others among them."""
    return before is None or (before.trouble, before.vms) != (after.trouble, after.vms)
