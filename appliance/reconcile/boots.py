"""What happens when a machine asks for a boot script: who is it, what does it boot, with which rights."""

import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace

from appliance.about import identified
from appliance.errors import ApplianceError
from appliance.events import Bus, Event
from appliance.machine import MacAddress, Machine, MachineId, State, default_name
from appliance.netboot.fleet import Boot
from appliance.netboot.policy import (
    BootRequest,
    BootSpec,
    Decision,
    LocalDisk,
    MaintenanceStack,
    NetworkRoot,
    NextEntry,
    NoStack,
    UnknownPolicy,
    decide,
    decide_unknown,
    decide_unproven,
    fitting,
)
from appliance.reconcile.bell import Bell
from appliance.reconcile.inventory import inventory_macs
from appliance.reconcile.looping import loop_event
from appliance.reconcile.ration import Ration, more
from appliance.reconcile.record import Tell, record
from appliance.reconcile.root_kernels import kernel_of, spec_with
from appliance.reconcile.settle import change_machine, settle, touched
from appliance.reconcile.taken_names import is_taken
from appliance.store import attempts, deployments, events, machines, tokens
from appliance.store.store import Store
from appliance.workflow import BOOT_LOOP, AttemptId

ADOPTED_SECONDS = 3600.0
"""How far back a new machine's timeline reaches before it was enlisted."""

IMPOSTURES, IMPOSTURE_SECONDS = 10, 60.0
"""Requests in the name of machines that are told at once, and seconds to each further one."""

NEW_AT_ONCE, NEW_SECONDS = 1200, 1.0
"""Machines that are enlisted at once, a hall that is switched on, and seconds to each further one."""
CROWD_SECONDS = 600.0
"""Seconds between two complaints that there are more."""
SCRIPTS_AT_ONCE, SCRIPT_SECONDS = 30, 20.0
"""Boots of one machine that are told at once, and seconds to each further one."""

_FROM_DISK = (State.ACTIVE, State.DEPLOYING, State.STARTING)


class Crowded(ApplianceError):
    """Too many new machines at once; its firmware is sent a script that waits and asks again."""


