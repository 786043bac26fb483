"""Whether a machine that nobody asks any more is known to write nothing more. Pure.

A deployment that is taken off a broken machine may start elsewhere while the old system still runs. With a root on the
machine's own disk that is two of one name; with a root on the network both write to it, and destroy it. So the rule is:
fenced means that the switch was seen to say off, after the last sign of the machine, and lately.
"""

from dataclasses import replace

from appliance.deployment import Deployment
from appliance.machine import Machine
from appliance.power_known import Switch
from appliance.power_switch import PowerState
from appliance.reconcile.consequences import Consequences
from appliance.reconcile.power_schedule import LOOK_EVERY, WRITE_EVERY

NETWORK_ROOTS = frozenset({"nfs", "iscsi", "aoe"})
"""Deliveries whose root another computer can write to as well."""
FRESH_SECONDS = WRITE_EVERY + 2 * LOOK_EVERY
"""How old what a switch said may be: it is stored as seldom as that while nothing changes."""


def is_fenced(machine: Machine, switch: Switch | None, now: float) -> bool:
    """Whether the machine is known to be off: for what the switch said, never for silence."""
    if switch is None or switch.seen.state is not PowerState.OFF or switch.seen.failures:
        return False
    at, last = switch.seen.at, machine.last_seen
    return at is not None and now - at <= FRESH_SECONDS and (last is None or last < at)


def fenced(
    foreseen: Consequences, deployment: Deployment, machine: Machine, switch: Switch | None, now: float
) -> Consequences:
    """What taking the deployment off a machine would do that is not asked to shut down, with what its power means."""
    if foreseen.refused:
        return foreseen
    name, what = machine.name, deployment.name
    if is_fenced(machine, switch, now):
        text = f"{name} is off, says its power switch: {what} does not run there any more."
        return replace(foreseen, texts=(*foreseen.texts, text))
    if deployment.delivery in NETWORK_ROOTS:
        how = f"switch it off: qrm machines power {name} off" if switch else f"set up the power switch of {name} first"
        text = f"{name} is not confirmed to be off, and may still write to the root of {what} over the network; {how}"
        return replace(foreseen, refused=text)
    text = f"{name} is not confirmed to be off: {what} may go on running there, until somebody switches it off."
    return replace(foreseen, texts=(*foreseen.texts, text))
