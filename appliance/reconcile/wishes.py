"""What users ask for. A wish changes stored wanted state and returns; the loop does the rest."""

import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TypeVar

from appliance.accounts import Asker
from appliance.bootprogram import check_choice
from appliance.delivery import check_delivery, check_image, check_root_size
from appliance.deployment import (
    LEADS_TO,
    Deployment,
    Requirements,
    Wanted,
    check_disk_wishes,
    check_kernel_wish,
    check_volume_wishes,
    detached,
)
from appliance.errors import Conflict, Invalid
from appliance.events import Bus, Event
from appliance.machine import (
    LONGEST_NOTES,
    Machine,
    State,
    check_hand_over,
    check_length,
    check_name,
    check_tags,
    in_rescue,
    moved,
)
from appliance.netboot.dhcp.subnet import Subnet
from appliance.power_order import PowerAction
from appliance.reconcile import audit
from appliance.reconcile.addresses import check_address, check_reservable, check_unheld
from appliance.reconcile.audit import Subject
from appliance.reconcile.breaking import lay_down
from appliance.reconcile.cancelling import cancel
from appliance.reconcile.choosing import Choice, choose, pool_for_roots
from appliance.reconcile.consequences import (
    Action,
    Consequences,
    MachineAction,
    check_agreement,
    consequences_of,
    machine_refusal,
    writes,
)
from appliance.reconcile.fencing import can_fence, fenced
from appliance.reconcile.letting_in import let_in
from appliance.reconcile.machine_consequences import machine_consequences
from appliance.reconcile.machine_options import check_options
from appliance.reconcile.power_actions import POWER_ACTIONS, ask_fence, ask_power, foreseen
from appliance.reconcile.record import Tell, record
from appliance.reconcile.rescues import begin_rescue, end_rescue
from appliance.reconcile.reserved_for import check_no_board, said
from appliance.reconcile.root_kernels import kernel_for_roots, kernel_of, unsigned
from appliance.reconcile.root_sizes import with_root_size
from appliance.reconcile.seeds import SealedSeed, keep, with_seed
from appliance.reconcile.taken_names import check_free
from appliance.reconcile.tasks import Asked, open_action
from appliance.reconcile.views import OFFLINE_AFTER, asks
from appliance.ssh_keys import check_lines
from appliance.store import (
    attempts,
    catalogue,
    deployments,
    leases,
    machines,
    network,
    power,
    root_volumes,
    roots,
    tokens,
)
from appliance.store.store import Store
from appliance.task import Task
from appliance.volume import rounded
from appliance.wiping import WipeMethod, check_method
from appliance.workflow import DeploymentId

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NewDeployment:
    """What a user fills in to make a deployment. ``image`` and ``machine`` are ids or names."""

    name: str
    image: str
    delivery: str = "disk"
    machine: str | None = None
    disk: str | None = None
    requirements: Requirements = field(default_factory=Requirements)
    ssh_keys: tuple[str, ...] = ()
    wipe_on_release: bool = False
    wipe_method: str = WipeMethod.AUTOMATIC
    pool: str | None = None
    """Name or number of the pool that its root volume is made in; None takes the first that fits."""
    root_size: int | None = None
    """Bytes that its root volume has at least."""
    kernel: str | None = None
    """Name or number of the kernel that a root on the network is started with; None takes the appliance's own."""
    seed: SealedSeed = field(default_factory=dict)
    """What its system gives to cloud-init."""


@dataclass(frozen=True, slots=True)
class MachineChange:
    """What a user changes of a machine; None leaves it as it is."""

    name: str | None = None
    maintenance: bool | None = None
    broken: bool | None = None
    notes: str | None = None
    hand_over: str | None = None
    """``kexec`` or ``reboot``: how the maintenance stack gives way to a deployed system."""
    boot_program: str | None = None
    """What its firmware is sent, one of ``bootprogram.CHOICES``; empty has it chosen by itself."""
    reserved_address: str | None = None
    """IPv4 address that only this machine is leased; empty takes the reservation away."""
    dhcp_options: Mapping[str, str] | None = None
    """All of them from here on: what it is told by DHCP beyond what its subnet says."""
    tags: Sequence[str] | None = None
    """All of its tags from here on."""
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()


