"""Whose interface, whose address, which names: indexes in memory, fed with the parts of the store that were read anew.

Pure. What differs in names is told through two functions.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from appliance.deployment import Deployment
from appliance.lease import Lease, LeaseState
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.reconcile.names import Name, names


@dataclass(frozen=True, slots=True)
class BootsWith:
    """What is known of a machine that says which boot program is right for it."""

    name: str = ""
    """The machine's; empty for none of the fleet."""
    choice: str = ""
    secure_boot: bool | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What one look at the store has found."""

    asked: frozenset[MachineId]
    """The machines that were looked for; those that are not in ``machines`` are gone."""
    machines: list[Machine]
    deployments: list[Deployment]
    """On these machines."""
    macs: frozenset[str]
    """The interfaces whose leases were looked for: at least those of the machines, as known before and now."""
    leases: list[Lease]


class Known:
    """What servers ask without waiting."""

    def __init__(self, publish: Callable[[Name], None], withdraw: Callable[[str], None]) -> None:
        self._publish, self._withdraw = publish, withdraw
        self.machine_of: dict[MacAddress, MachineId] = {}
        self.mac_of: dict[str, str] = {}
        """By address: of the leases that are bound."""
        self.arrived: set[str] = set()
        """Interfaces of machines that came up at least once."""
        self._macs: dict[MachineId, tuple[MacAddress, ...]] = {}
        self._boots_with: dict[MachineId, BootsWith] = {}
        self._addresses: dict[str, list[str]] = {}
        self._until: dict[str, float] = {}
        self._published: dict[str, Name] = {}
        self._at: dict[str, set[str]] = {}
        """Owners of the names of an address."""
        self._named: dict[MachineId, list[str]] = {}
        """Owners of the names that a machine has."""
        self._whose: dict[str, MachineId] = {}

    @property
    def machines(self) -> Iterable[MachineId]:
        """Every machine that is known."""
        return self._macs

    @property
    def leased_macs(self) -> Iterable[str]:
        """Every interface with an address."""
        return self._addresses

    def boots_with(self, mac: str) -> BootsWith:
        """What is known of the machine with this interface."""
        machine = self.machine_of.get(MacAddress(mac))
        return self._boots_with.get(machine, BootsWith()) if machine is not None else BootsWith()

    def macs(self, of: Iterable[MachineId]) -> set[str]:
        """The interfaces of these machines, as known now."""
        return {mac for machine in of for mac in self._macs.get(machine, ())}

    def leased(self, address: str, until: float) -> None:
        """A client was told that it has this address until then; what is stored lasts longer, as slack."""
        self._until[address] = until
        for owner in self._at.get(address, ()):
            self._published[owner] = replace(self._published[owner], until=until)
            self._publish(self._published[owner])

    def take(self, part: Part) -> None:
        """Have it be so from here on."""
        for machine in part.asked:
            self._forget_macs(machine)
        for found in part.machines:
            self._take_macs(found)
        bound = [lease for lease in part.leases if lease.state is LeaseState.BOUND]
        self._take_leases(part.macs, bound)
        self._take_names(part, bound)

    def _forget_macs(self, machine: MachineId) -> None:
        self._boots_with.pop(machine, None)
        for mac in self._macs.pop(machine, ()):
            if self.machine_of.get(mac) == machine:  # it may have been given to another meanwhile
                del self.machine_of[mac]
                self.arrived.discard(mac)

    def _take_macs(self, machine: Machine) -> None:
        self._macs[machine.id] = machine.macs
        self._boots_with[machine.id] = BootsWith(machine.name, machine.boot_program, machine.secure_boot)
        self.machine_of.update(dict.fromkeys(machine.macs, machine.id))
        if machine.state is not State.DISCOVERED:
            self.arrived.update(machine.macs)

    def _take_leases(self, macs: Iterable[str], bound: Iterable[Lease]) -> None:
        had = {address for mac in macs for address in self._forget_addresses(mac)}
        for lease in bound:
            self.mac_of[str(lease.address)] = lease.mac
            self._addresses.setdefault(lease.mac, []).append(str(lease.address))
        for address in had - self.mac_of.keys():
            self._until.pop(address, None)

    def _forget_addresses(self, mac: str) -> list[str]:
        had = self._addresses.pop(mac, [])
        for address in had:
            if self.mac_of.get(address) == mac:
                del self.mac_of[address]
        return had

    def _take_names(self, part: Part, bound: list[Lease]) -> None:
        of: dict[str, list[Lease]] = {}
        for lease in bound:
            of.setdefault(lease.mac, []).append(lease)
        on = {deployment.machine: deployment for deployment in part.deployments}
        found = {machine.id: machine for machine in part.machines}
        for number in part.asked:
            machine = found.get(number)
            leases = [lease for mac in machine.macs for lease in of.get(mac, ())] if machine else []
            deployed = [on[number]] if number in on else []
            self._name_machine(number, names([machine], deployed, leases) if machine else [])
        for mac in part.macs:
            own = names([], [], of.get(mac, ())) if mac not in self.machine_of else []
            self._rename({f"lease:{mac}"}, own)

    def _name_machine(self, machine: MachineId, wanted: list[Name]) -> None:
        # A deployment that is on another machine by now has its name from there.
        before = [owner for owner in self._named.pop(machine, ()) if self._whose.get(owner) == machine]
        self._rename(before, wanted)
        if wanted:
            self._named[machine] = [name.owner for name in wanted]
            self._whose.update((name.owner, machine) for name in wanted)

    def _rename(self, before: Iterable[str], wanted: list[Name]) -> None:
        told = [replace(name, until=self._until.get(str(name.address), name.until)) for name in wanted]
        for owner in set(before) - {name.owner for name in told}:
            self._whose.pop(owner, None)
            if self._drop(owner) is not None:
                self._withdraw(owner)
        for name in told:
            if self._published.get(name.owner) != name:
                self._drop(name.owner)
                self._published[name.owner] = name
                self._at.setdefault(str(name.address), set()).add(name.owner)
                self._publish(name)

    def _drop(self, owner: str) -> Name | None:
        name = self._published.pop(owner, None)
        if name is not None:
            owners = self._at[str(name.address)]
            owners.discard(owner)
            if not owners:
                del self._at[str(name.address)]
        return name
