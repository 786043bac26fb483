"""What deployed systems say: they report active, wait for orders, and obey."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address

from appliance.deployment import Deployment
from appliance.errors import Conflict, Denied
from appliance.events import Bus, Event
from appliance.machine import Machine, State, moved
from appliance.netboot.fleet import Activity, Command
from appliance.reconcile.bell import Bell
from appliance.reconcile.polls import POLL_SECONDS
from appliance.reconcile.presence import Presence
from appliance.reconcile.record import Tell, record
from appliance.reconcile.settle import change_machine, settle, touched
from appliance.store import attempts, deployments, machines, roots, tokens
from appliance.store.store import Store
from appliance.workflow import (
    HAND_OVER,
    REPORT_ACTIVE,
    RETURN,
    SHUT_DOWN,
    Attempt,
    failed,
    kexec_hung,
    progressed,
    step_done,
)

_AWAITING = (State.DEPLOYING, State.STARTING, State.FAILED)
"""States in which something may wait for the deployed system, or has given it up."""
_BY_RESIDENT = "resident"


class Residents:
    """The resident half of ``netboot.fleet.Fleet``."""

    def __init__(self, store: Store, bus: Bus, bell: Bell, clock: Callable[[], float], presence: Presence) -> None:
        self._store, self._bus, self._bell, self._clock = store, bus, bell, clock
        self._presence = presence

    async def active(self, token: str, activity: Activity) -> None:
        """The deployed system is up: ends the attempt that brought it there."""

        def job(db: sqlite3.Connection, tell: Tell) -> Machine:
            now = self._clock()
            deployment, machine = self._who(db, token)
            deployments.put(db, _with_activity(deployment, activity))
            if deployment.boot_id != activity.boot_id:
                detail = {"boot_id": activity.boot_id, "hostname": activity.hostname[:100]}
                text = f"the system of {deployment.name} reported active"
                tell(Event("resident.active", now, text, "", machine.id, deployment.id, detail))
            self._arrive(db, tell, token, deployment, machine, _ipv4(activity.addresses, machine.address))
            return machine

        machine = await record(self._store, self._bus, job)
        self._bell.ring(machine.id)

    def _arrive(
        self,
        db: sqlite3.Connection,
        tell: Tell,
        token: str,
        deployment: Deployment,
        machine: Machine,
        address: str | None = None,
    ) -> None:
        """The deployed system is up: what waits for that ends, in time or too late."""
        now = self._clock()
        roots.arrived(db, machine.id)
        attempt = attempts.live_of(db, machine.id)
        after = _arrived(attempt, now) if attempt else None
        if attempt is not None and after is not None:
            tokens.keep_resident(db, token, deployment.id)
            settle(db, tell, touched(machine, now, address), attempt, after, now)
        elif machine.state is State.FAILED and _late(machine, deployment):
            tokens.keep_resident(db, token, deployment.id)
            proven = touched(self._proven(db, moved(machine, State.ACTIVE)), now, address)
            change_machine(db, tell, machine, proven, now, "its system came up after all, only late")
        else:
            machines.put(db, touched(machine, now, address))

    def _proven(self, db: sqlite3.Connection, machine: Machine) -> Machine:
        """The machine, trusted with kexec again where one that was given up has worked, if slowly."""
        last = attempts.last_of(db, machine.id)
        # With a session it has been through firmware since, and something else than kexec started the system.
        session = tokens.session_of(db, machine.id)
        straight = session is None or not session.proven
        return replace(machine, hand_over="kexec") if last and kexec_hung(last) and straight else machine

    async def wait(self, token: str, boot_id: str) -> Command:
        """Wait at most POLL_SECONDS for an order.

        To begin a wait says that the system is up, as its announcement does; one that began earlier says nothing of
        now: its machine may have lost power, and the connection has not noticed.
        """
        _, machine = await self._store.read(lambda db: self._who(db, token))
        if machine.state in _AWAITING:
            await self._found_running(token)
        else:
            self._presence.heard(machine.id)

        async def ordered() -> bool:
            return await self._store.read(lambda db: self._order(db, machine)) is not None

        if not await self._bell.wait(machine.id, ordered, POLL_SECONDS):
            return Command("none")
        return await self._store.write(lambda db: self._give(db, token, machine))

    async def _found_running(self, token: str) -> None:
        def job(db: sqlite3.Connection, tell: Tell) -> Machine:
            deployment, machine = self._who(db, token)
            self._arrive(db, tell, token, deployment, machine)
            return machine

        self._bell.ring((await record(self._store, self._bus, job)).id)

    def _order(self, db: sqlite3.Connection, machine: Machine) -> Attempt | None:
        """The attempt for which the system has to go down.

        One that has said that it does and waits again has not heard that we know: it is told once more.
        """
        attempt = attempts.live_of(db, machine.id)
        due = attempt is not None and attempt.step is not None and attempt.step.name == _shutting_down(attempt)
        return attempt if due else None

    def _give(self, db: sqlite3.Connection, token: str, machine: Machine) -> Command:
        self._who(db, token)  # it may have been revoked while waiting
        attempt = self._order(db, machine)
        if attempt is None:
            return Command("none")
        attempts.put(db, replace(attempt, obeyed=True, armed=True, step_seen=self._clock()))
        return Command("reboot", attempt.id)

    async def report(self, token: str, attempt_id: str, status: str, message: str) -> None:
        """The resident is about to obey, or says why it cannot."""

        def job(db: sqlite3.Connection, tell: Tell) -> Machine:
            now = self._clock()
            _, machine = self._who(db, token)
            attempt = attempts.find(db, attempt_id)
            if attempt is None or attempt.machine != machine.id:
                raise Conflict("stale-step", "this attempt is not this machine's")
            if status == "done":
                after = step_done(attempt, SHUT_DOWN, {"by": _BY_RESIDENT}, now)
            else:
                progressed(attempt, _shutting_down(attempt), 0, "", now)  # refuses a report that comes too late
                after = failed(attempt, "shut-down-failed", message or "the system could not shut down", now)
            if after != attempt:
                settle(db, tell, touched(machine, now), attempt, after, now)
            return machine

        machine = await record(self._store, self._bus, job)
        self._bell.ring(machine.id)

    def _who(self, db: sqlite3.Connection, token: str) -> tuple[Deployment, Machine]:
        """The deployment and machine of a token; a system that is nobody's any more is told so."""
        whose = tokens.resident(db, token)
        if whose is None:
            raise Denied("session-unknown", "this system belongs to no deployment (any more)")
        deployment = deployments.get(db, whose[0])
        if deployment.machine != whose[1]:
            raise Denied("session-unknown", f"{deployment.name} is not on this machine any more")
        return deployment, machines.get(db, whose[1])