Beside = Callable[[sqlite3.Connection, object], None]


class Wishes:
    """Every method takes ``by``, who asked, for the event log; raises Invalid, NotFound or Conflict."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], subnets: Sequence[Subnet] = ()) -> None:
        """``subnets`` are those that we serve; addresses can be reserved in them."""
        self._store = store
        self._subnets = subnets
        self._bus = bus
        self._clock = clock
        self._beside: Beside | None = None

    def with_beside(self, beside: Beside) -> "Wishes":
        """The same wishes, each with ``beside`` in its own transaction: told what the wish gave, it notes that."""
        made = copy(self)
        made._beside = beside
        return made

    async def _record(self, job: Callable[[sqlite3.Connection, Tell], T]) -> T:
        def both(db: sqlite3.Connection, tell: Tell) -> T:
            given = job(db, tell)
            if self._beside is not None:
                self._beside(db, given)
            return given

        return await record(self._store, self._bus, both)

    async def change_machine(self, key: str, change: MachineChange, by: Asker) -> Machine:
        """Rename a machine, switch its maintenance flag, call it broken or mended, and whatever else changes it."""

        def job(db: sqlite3.Connection, tell: Tell) -> Machine:
            before = machines.get(db, key)
            if change.broken and before.state is not State.BROKEN:
                _check(db, before, MachineAction.BREAK, self._clock())
            after = _changed(before, change)
            if change.broken and in_rescue(before):
                # What runs there was somebody else's: nothing of it is believed, and its agent restarts the machine.
                tokens.end_sessions(db, before.id)
            if State.BROKEN in (before.state, after.state) and before.state is not after.state:
                lay_down(db, tell, before, by, self._clock())
            if change.reserved_address is not None:
                after = replace(after, reserved_address=self._kept(db, before, change.reserved_address))
            if after.name != before.name:
                check_free(db, after.name, but=("machine", "deployment"))
            if after != before:
                machines.put(db, after)
                text = f"{by} changed {_differences(before, after)}"
                tell(Event("machine.changed", self._clock(), text, machine=before.id))
                self._noted(db, by, "machine.change", ("machine", before.id, before.name), before, after)
            return after

        return await self._record(job)

    def _kept(self, db: sqlite3.Connection, machine: Machine, text: str) -> str | None:
        if not text.strip():
            return None
        others = machines.briefs(db)
        address = check_address(text, machine, others, self._subnets)
        others_kept = network.kept_addresses(db)
        check_no_board(machine, [each.owner for each in others_kept])
        kept = {each.address: each.name or said(each.owner) for each in others_kept}
        check_reservable(address, kept, self._subnets, "reserved_address")
        if address != machine.reserved_address:
            check_unheld(address, machine, others, leases.every(db), self._clock())
        return address

    async def delete_machine(self, key: str, by: Asker) -> None:
        """Forget a machine; it appears again, as new, the next time it boots."""

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            machine = machines.get(db, key)
            _check(db, machine, MachineAction.DELETE, self._clock())
            machines.delete(db, machine.id)
            tell(Event("machine.deleted", self._clock(), f"{by} deleted {machine.name}", machine=machine.id))
            self._noted(db, by, "machine.delete", ("machine", machine.id, machine.name), machine)

        await self._record(job)

    async def machine_consequences(self, key: str, action: MachineAction) -> Consequences:
        """What an action on a machine would do; nothing is changed."""

        def job(db: sqlite3.Connection) -> Consequences:
            if switching := POWER_ACTIONS.get(action):
                return foreseen(db, key, switching)
            machine = machines.get(db, key)
            deployment, live = deployments.of_machine(db, machine.id), attempts.live_of(db, machine.id)
            return machine_consequences(machine, deployment, live, action, asks(db, machine, self._clock()))

        return await self._store.read(job)

    async def power(self, key: str, action: PowerAction, confirm: str | None, by: Asker) -> Task:
        """Have the power switch of a machine do something; ``confirm`` is what its consequences told."""

        def job(db: sqlite3.Connection, tell: Tell) -> Task:
            return ask_power(db, tell, key, action, confirm, by, self._clock())

        return await self._record(job)

    async def rescue(self, key: str, ssh_keys: Sequence[str], by: Asker) -> Task:
        """Have the machine in the maintenance stack, its disks untouched, with SSH open to these public keys."""
        keys = check_lines(ssh_keys)
        if not keys:
            raise Invalid("ssh-key-missing", "nobody could log in", "give at least one SSH public key", "ssh_keys")

        def job(db: sqlite3.Connection, tell: Tell) -> Task:
            machine = machines.get(db, key)
            _check(db, machine, MachineAction.RESCUE, self._clock())
            asked = Asked("machine.rescue", f"Rescue {machine.name}", by, self._clock())
            return begin_rescue(db, tell, machine, keys, asked)

        return await self._record(job)

    async def end_rescue(self, key: str, by: Asker) -> Task:
        """Have the machine in a fresh maintenance stack, without anybody logged in."""

        def job(db: sqlite3.Connection, tell: Tell) -> Task:
            machine = machines.get(db, key)
            _check(db, machine, MachineAction.END_RESCUE, self._clock())
            asked = Asked("machine.end-rescue", f"End the rescue of {machine.name}", by, self._clock())
            return end_rescue(db, tell, machine, asked)

        return await self._record(job)

    async def admit(self, key: str, by: Asker) -> Machine:
        """Let a machine in to its root on the network that restarted by itself: it gets it when it next asks."""

        def job(db: sqlite3.Connection, tell: Tell) -> Machine:
            machine = machines.get(db, key)
            _check(db, machine, MachineAction.ADMIT, self._clock())
            let_in(db, tell, machine, by, self._clock())
            return machine

        return await self._record(job)

    async def create_deployment(self, new: NewDeployment, by: Asker) -> Deployment:
        """Make a deployment; nothing is touched before it is started."""

        def job(db: sqlite3.Connection, tell: Tell) -> Deployment:
            image = catalogue.image(db, new.image)
            machine = machines.get(db, new.machine) if new.machine else None
            deployment = Deployment(
                id=DeploymentId(0),
                name=check_name(new.name),
                image=image.id,
                created=self._clock(),
                delivery=check_delivery(new.delivery),
                requirements=replace(new.requirements, tags=check_tags(new.requirements.tags, "requirements.tags")),
                ssh_keys=check_lines(new.ssh_keys),
                wipe_on_release=new.wipe_on_release,
                wipe_method=check_method(new.wipe_method),
                wanted_machine=machine.id if machine else None,
                wanted_disk=new.disk or None,
                machine_uuid=secrets.token_hex(16),
                pool=pool_for_roots(db, new.pool),
                root_size=None if new.root_size is None else rounded(new.root_size, "root_size"),
                kernel=kernel_for_roots(db, new.kernel),
            )
            check_root_size(image, deployment.delivery, deployment.root_size)
            check_free(db, deployment.name, but=("machine", "deployment"))
            checked = check_kernel_wish(check_volume_wishes(check_disk_wishes(deployment)))
            stored = deployments.add(db, with_seed(checked, new.seed))
            keep(db, stored, new.seed)
            self._told(tell, stored, f"{by} created {stored.name}")
            self._noted(db, by, "deployment.create", _subject(stored), None, stored)
            return stored

        return await self._record(job)

    async def delete_deployment(self, key: str, by: Asker) -> None:
        """Forget a deployment that is on no machine."""

        def job(db: sqlite3.Connection, tell: Tell) -> None:
            deployment = deployments.get(db, key)
            if deployment.machine:
                raise Conflict("deployment-used", f"{deployment.name} is on a machine", "release it first")
            deployments.delete(db, deployment.id)
            self._told(tell, deployment, f"{by} deleted {deployment.name}")
            self._noted(db, by, "deployment.delete", _subject(deployment), deployment)

        await self._record(job)

    async def consequences(self, key: str, action: Action) -> Consequences:
        """What an action would do, in words, and what has to be typed to confirm it; nothing is changed."""

        def job(db: sqlite3.Connection) -> Consequences:
            return self._foreseen(db, deployments.get(db, key), action)[0]

        return await self._store.read(job)

    async def act(self, key: str, action: Action, confirm: str | None, by: Asker, content: str = "") -> Task:
        """Start, stop, release, re-deploy or retry: the task that follows it.

        ``confirm`` and ``content`` are what ``consequences`` told. Raises Conflict ``confirmation-needed`` where they
        are not, and ``content-changed`` where the disk holds something else by now than what was agreed to.
        """

        def job(db: sqlite3.Connection, tell: Tell) -> Task:
            deployment = deployments.get(db, key)
            foreseen, choice = self._foreseen(db, deployment, action)
            if foreseen.refused:
                raise Conflict("action-refused", foreseen.refused)
            check_agreement(foreseen, confirm, content)
            if (broken := _to_fence(db, deployment, action)) is not None:
                return self._fence(db, tell, broken, deployment, by)
            after = self._applied(db, deployment, action, choice)
            deployments.put(db, after)
            self._told(tell, after, f"{by} asked to {action.value} {after.name}")
            self._noted(db, by, f"deployment.{action.value}", _subject(after), deployment, after)
            on = f" on {foreseen.machine}" if foreseen.machine else ""
            asked = Asked(f"deployment.{action}", f"{action.label} {after.name}{on}", by, self._clock())
            return open_action(db, tell, asked, deployment, after)

        return await self._record(job)

    async def cancel_task(self, key: str, by: Asker) -> Task:
        """Cancel a task; raises NotFound, and Conflict ``cancel-refused`` with the reason."""
        return await record(self._store, self._bus, lambda db, tell: cancel(db, tell, key, by, self._clock()))

    def _foreseen(
        self, db: sqlite3.Connection, deployment: Deployment, action: Action
    ) -> tuple[Consequences, Choice | None]:
        """What it would do, and the machine and disk that a start takes which has yet to find one."""
        machine = machines.find(db, deployment.machine) if deployment.machine else None
        seeks = action is Action.START and machine is None
        choice = choose(db, deployment, self._clock() - OFFLINE_AFTER) if seeks else None
        if writes(deployment, machine, action):
            check_image(catalogue.image(db, deployment.image), deployment.delivery)
        foreseen = consequences_of(deployment, machine, action, choice, root_volumes.of_deployment(db, deployment.id))
        if seeks or writes(deployment, machine, action):
            foreseen = with_root_size(db, deployment, catalogue.image(db, deployment.image), foreseen)
        starts = choice[0] if choice else machine
        if starts is not None and action in (Action.START, Action.REDEPLOY, Action.RETRY) and not foreseen.refused:
            words = unsigned(kernel_of(db, deployment), starts)
            foreseen = replace(foreseen, texts=(*foreseen.texts, words)) if words else foreseen
        if action is Action.RELEASE and machine is not None and machine.state is State.BROKEN:
            switch, order = power.find(db, machine.id), power.open_order(db, machine.id)
            foreseen = fenced(foreseen, deployment, machine, switch, order)
        return foreseen, choice

    def _fence(self, db: sqlite3.Connection, tell: Tell, machine: Machine, deployment: Deployment, by: Asker) -> Task:
        """Its deployment is taken off a broken machine once that is confirmed to be off."""
        after = replace(deployment, wanted=Wanted.RELEASED)
        self._told(tell, deployment, f"{by} asked to release {deployment.name}")
        self._noted(db, by, "deployment.release", _subject(deployment), deployment, after)
        return ask_fence(db, tell, machine, deployment, by, self._clock())

    def _applied(
        self, db: sqlite3.Connection, deployment: Deployment, action: Action, choice: Choice | None
    ) -> Deployment:
        match action:
            case Action.START:
                taken = replace(deployment, machine=choice[0].id, disk=choice[1]) if choice else deployment
                return replace(taken, wanted=Wanted.RUNNING)
            case Action.STOP:
                return replace(deployment, wanted=Wanted.STOPPED)
            case Action.RELEASE:
                return self._released(db, deployment)
            case Action.REDEPLOY:
                return replace(deployment, wanted=Wanted.RUNNING, generation=deployment.generation + 1)
            case Action.RETRY:
                return self._retried(db, deployment)

    def _retried(self, db: sqlite3.Connection, deployment: Deployment) -> Deployment:
        """What failed is wanted again, whatever somebody else has asked for since and was not begun yet."""
        machine = machines.get(db, deployment.machine or "")
        return replace(deployment, retry=True, wanted=LEADS_TO.get(machine.failed_from, deployment.wanted))

    def _released(self, db: sqlite3.Connection, deployment: Deployment) -> Deployment:
        """A broken machine that cannot be switched off takes no part in anything: its deployment goes at once."""
        after = replace(deployment, wanted=Wanted.RELEASED, retry=False)
        if deployment.machine and machines.get(db, deployment.machine).state is State.BROKEN:
            roots.end_system(db, deployment.id, deployment.machine)
            return detached(after)
        return after

    def _noted(
        self,
        db: sqlite3.Connection,
        by: Asker,
        action: str,
        subject: Subject,
        before: object = None,
        after: object = None,
    ) -> None:
        audit.note(db, by, action, subject, before, after, now=self._clock())

    def _told(self, tell: Tell, deployment: Deployment, text: str) -> None:
        event = Event("deployment.changed", self._clock(), text, machine=deployment.machine, deployment=deployment.id)
        tell(event)


def _subject(deployment: Deployment) -> Subject:
    return "deployment", deployment.id, deployment.name


def _to_fence(db: sqlite3.Connection, deployment: Deployment, action: Action) -> Machine | None:
    """The broken machine that has to be off before the deployment leaves it; None where there is none that can be."""
    machine = machines.find(db, deployment.machine) if deployment.machine and action is Action.RELEASE else None
    broken = machine is not None and machine.state is State.BROKEN
    return machine if machine and broken and can_fence(power.find(db, machine.id)) else None


def _check(db: sqlite3.Connection, machine: Machine, action: MachineAction, now: float) -> None:
    """Raise Conflict where this cannot be done to the machine now."""
    deployment, live = deployments.of_machine(db, machine.id), attempts.live_of(db, machine.id)
    if refusal := machine_refusal(machine, deployment, live, action, asks(db, machine, now)):
        raise refusal


def _changed(machine: Machine, change: MachineChange) -> Machine:
    if change.name is not None:
        machine = replace(machine, name=check_name(change.name))
    if change.maintenance is not None:
        machine = replace(machine, maintenance=change.maintenance)
    if change.notes is not None:
        machine = replace(machine, notes=check_length(change.notes, LONGEST_NOTES, "notes"))
    if change.hand_over is not None:
        machine = replace(machine, hand_over=check_hand_over(change.hand_over))
    if change.boot_program is not None:
        machine = replace(machine, boot_program=check_choice(change.boot_program))
    if change.dhcp_options is not None:
        machine = replace(machine, dhcp_options=check_options(change.dhcp_options))
    machine = replace(machine, tags=_tagged(machine, change))
    if change.broken is not None and change.broken != (machine.state is State.BROKEN):
        mended = State.IDLE if machine.inventory else State.DISCOVERED
        machine = replace(moved(machine, State.BROKEN if change.broken else mended), rescue=None)
    return machine


def _tagged(machine: Machine, change: MachineChange) -> tuple[str, ...]:
    start = machine.tags if change.tags is None else change.tags
    return check_tags((set(start) | set(change.add_tags)) - set(change.remove_tags))


_SHOWN = {
    "name": "name",
    "maintenance": "maintenance",
    "notes": "notes",
    "tags": "tags",
    "state": "state",
    "hand_over": "hand-over",
    "boot_program": "boot program",
    "reserved_address": "reserved address",
    "dhcp_options": "DHCP options",
}


def _differences(before: Machine, after: Machine) -> str:
    parts = [
        f"{label} from {_said(getattr(before, field))} to {_said(getattr(after, field))}"
        for field, label in _SHOWN.items()
        if getattr(before, field) != getattr(after, field)
    ]
    return ", ".join(parts)[:500]


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {text}" for name, text in value.items()) or "none"
    return "none" if value is None or value == "" else str(value)
