"""libvirt's numbers for states, reasons and errors, in our words. Pure, so they are numbers here."""

from collections.abc import Mapping

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.vm import VmState
from appliance.vm_host import agent_silent, unknown, unreachable

STATES: Mapping[int, VmState] = {
    1: VmState.RUNNING,
    2: VmState.RUNNING,  # "blocked": waits for its own disk
    3: VmState.PAUSED,
    4: VmState.STOPPING,
    5: VmState.OFF,
    6: VmState.CRASHED,
    7: VmState.ASLEEP,
}
"""virDomainState; any other is ``unknown``."""
WHY: Mapping[tuple[int, int], str] = {
    (3, 5): "a disk of it could not be read or written: see to its volume, then resume it",
    (3, 6): "its watchdog found it hanging",
    (3, 8): "it is being shut down",
    (3, 10): "its system crashed",
    (5, 3): "it crashed",
    (5, 6): "the host could not start it, or lost it",
}
"""(virDomainState, reason) where nobody asked for that."""
EVENTS = ("defined", "undefined", "started", "suspended", "resumed", "stopped", "shut down", "asleep", "crashed")
"""virDomainEventType."""

NO_DOMAIN, OPERATION_INVALID, OPERATION_TIMEOUT = 42, 55, 68
AGENT = frozenset({74, 86, 97})
"""The agent is not there, does not answer, answers out of step."""
REFUSED = frozenset({45, 79, 88, 94})
"""Authentication failed, was cancelled or cannot be; access denied."""
WRONG = frozenset({27, 35, 67, 92})
"""What was asked for makes no sense (XML), or this host cannot do it."""
LINE = frozenset({7, 13})
"""virErrorDomain, RPC and REMOTE: what went wrong is the line to the host."""


def translated(number: int, domain: int, words: str, host: str, name: str) -> ApplianceError:
    """What libvirt said about the VM ``name``, or about its ``host``, as an error of ours."""
    said = words.strip()[:500]
    if number == NO_DOMAIN:
        return unknown(name)
    if number in AGENT:
        return agent_silent(name)
    if number in REFUSED or "permission denied" in said.lower():
        hint = "let the appliance's user in there: into the group libvirt, or with its SSH key"
        return ApplianceError("host-refused", f"the host {host} does not let us in: {said}", hint)
    if domain in LINE:
        return unreachable(host, said)
    if number == OPERATION_TIMEOUT:
        hint = "wait until that is done, then try again"
        return Conflict("vm-busy", f"the host {host} does something else with {name}: {said}", hint)
    if number == OPERATION_INVALID:
        return Conflict("vm-state", f"the host {host} refused for {name}: {said}", "look at the VM's state again")
    if number in WRONG:
        return Invalid("vm-refused", f"the host {host} does not take {name} so: {said}", "change it, then try again")
    return ApplianceError("vm-failed", f"the host {host} failed with {name}: {said}", "look at libvirt's log there")
