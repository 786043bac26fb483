"""A machine that boots over and over: when that is said, and what to look at. Pure.

Attempts count their own boots (``workflow.restarted``) and fail; this is for machines that nobody asked anything of.
"""

from collections.abc import Sequence

from appliance.events import Event
from appliance.machine import Machine
from appliance.netboot.policy import BootSpec, LocalDisk, MaintenanceStack, NetworkRoot, NextEntry, NoStack
from appliance.workflow import BOOT_LOOP, minutes

LONGEST_GAP = 1800.0
"""Seconds between two boots of one loop at most. Memory tests of large servers take minutes; a machine that a user
switches on each morning, and whose system has no resident, is in no loop."""

_LOOK_AT = {
    MaintenanceStack: "the maintenance stack starts and its agent does not: less than 768 MiB of memory is too little"
    " for it; otherwise the machine's screen shows where it stops",
    LocalDisk: "the system on its disk does not come up: its boot loader or kernel may be dead, the machine's screen"
    " shows where it stops; re-deploy it if it cannot be mended",
    NetworkRoot: "its system on the network does not come up: the machine's screen shows where it stops",
    NoStack: "there is no maintenance stack for its processor: switch it off, or leave it to its own disk",
    NextEntry: "its firmware finds nothing to boot after the network: look at its boot order",
}


def loop_event(machine: Machine, spec: BootSpec, earlier: Sequence[float], now: float) -> Event | None:
    """What to tell at the boot that makes a loop of the ones before it; None at all others, the later ones included.

    ``earlier`` are the Unix times of the boots since the machine's last sign of life, newest first.
    """
    boots = [now]
    for at in earlier:
        if boots[-1] - at > LONGEST_GAP:
            break
        boots.append(at)
    if len(boots) != BOOT_LOOP:
        return None
    span = minutes(now - boots[-1])
    text = f"{machine.name} boots over and over: {BOOT_LOOP} boots in {span}, and none of them reported"
    return Event("machine.looping", now, text, _LOOK_AT[type(spec)], machine.id)