def _arrived(attempt: Attempt, now: float) -> Attempt | None:
    """The attempt after its system came up; None where that is not what it waits for."""
    step = attempt.step.name if attempt.step else ""
    if step == HAND_OVER:
        # The agent's last report was lost on the way; that the system runs says the same.
        attempt, step = step_done(attempt, HAND_OVER, {"method": "unknown"}, now), REPORT_ACTIVE
    return step_done(attempt, REPORT_ACTIVE, {}, now) if step == REPORT_ACTIVE else None


def _shutting_down(attempt: Attempt) -> str:
    """The step in which the system may say that it cannot go down.

    It reports that it obeys before it does; until its machine boots, the next step hangs on that still.
    """
    obeyed = attempt.results.get(SHUT_DOWN, {}).get("by") == _BY_RESIDENT
    return RETURN if obeyed and attempt.finished == SHUT_DOWN and attempt.boots == 0 else SHUT_DOWN


def _late(machine: Machine, deployment: Deployment) -> bool:
    """Whether this is the system that the failed attempt waited for, and not the one from before it."""
    current = deployment.installed is not None and deployment.installed.generation == deployment.generation
    return machine.failed_from in (State.DEPLOYING, State.STARTING) and current


def _with_activity(deployment: Deployment, activity: Activity) -> Deployment:
    return replace(deployment, boot_id=activity.boot_id, host_keys=activity.host_keys or deployment.host_keys)


def _ipv4(addresses: tuple[str, ...], known: str | None = None) -> str | None:
    """The first address that others can reach, of a list that may hold anything; ``known`` if it is among them."""
    plain = [text.split("/")[0] for text in addresses]
    first = [known] if known is not None and known in plain else []
    for text in (*first, *plain):
        try:
            address = IPv4Address(text)
        except AddressValueError:
            continue
        if not (address.is_loopback or address.is_link_local):
            return str(address)
    return None