class Boots:
    """The boot half of ``netboot.fleet.Fleet``."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        bell: Bell,
        clock: Callable[[], float],
        unknown: Mapping[str, UnknownPolicy],
    ) -> None:
        """``unknown`` maps each of our addresses, and those of machines behind relays, to the policy of their subnet
        for unknown machines.
        """
        self._store, self._bus, self._bell, self._clock, self._unknown = store, bus, bell, clock, unknown
        self.disk_decided: dict[str, BootSpec] = {}
        """The last decision of each interface that was to boot its disk, for boot loaders that ask by TFTP."""
        self._newcomers = Ration(NEW_AT_ONCE, NEW_SECONDS)
        self._crowds = Ration(1, CROWD_SECONDS)
        self._scripts = Ration(SCRIPTS_AT_ONCE, SCRIPT_SECONDS)
        self._impostures = Ration(IMPOSTURES, IMPOSTURE_SECONDS)

    async def boot(self, request: BootRequest) -> Boot:
        """Decide, and store what the decision changes together with its reason."""
        if not request.proven:
            return await self._unproven(request)

        def job(db: sqlite3.Connection, tell: Tell) -> tuple[Boot, Machine | None]:
            machine = self._identify(db, tell, request)
            if machine is None:
                spec = decide_unknown(self._policy(request))
                return Boot(spec, request.mac, "this subnet leaves unknown machines alone"), None
            return self._decide(db, tell, machine, request), machine

        try:
            boot, machine = await record(self._store, self._bus, job)
        except Crowded as error:
            await self._tell_crowd(error)
            raise
        self.disk_decided.pop(request.mac, None)
        if isinstance(boot.spec, LocalDisk):
            self.disk_decided[request.mac] = boot.spec
        if machine is not None:
            identified(machine.id)
            self._bell.ring(machine.id)
        return boot

    async def _unproven(self, request: BootRequest) -> Boot:
        """What the machine would boot, for somebody who may be another: it has not restarted for that."""
        now = self._clock()
        held_back = self._impostures.admit(None, now)

        def job(db: sqlite3.Connection, tell: Tell) -> Boot:
            machine = machines.by_mac(db, request.mac)
            reason = f"{request.address} asked, which was not leased to {request.mac}: nothing is changed by that"
            if held_back is not None:
                what = f"somebody asked for the boot script of {machine.name if machine else request.mac}"
                detail = {"mac": request.mac, "address": request.address}
                whose = machine.id if machine else None
                tell(Event("machine.conflict", now, more(what, held_back), reason, whose, detail=detail))
            if machine is None:
                return Boot(NextEntry(), request.mac, reason)
            attempt = attempts.live_of(db, machine.id)
            spec = decide_unproven(machine, attempt, deployments.of_machine(db, machine.id), now)
            spec = self._with_kernel(db, machine, fitting(spec, request.architecture))
            if not isinstance(spec, MaintenanceStack | NetworkRoot):
                return Boot(spec, machine.name, reason)
            return Boot(spec, machine.name, reason, *self._given(db, machine, spec, None, proven=False))

        boot = await record(self._store, self._bus, job)
        if isinstance(boot.spec, LocalDisk):
            self.disk_decided[request.mac] = boot.spec
        return boot

    async def remember_disks(self) -> None:
        """Fill ``disk_decided`` from the store: loaders may ask on after a restart of ours."""

        def job(db: sqlite3.Connection) -> dict[str, BootSpec]:
            found: dict[str, BootSpec] = {}
            for deployment in deployments.every(db):
                machine = machines.find(db, deployment.machine) if deployment.machine else None
                installed = deployment.installed
                if machine and installed and installed.disk and machine.state in _FROM_DISK:
                    found |= dict.fromkeys(machine.macs, LocalDisk(installed.esp_partuuid, installed.root_fsuuid))
            return found

        self.disk_decided.update(await self._store.read(job))

    def _policy(self, request: BootRequest) -> UnknownPolicy:
        return self._unknown.get(request.address) or self._unknown.get(request.server, "ignore")

    def _identify(self, db: sqlite3.Connection, tell: Tell, request: BootRequest) -> Machine | None:
        """MAC first, then UUID; a conflict makes an event, and a new machine unless a known one fits; never a merge."""
        known = machines.by_mac(db, request.mac)
        if known is not None and (known.uuid is None or request.uuid is None or known.uuid == request.uuid):
            return replace(known, uuid=known.uuid or request.uuid, serial=known.serial or request.serial)
        twins = machines.by_uuid(db, request.uuid) if request.uuid else []
        fitting = [twin for twin in twins if _fits(db, twin, request.mac)]
        machine = fitting[0] if len(fitting) == 1 else None
        if known is not None:
            return self._moved_interface(db, tell, known, machine, request)
        if machine is not None:
            return replace(machine, macs=(*machine.macs, request.mac))
        if decide_unknown(self._policy(request)) == NextEntry():
            return None
        machine = self._enlist(db, tell, request, (request.mac,))
        if twins:
            self._tell_conflict(tell, machine, f"the UUID of {twins[0].name} too")
        return machine

    def _moved_interface(
        self, db: sqlite3.Connection, tell: Tell, known: Machine, machine: Machine | None, request: BootRequest
    ) -> Machine:
        """The interface of ``known`` asks from another board, that of ``machine`` where we know it.

        It comes back at once to a machine in which an agent has found it before: a swap was undone. Otherwise it
        stays until an agent in that board has found it (``Agents``): a request is easily made up, and would take its
        disk from a running machine.
        """
        returns = machine is not None and request.mac in inventory_macs(machine)
        if machine is not None and returns and deployments.of_machine(db, known.id) is None:
            text = f"{machine.name} has the network interface again that {known.name} had meanwhile"
            tell(Event("machine.conflict", self._clock(), text, machine=machine.id))
            return machines.give(db, request.mac, known, machine)
        if machine is None:
            machine = self._enlist(db, tell, request, ())
        if machines.claim(db, request.mac, machine.id):
            text = f"{machine.name} claims the network interface of {known.name}, which keeps it for now"
            tell(Event("machine.conflict", self._clock(), text, machine=machine.id))
        return machine

    def _tell_conflict(self, tell: Tell, machine: Machine, what: str) -> None:
        text = f"{machine.name} claims {what}; it was made a machine of its own, in maintenance"
        tell(Event("machine.conflict", self._clock(), text, machine=machine.id))

    async def _tell_crowd(self, error: ApplianceError) -> None:
        now = self._clock()
        held_back = self._crowds.admit(None, now)
        if held_back is not None:
            event = Event("daemon.trouble", now, more(error.message, held_back), error.hint)
            await record(self._store, self._bus, lambda _, tell: tell(event))

    def _enlist(
        self, db: sqlite3.Connection, tell: Tell, request: BootRequest, macs: tuple[MacAddress, ...]
    ) -> Machine:
        now = self._clock()
        if self._newcomers.admit(None, now) is None:
            raise Crowded(
                "enlist-busy", f"{request.mac} is one of too many new machines at once", "it asks again by itself"
            )
        name = default_name([request.mac])
        if machines.find(db, name) or is_taken(db, name):
            name = f"{name}-{secrets.token_hex(2)}"
        machine = Machine(
            id=MachineId(secrets.token_hex(8)),
            name=name,
            state=State.DISCOVERED,
            macs=macs,
            created=now,
            uuid=request.uuid,
            serial=request.serial,
            firmware=request.firmware,
        )
        machines.put(db, machine)
        events.adopt(db, request.mac, machine.id, now - ADOPTED_SECONDS)
        words = " ".join(filter(None, (request.manufacturer, request.product))) or "unknown model"
        text = f"{machine.name} ({words}) was seen for the first time"
        tell(Event("machine.new", now, text, "its subnet enlists unknown machines", machine.id))
        return machine

    def _decide(self, db: sqlite3.Connection, tell: Tell, machine: Machine, request: BootRequest) -> Boot:
        now = self._clock()
        before = machines.get(db, machine.id)
        machine = replace(touched(machine, now, request.address), firmware=request.firmware)
        attempt = attempts.live_of(db, machine.id)
        deployment = deployments.of_machine(db, machine.id)
        decision = decide(machine, attempt, deployment, now)
        spec = self._with_kernel(db, machine, fitting(decision.spec, request.architecture))
        decision = replace(decision, spec=spec)
        after = decision.machine or machine
        if attempt is not None and decision.attempt is not None:
            # settle() works out the machine's new state itself; hand it all else that the decision changed.
            after = settle(
                db, tell, replace(after, state=before.state, failed_from=None), attempt, decision.attempt, now
            )
        else:
            change_machine(db, tell, before, after, now)
        boot = self._rendered(db, after, decision)
        looping = loop_event(after, decision.spec, events.silent_boots(db, machine.id, BOOT_LOOP), now)
        self._tell_decision(tell, after, decision, request, now)
        if looping is not None and attempt is None:
            tell(looping)
        return boot

    def _with_kernel(self, db: sqlite3.Connection, machine: Machine, spec: BootSpec) -> BootSpec:
        deployment = deployments.of_machine(db, machine.id)
        return spec_with(spec, kernel_of(db, deployment) if deployment else None)

    def _rendered(self, db: sqlite3.Connection, machine: Machine, decision: Decision) -> Boot:
        if not isinstance(decision.spec, MaintenanceStack | NetworkRoot):
            return Boot(decision.spec, machine.name, decision.reason)
        armed = decision.attempt.id if decision.attempt and decision.spec.armed else None
        given = self._given(db, machine, decision.spec, armed, proven=True)
        return Boot(decision.spec, machine.name, decision.reason, *given)

    def _given(
        self,
        db: sqlite3.Connection,
        machine: Machine,
        spec: MaintenanceStack | NetworkRoot,
        armed: AttemptId | None,
        *,
        proven: bool,
    ) -> tuple[str, str]:
        """A boot token and its nonce, which are stored."""
        token, nonce = secrets.token_hex(32), secrets.token_hex(8)
        expires, root = self._clock() + tokens.TOKEN_SECONDS, isinstance(spec, NetworkRoot)
        stored = tokens.BootToken(tokens.hash_token(token), machine.id, nonce, armed, expires, None, proven, root)
        tokens.add_boot(db, stored)
        return token, nonce

    def _tell_decision(
        self, tell: Tell, machine: Machine, decision: Decision, request: BootRequest, now: float
    ) -> None:
        what = {
            MaintenanceStack: "sent the maintenance stack",
            NetworkRoot: "sent it to its root on the network",
            LocalDisk: "sent it to its disk",
            NextEntry: "left it to its firmware",
            NoStack: f"told it to wait: there is no maintenance stack for {request.architecture}",
        }[type(decision.spec)]
        held_back = self._scripts.admit(machine.id, now)
        if held_back is not None:
            detail = {"mac": request.mac, "firmware": request.firmware, "address": request.address}
            text = more(what, held_back)
            tell(Event("script.served", now, text, decision.reason, machine.id, detail=detail))


def _fits(db: sqlite3.Connection, machine: Machine, mac: MacAddress) -> bool:
    """Whether we know this interface as one of the machine: from its inventory, or from a boot of it."""
    return mac in inventory_macs(machine) or mac in machines.claims(db, machine.id)
