"""What the lists offer to do to many at once, in words. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Act:
    """How an act on many is offered."""

    word: str
    icon: str
    says: str
    """What it does to each, or when it does not."""
    first: bool = False
    """In the bar over the list itself; the others are on the page behind "More"."""


MACHINE_ACTS: dict[str, Act] = {
    "maintenance-off": Act(
        "Take out of maintenance", "wrench", "They become part of the fleet, and may be chosen for deployments.", True
    ),
    "maintenance-on": Act(
        "Put into maintenance", "wrench", "They are seen, but not chosen for anything. What runs on them goes on.", True
    ),
    "tag": Act("Tag", "tag", "They get these tags besides those that they have.", True),
    "untag": Act("Take tags off", "tag", "They lose these tags, and keep all others."),
    "hand-over": Act("Choose the hand-over", "arrow-right-left", "How their next deploy starts its system."),
    "rescue": Act(
        "Rescue",
        "life-buoy",
        "Each boots the maintenance stack with SSH open to these keys; what runs on it is shut down first. "
        "Disks are not touched.",
    ),
    "end-rescue": Act(
        "End rescue",
        "log-out",
        "Everybody is logged out, and they restart into a fresh stack.",
    ),
    "admit": Act(
        "Let in",
        "check",
        "Those that restarted by themselves and wait for their root on the network get it. "
        "Whatever does not wait is left as it is.",
    ),
    "power-on": Act("Switch on", "power", "Those that have a power switch are switched on. What is on stays as it is."),
    "power-off": Act(
        "Switch off",
        "power-off",
        "Their power is cut at once, without shutting down what runs: what that has not written to disk is lost. "
        "To shut systems down in good order, stop their deployments instead.",
    ),
    "power-cycle": Act(
        "Switch off and on",
        "refresh-cw",
        "Their power is cut at once, without shutting down what runs. It comes back as soon as each is seen to be off.",
    ),
    "power-network-once": Act(
        "Restart from network",
        "network",
        "As switching them off and on, and this one start is from the network, whatever their firmware tries first.",
    ),
    "break": Act(
        "Mark broken",
        "x",
        "They are never chosen for anything until somebody says that they are mended.",
    ),
    "mend": Act("Call mended", "rotate-ccw", "They may be chosen again."),
    "delete": Act(
        "Delete",
        "trash-2",
        "Their names, notes, inventories and history are forgotten. Nothing on their disks changes. Each "
        "appears again, as new, when it next boots. Those with a deployment are left as they are.",
    ),
}
DEPLOYMENT_ACTS: dict[str, Act] = {
    "start": Act(
        "Start",
        "play",
        "Those that have run boot again from their disks. Those that have not are started on a machine that "
        "fits; where that would overwrite something, they are left as they are.",
        True,
    ),
    "stop": Act("Stop", "square", "They are shut down; their machines and disks stay reserved.", True),
    "retry": Act("Retry", "rotate-ccw", "What failed is tried again."),
    "release": Act(
        "Release",
        "undo-2",
        "They are shut down, and their machines go back to the fleet. Disks of those that are to be wiped on "
        "release are wiped: everything on them is lost.",
    ),
    "delete": Act(
        "Delete",
        "trash-2",
        "Their settings are forgotten. Those that are on a machine are left as they are.",
    ),
}
