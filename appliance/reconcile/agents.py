"""What agents say: they redeem tokens, send inventories, fetch steps and report on them."""

import math
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from appliance.delivery import on_disk, on_volume
from appliance.deployment import Deployment
from appliance.errors import Conflict, Denied, Invalid
from appliance.events import Bus, Event, Progress
from appliance.machine import MacAddress, Machine, State, moved
from appliance.netboot.fleet import Redemption, Report, Welcome, Work
from appliance.reconcile.bell import Bell
from appliance.reconcile.inventory import checked, inventory_macs, with_neighbours
from appliance.reconcile.outcome import TAKING, deployment_given, deployment_taken
from appliance.reconcile.params import MACHINE_STEPS, Surroundings, machine_params, params
from appliance.reconcile.polls import has_work
from appliance.reconcile.presence import SEEN_SECONDS
from appliance.reconcile.record import Tell, record
from appliance.reconcile.roots import Roots
from appliance.reconcile.seeds import Seeds
from appliance.reconcile.settle import LEAVING, change_machine, settle, touched
from appliance.reconcile.trading import Refusal, armed_by, entitled, objection, offered, refuse
from appliance.store import attempts, catalogue, deployments, machines, tokens
from appliance.store.documents import dump
from appliance.store.store import Store
from appliance.store.tokens import BootToken, MachineSession
from appliance.task import CANCELLED
from appliance.workflow import (
    CONFIGURE,
    HAND_OVER,
    PREPARE,
    RETURN,
    WRITE,
    Actor,
    Attempt,
    AttemptId,
    DeploymentId,
    Status,
    failed,
    progressed,
    step_done,
)

RESULT_BYTES = 64 << 10
"""What a step may have found out, as JSON; it is kept in the attempt and in the timeline."""


@dataclass(frozen=True, slots=True)
class SiteUrls:
    """What a machine needs to reach us, by our address on its subnet."""

    server: Callable[[str], str]
    control: Callable[[str], str]
    ca_pem: str
    package_proxies: Mapping[str, str] = field(default_factory=dict)
    """HTTP proxies for packages, by our address."""


