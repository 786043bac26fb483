"""Events: facts that happened, as they are stored and published."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from appliance.machine import MachineId
from appliance.workflow import DeploymentId

KINDS: dict[str, str] = {
    "dhcp.seen": "a DHCP packet of a machine arrived",
    "dhcp.lease": "an address was leased",
    "dhcp.ended": "a lease ended, was released, or its address was found in use",
    "dhcp.foreign": "another DHCP server was noticed where we give the addresses",
    "dhcp.held": "no new addresses are given, since another DHCP server answers",
    "dhcp.begins": "that other DHCP server is gone, and addresses are given",
    "tftp.sent": "a file was fetched by TFTP",
    "tftp.failed": "a TFTP transfer failed",
    "program.refused": "a machine fetched its boot program and did not start it",
    "program.silent": "a machine fetched its boot program, and was not heard of since",
    "boot.trouble": "an error stands on the boot screen of a machine",
    "root.asked": "a machine that restarted by itself waits to be let in to its root",
    "root.given": "a machine was given its root on the network",
    "root.export": "the export of a root volume was granted again, moved with its machine, or ended as nobody's",
    "root.trouble": "a root volume cannot be deleted, or its export not be as it is wanted",
    "script.served": "a boot decision was taken and its script sent",
    "http.sent": "a boot file was fetched by HTTP",
    "agent.started": "the agent traded its boot token",
    "agent.refused": "a token was refused",
    "machine.new": "a machine was seen for the first time",
    "machine.state": "a machine changed its state",
    "machine.changed": "a user changed a machine, or a silent kexec its hand-over",
    "machine.conflict": "two machines claim one identity",
    "machine.looping": "a machine boots over and over and never reports",
    "machine.power": "a machine was switched on or off, or was seen to be, or its switch cannot be asked",
    "machine.deleted": "a user deleted a machine, or it never came up",
    "inventory.taken": "the agent sent the inventory",
    "attempt.started": "an attempt began",
    "attempt.done": "an attempt ended well",
    "attempt.failed": "an attempt failed",
    "step.done": "a step of an attempt is done",
    "disk.wiped": "a disk was wiped: how, how long it took, what was read back",
    "resident.active": "a deployed system reported active",
    "deployment.changed": "a user changed a deployment, or asked something of it",
    "image.changed": "an image was added or deleted",
    "iso.changed": "an ISO was added, changed or deleted",
    "kernel.changed": "a kernel was added or deleted",
    "recipe.changed": "a recipe of images was brought, changed or removed",
    "task.changed": "a task was asked for, or has ended",
    "network.changed": "a user changed a reservation, a lease, a name or how a subnet is served",
    "network.link": "an interface that machines are served on lost its link, or has it again",
    "network.aside": "a subnet does not fit the appliance's networks and is not served, or fits again",
    "pool.changed": "a user made, extended, checked, repaired or retired a pool of storage",
    "pool.grown": "a pool was given more of what its volume group had left",
    "pool.room": "a pool fills up, is full, or has room again",
    "pool.mended": "what was cut off in a pool was finished or taken back",
    "pool.trouble": "a pool or a volume in it cannot be used, or can again",
    "volume.changed": "a volume was made, changed or deleted, or that failed",
    "host.changed": "a user added a host of VMs, or removed it",
    "host.trouble": "a host of VMs does not answer, or answers again",
    "vm.changed": "a VM was made, changed or deleted, or that failed",
    "vm.ordered": "somebody switched, paused or reset a VM",
    "vm.state": "a VM was seen in another state",
    "vm.trouble": "a VM crashed, stands still, or was not started by itself",
    "user.login": "somebody logged in, or failed to",
    "user.changed": "a user was made, changed or deleted",
    "token.changed": "an API token was made or deleted",
    "certificate.changed": "another certificate was put in for the console, or its own is for other addresses",
    "setup.done": "the appliance was set up",
    "setup.failed": "a set-up was not carried out, or its network was taken back",
    "appliance.network": "the appliance's own network was changed for a trial, kept or taken back",
    "appliance.ssh": "a user changed whose keys are let into the appliance itself by SSH",
    "appliance.settings": "a user changed the settings of the appliance: its names, clock, subnets or data disks",
    "state.changed": "a user made a backup, restored one, or removed an old state",
    "state.restored": "the state was restored from a backup",
    "state.room": "the disk that holds the state fills up, is full, or has room again",
    "update.changed": "an update of the appliance was brought, installed, found good or given up",
    "daemon.started": "the daemon started",
    "daemon.interrupted": "the daemon ended by itself, was killed, or its computer lost power, while it ran",
    "daemon.trouble": "a service of the daemon has a problem",
}

PRIVATE = frozenset(kind for kind in KINDS if kind.startswith(("user.", "token.", "appliance.ssh")))
"""Kinds of which only administrators hear: who logs in from where, and who may do what."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. ``text`` says what, ``reason`` why, ``detail`` holds what a specialist wants to see."""

    kind: str
    at: float
    text: str
    reason: str = ""
    machine: MachineId | None = None
    deployment: DeploymentId | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    id: int = 0
    """Sequence number given by the store; 0 for a fact that is published but not kept."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is: published, never stored as an event."""

    machine: MachineId
    step: str
    progress: float
    message: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What the VMs of a host use was measured anew: published, never stored."""

    host: str
    """Its name."""


Published = Event | Progress | Measured


class Subscription:
    """A bounded queue of what was published; a slow reader loses the oldest and is told so."""

    def __init__(self, size: int) -> None:
        self._queue: asyncio.Queue[Published] = asyncio.Queue(size)
        self.lost = 0

    def put(self, item: Published) -> None:
        """Add without ever waiting: the publisher must not depend on its readers."""
        if self._queue.full():
            self._queue.get_nowait()
            self.lost += 1
        self._queue.put_nowait(item)

    async def get(self) -> Published:
        """The next item, waiting for it."""
        return await self._queue.get()

    async def woken(self, matters: Callable[[Published], bool], seconds: float | None) -> None:
        """Wait for an item that ``matters``, or until items were lost, so many seconds at most; None: for ever.

        For whoever then looks at the store: all that waits is stored already, and is forgotten here.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not (matters(await self.get()) or self.lost):
                    continue
        self.clear()
        self.lost = 0

    def clear(self) -> None:
        """Forget what waits."""
        while not self._queue.empty():
            self._queue.get_nowait()


class Bus:
    """Hands what happened to whoever listens inside the process."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._listeners: list[Callable[[Published], None]] = []

    def publish(self, item: Published) -> None:
        """Hand to every subscription and listener; never waits, never fails."""
        for subscription in self._subscriptions:
            subscription.put(item)
        for listener in self._listeners:
            listener(item)

    @contextmanager
    def listen(self, listener: Callable[[Published], None]) -> Iterator[None]:
        """Have a function called with each item for the length of the with-block; it must not wait or raise."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @contextmanager
    def subscribe(self, size: int = 1024) -> Iterator[Subscription]:
        """A subscription for the length of the with-block; ``size`` items are held at most."""
        subscription = Subscription(size)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
