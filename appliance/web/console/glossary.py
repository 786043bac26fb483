"""What the product's words mean, for whoever points at one or opens the help. Pure."""

from appliance.machine import State

STATES: dict[State, str] = {
    State.DISCOVERED: "It was seen booting; its agent has not reported what is in it yet",
    State.IDLE: "It runs the maintenance stack from memory and waits for work",
    State.ACTIVE: "It runs its deployment, whose system has reported",
    State.STOPPED: "Its deployment is shut down; machine and disk stay reserved for it",
    State.RESCUE: "It runs the maintenance stack with SSH open to a user's keys; its disks are untouched",
    State.BROKEN: "A user said so; it is never chosen for anything",
    State.INSPECTING: "It boots into a fresh maintenance stack",
    State.DEPLOYING: "Its image is written to its disk, or made ready for its memory, and started",
    State.STARTING: "It starts what was deployed again",
    State.STOPPING: "Its system shuts down",
    State.RELEASING: "It goes back to the fleet",
    State.WIPING: "Its disk is wiped",
    State.RESCUING: "It goes into rescue",
    State.CAPTURING: "Its disk becomes an image",
    State.FAILED: "The last attempt ended badly; retry it, or release the machine",
}

TERMS: tuple[tuple[str, str], ...] = (
    ("machine", "A physical or virtual computer that network-boots from here, known by its MAC addresses and UUID."),
    ("fleet", "All machines."),
    ("idle", "A machine that runs the maintenance stack and waits for work."),
    ("maintenance", "A flag on a machine: it is seen, not used. Every newly discovered machine starts with it on."),
    ("maintenance stack", "The small operating system, in memory, that idle machines run, with our agent in it."),
    ("kernel", "A kernel with its initrd and command line, usable by several images."),
    ("image", "A root file system or disk that machines run."),
    ("deployment", "What you want to run: an image, how it reaches the machine, what the machine must have."),
    ("delivery", "How a machine gets its root: written to its disk, for example."),
    ("assignment", "The binding of a deployment to a machine."),
    ("attempt", "One try at moving a machine through a workflow, with steps and a deadline."),
    ("resident", "The small unit in a deployed system that reports active and obeys stop."),
    ("stop", "The system is shut down; machine and disk stay reserved."),
    ("release", "The machine goes back to the fleet; the disk is wiped if the deployment says so."),
    ("re-deploy", "The image is written anew."),
    ("failed", "An attempt ended badly; it can be retried."),
    ("broken", "A user said so; the machine is never chosen."),
    ("rescue", "The maintenance stack with the disks untouched, and SSH open to your key."),
    ("power switch", "What switches a machine on and off from here: its controller, its network card, or its host."),
    ("fenced", "Seen to be off by its power switch, after its last sign: it writes nothing any more."),
    ("pool", "Where volumes live: a volume group of disks, or a directory."),
    ("volume", "A disk that is kept in a pool: a logical volume, or a file."),
    ("snapshot", "What a volume held at one moment. Nobody writes it; the volume can be rolled back to it."),
    ("clone", "A volume of its own that began with what another one held."),
    ("golden", "Others are made from it: it is not deleted before somebody says that it is golden no longer."),
    ("overcommitted", "A pool has promised its volumes more room than it has: watch how it fills."),
    ("task", "A long piece of work that you can watch and cancel."),
    ("event", "A fact that happened, kept in the event log."),
)

KEYS: tuple[tuple[str, str], ...] = (
    ("/", "to the filter of this list, or find anything"),
    ("Ctrl K", "find anything: machines, deployments, pages, actions"),
    ("Escape", "close what is open, choose nothing"),
    ("Tab, Enter", "from one control to the next, and use it"),
)