class Agents:
    """The agent half of ``netboot.fleet.Fleet``."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        bell: Bell,
        clock: Callable[[], float],
        urls: SiteUrls,
        image_path: Callable[[int], Path],
        roots: Roots,
        seeds: Seeds,
    ) -> None:
        self._store, self._bus, self._bell, self._clock = store, bus, bell, clock
        self._urls, self._image_path, self._roots = urls, image_path, roots
        self._seeds = seeds

    async def redeem(self, redemption: Redemption, address: str) -> Welcome:
        """Trade a boot token. The same trade twice is one trade; another one quarantines the machine."""
        traded = await record(self._store, self._bus, lambda db, tell: self._trade(db, tell, redemption, address))
        if isinstance(traded, Refusal):
            raise Denied(traded.code, traded.message, "restart the machine")
        return traded

    def _trade(self, db: sqlite3.Connection, tell: Tell, redemption: Redemption, address: str) -> Welcome | Refusal:
        """A refusal of a token that we know is returned: raised, it would take back what is told with it."""
        token = offered(db, redemption, root=False)
        machine = machines.get(db, token.machine)
        taken_by, now = tokens.hash_token(redemption.machine_token), self._clock()
        refused = objection(token, taken_by, now) or _of_sessions(token, tokens.session(db, redemption.machine_token))
        if refused is None and not token.proven and self._is_at_work(db, machine):
            refused = Refusal("token-unproven", "it was asked for from an address that is not the machine's")
        if refused is not None:
            refuse(db, tell, machine, token, taken_by, refused, address, now)
            return refused
        if token.redeemed_by is None:
            self._admit(db, tell, token, machine, redemption, address)
        session = tokens.session_of(db, machine.id)
        assert session is not None, "this trade made it, or the one that it repeats"
        return Welcome(machine.id, machine.name, session.poll)

    def _is_at_work(self, db: sqlite3.Connection, machine: Machine) -> bool:
        """Whether another session would end that of the machine's own agent, or get in the way of an attempt."""
        present = tokens.session_of(db, machine.id)
        return (present is not None and present.proven) or attempts.live_of(db, machine.id) is not None

    def _admit(
        self,
        db: sqlite3.Connection,
        tell: Tell,
        token: BootToken,
        machine: Machine,
        redemption: Redemption,
        address: str,
    ) -> None:
        now = self._clock()
        attempt = attempts.live_of(db, machine.id)
        armed = armed_by(token, attempt)
        poll = secrets.token_hex(16)
        taken_by = tokens.hash_token(redemption.machine_token)
        rights = token.attempt if armed else None
        session = MachineSession(taken_by, machine.id, poll, rights, token.issued, token.proven)
        tokens.redeem(db, token, session)
        if not token.proven:
            return  # that somebody asked for its script was told; the machine has done nothing
        if attempt is not None and armed:
            attempts.put(db, replace(attempt, armed=False, step_seen=now))
        machines.put(db, touched(machine, now, address))
        why = "this boot was armed by us" if armed else "nobody asked for this boot: it has the rights of inventory"
        tell(Event("agent.started", now, "the agent traded its boot token", why, machine.id))

    async def take_inventory(self, token: str, inventory: dict[str, Any]) -> tuple[str, str]:
        """Store an inventory. It ends the wait for the maintenance stack, and makes a new machine idle.

        That of an agent which may be another machine's is dropped: its interfaces would be believed from then on. So
        is that of a stack in which a rescue has made somebody else root.
        """
        macs = checked(inventory)

        def job(db: sqlite3.Connection, tell: Tell) -> Machine:
            now = self._clock()
            session = tokens.get_session(db, token)
            machine = machines.get(db, session.machine)
            attempt = attempts.live_of(db, machine.id)
            returns = attempt is not None and attempt.step is not None and attempt.step.actor is Actor.BOOT
            opened = machine.rescue is not None and machine.rescue.since is not None and not returns
            if not session.proven or opened:
                return machine
            updated = self._identified(db, tell, machine, inventory, macs)
            updated = replace(updated, secure_boot=inventory.get("secure_boot"))
            machines.put_inventory(db, machine.id, with_neighbours(inventory, machine))
            tell(Event("inventory.taken", now, "the agent sent the inventory", machine=machine.id))
            if attempt is not None and returns:
                return settle(db, tell, touched(updated, now), attempt, step_done(attempt, RETURN, {}, now), now)
            if machine.state in (State.DISCOVERED, State.INSPECTING):
                updated = moved(updated, State.IDLE)
            change_machine(db, tell, machine, touched(updated, now), now)
            return updated

        machine = await record(self._store, self._bus, job)
        self._bell.ring(machine.id)
        return machine.state, machine.name

    def _identified(
        self, db: sqlite3.Connection, tell: Tell, machine: Machine, inventory: dict[str, Any], macs: list[MacAddress]
    ) -> Machine:
        """The machine with the interfaces of its inventory; those of another machine stay with that one.

        But for one that this machine booted from: it has moved here, unless the other has a deployment.
        """
        claimed = machines.claims(db, machine.id)
        free = []
        for mac in macs:
            owner = machines.by_mac(db, mac)
            if owner is not None and owner.id != machine.id and mac in claimed:
                machine = self._claimed(db, tell, machine, owner, mac)
            if owner is None or owner.id == machine.id or mac in machine.macs:
                free.append(mac)
        known = [mac for mac in machine.macs if mac not in free]
        boot_first = sorted(free, key=lambda mac: mac not in machine.macs)
        firmware = inventory.get("firmware")
        return replace(
            machine,
            macs=(*boot_first, *known),
            firmware=firmware if firmware in ("bios", "uefi") else machine.firmware,
        )

    def _claimed(
        self, db: sqlite3.Connection, tell: Tell, machine: Machine, owner: Machine, mac: MacAddress
    ) -> Machine:
        """The machine with an interface that was its owner's, where nothing depends on that one."""
        deployment = deployments.of_machine(db, owner.id)
        if deployment is None:
            text = f"{machine.name} has the network interface that {owner.name} had"
            tell(Event("machine.conflict", self._clock(), text, mac, machine.id))
            return machines.give(db, mac, owner, machine)
        if mac not in inventory_macs(machine):  # the first inventory that has it; once is enough
            text = f"{machine.name} has the network interface of {owner.name}"
            reason = f"it stays with {owner.name} until {deployment.name} is released"
            tell(Event("machine.conflict", self._clock(), f"{text}; {reason}", mac, machine.id))
        return machine

    async def work(self, token: str, server: str) -> Work | None:
        """The step that is due for this agent, with its parameters; None when there is none."""
        if not await self._store.read(lambda db: has_work(db, tokens.get_session(db, token))):
            return None  # nearly always: that changes nothing, and waits for no disk

        def job(db: sqlite3.Connection, tell: Tell) -> Work | None:
            now = self._clock()
            session = tokens.get_session(db, token)
            attempt = attempts.live_of(db, session.machine)
            if attempt is None or attempt.step is None or not has_work(db, session):
                return None
            machine = machines.get(db, session.machine)
            if attempt.step.secret and not entitled(session, attempt):
                reason = f"a boot that was not asked for came up while {attempt.step.label}"
                settle(db, tell, machine, attempt, failed(attempt, "boot-unasked", reason, now), now)
                return None
            if lacking := self._lacking(db, attempt):
                why = f"{lacking.message}; {lacking.hint}"
                settle(db, tell, machine, attempt, failed(attempt, lacking.code, why, now), now)
                return None
            return self._step(db, machine, attempt, server, now)

        return await record(self._store, self._bus, job)

    def _lacking(self, db: sqlite3.Connection, attempt: Attempt) -> Conflict | None:
        """What is missing for the step, before a disk is cleared for an image that cannot come; None for nothing."""
        step = attempt.step.name if attempt.step else ""
        if step not in (PREPARE, WRITE, CONFIGURE, HAND_OVER):
            return None
        deployment = deployments.get(db, attempt.deployment or "")
        if step != HAND_OVER and (unreadable := self._seeds.lacking(db, deployment)):
            return unreadable
        to_disk = on_disk(deployment.delivery)
        if step == HAND_OVER or on_volume(deployment.delivery):
            return None if to_disk else self._roots.lacking(db, deployment)
        image = catalogue.image(db, deployment.image)
        if (step == CONFIGURE and to_disk) or self._image_path(image.id).is_file():
            return None  # once it is on the disk, it is not needed
        text = f"the content of image {image.name} is not on the appliance"
        return Conflict("image-missing", text, "upload it again, then retry")

    def _step(self, db: sqlite3.Connection, machine: Machine, attempt: Attempt, server: str, now: float) -> Work:
        step = attempt.step
        assert step is not None
        if step.name in MACHINE_STEPS:
            given, name = machine_params(step.name, machine), machine.name
        else:
            deployment = deployments.get(db, attempt.deployment or "")
            around = self._surroundings(db, machine, deployment, attempt, server, now)
            given, name = params(step.name, around), deployment.name
            deployments.put(db, deployment_given(deployment, step.name))
        attempts.put(db, replace(attempt, obeyed=True, armed=False, step_seen=now))
        return Work(attempt.id, attempt.kind, step.name, given, f"{attempt.kind} {name}: {step.label}")

    def _surroundings(
        self,
        db: sqlite3.Connection,
        machine: Machine,
        deployment: Deployment,
        attempt: Attempt,
        server: str,
        now: float,
    ) -> Surroundings:
        """Secrets are made afresh each time a step is handed out: only their hashes are stored."""
        around = Surroundings(
            machine,
            deployment,
            catalogue.image(db, deployment.image),
            self._urls.server(server),
            self._urls.control(server),
            self._urls.ca_pem,
            package_proxy=self._urls.package_proxies.get(server, ""),
            begun=tuple(attempts.latest_of(db, deployment.id)),
        )
        step = attempt.step.name if attempt.step else ""
        to_disk, to_volume = on_disk(deployment.delivery), on_volume(deployment.delivery)
        if step == CONFIGURE and to_volume:
            around = replace(around, root=self._roots.on_volume(db, deployment))
        elif step == (WRITE if to_disk else CONFIGURE):
            around = replace(around, download_token=secrets.token_hex(32))
            tokens.put_download(db, around.download_token, attempt.id, deployment.image)
        if step == CONFIGURE:
            around = replace(around, resident_token=secrets.token_hex(32), seed=self._seeds.opened(db, deployment))
            tokens.put_resident(db, around.resident_token, deployment.id, machine.id, now, attempt.started)
        if step == HAND_OVER and not to_disk and machine.hand_over == "kexec":
            around = replace(around, root=self._roots.by_kexec(db, machine, deployment, server))
        return around

    async def state(self, token: str) -> str:
        """The machine's state in words for its screen."""

        def job(db: sqlite3.Connection) -> str:
            machine = machines.get(db, tokens.get_session(db, token).machine)
            deployment = deployments.of_machine(db, machine.id)
            words = [machine.state.value]
            words += [f"({machine.failed_reason})"] if machine.failed_reason else []
            words += [f"for {deployment.name}"] if deployment else []
            words += ["in maintenance"] if machine.maintenance else []
            # Goes into a header: what a failed step had to say may have line ends in it.
            printable = (c if " " <= c <= "~" else " " if c.isspace() else "?" for c in " ".join(words))
            return "".join(printable)[:500]

        return await self._store.read(job)

    async def report(self, token: str, report: Report) -> bool:
        """Take a report on the present step of the live attempt; False: abandon the step, it was cancelled."""
        if not math.isfinite(report.progress):
            raise Invalid("progress-invalid", "progress is a number from 0 to 1")
        if len(dump(report.result)) > RESULT_BYTES:
            raise Invalid("result-too-large", f"a result has {RESULT_BYTES} bytes at most")
        if report.status == "running":
            return await self._report_running(token, report)

        def job(db: sqlite3.Connection, tell: Tell) -> Attempt:
            now = self._clock()
            machine, attempt = self._reported(db, token, report)
            if attempt.code == CANCELLED:
                return attempt
            if report.status == "done":
                after = _armed(db, step_done(attempt, report.step, report.result, now))
            else:
                progressed(attempt, report.step, 0, "", now)  # refuses a step that is not due
                reason = report.message[:500] or "the agent gave no reason"
                after = failed(attempt, report.code[:80] or "step-failed", reason, now)
            if after != attempt:
                settle(db, tell, touched(machine, now), attempt, after, now)
            return after

        attempt = await record(self._store, self._bus, job)
        self._bell.ring(attempt.machine)
        return attempt.code != CANCELLED

    async def _report_running(self, token: str, report: Report) -> bool:
        def job(db: sqlite3.Connection) -> Attempt:
            now = self._clock()
            machine, attempt = self._reported(db, token, report)
            if attempt.code == CANCELLED:
                return attempt
            after = progressed(attempt, report.step, report.progress, report.message, now)
            attempts.put(db, after)
            if report.step in TAKING and attempt.deployment is not None:
                _take(db, attempt.deployment, report)
            if now - (machine.last_seen or 0) > SEEN_SECONDS:  # it does not poll while it works
                machines.put(db, touched(machine, now))
            return after

        attempt = await self._store.write(job)
        if attempt.code == CANCELLED:
            return False
        self._bus.publish(Progress(attempt.machine, report.step, attempt.progress, attempt.message))
        return True

    def _reported(self, db: sqlite3.Connection, token: str, report: Report) -> tuple[Machine, Attempt]:
        session = tokens.session(db, token)
        machine = session.machine if session and session.proven else None
        if machine is None and report.step in LEAVING and report.status == "done":
            # It ended its session with this very report, and the answer was lost.
            machine = tokens.has_left(db, token)
        if machine is None:
            raise Denied("session-unknown", "this session has ended", "restart the machine")
        attempt = attempts.find(db, AttemptId(report.attempt))
        if attempt is None or attempt.machine != machine:
            raise Conflict("stale-step", "this attempt is not this machine's")
        return machines.get(db, machine), attempt

    async def image(self, token: str, image: int) -> Path:
        """The file of an image, for the attempt that this download token belongs to."""

        def job(db: sqlite3.Connection) -> bool:
            return tokens.may_download(db, token, image)

        if not await self._store.read(job):
            raise Denied("token-unknown", "this token does not open this image now")
        return self._image_path(image)


def _take(db: sqlite3.Connection, of: DeploymentId, report: Report) -> None:
    before = deployments.get(db, of)
    after = deployment_taken(before, report.step, report.progress)
    if after != before:
        deployments.put(db, after)


def _armed(db: sqlite3.Connection, attempt: Attempt) -> Attempt:
    """Once its agent has handed over to a network root, the next boot is ours: a reboot, or a kexec that failed."""
    if attempt.finished != HAND_OVER or attempt.status is not Status.LIVE:
        return attempt
    return replace(attempt, armed=not on_disk(deployments.get(db, attempt.deployment or "").delivery))


def _of_sessions(token: BootToken, session: MachineSession | None) -> Refusal | None:
    """Why a trade makes no session, where its token would do; ``session`` is what its machine token opens."""
    if token.redeemed_by is not None and session is None:
        return Refusal("token-used", "this boot has been followed by another")
    if session is not None and session.machine != token.machine:
        return Refusal("token-used", "this machine token is another machine's")
    return None
