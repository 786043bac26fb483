"""Which names have which addresses. Pure; the DNS zone is kept equal to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from appliance.deployment import Deployment
from appliance.lease import Lease, LeaseState
from appliance.machine import Machine, State

NameKind = Literal["machine", "lease", "deployment"]


@dataclass(frozen=True, slots=True)
class Name:
    """One name of one address. ``owner`` is what it belongs to: a later value of it replaces the earlier."""

    owner: str
    name: str
    address: IPv4Address
    until: float
    kind: NameKind


def names(machines: Sequence[Machine], deployments: Sequence[Deployment], leases: Iterable[Lease]) -> list[Name]:
    """All names that follow from machines, deployments and the leases that are bound."""
    bound = {lease.mac: lease for lease in leases if lease.state is LeaseState.BOUND}
    found = []
    owned: set[str] = set()
    running = {d.machine: d for d in deployments if d.machine}
    for machine in machines:
        lease = _latest(machine, bound)
        owned.update(machine.macs)
        if lease is None:
            continue
        found.append(Name(f"machine:{machine.id}", machine.name, lease.address, lease.end, "machine"))
        deployment = running.get(machine.id)
        if deployment is not None and machine.state in (State.ACTIVE, State.DEPLOYING, State.STARTING, State.STOPPING):
            owner = f"deployment:{deployment.id}"
            found.append(Name(owner, deployment.name, lease.address, lease.end, "deployment"))
    for lease in bound.values():
        if lease.hostname and lease.mac not in owned:
            found.append(Name(f"lease:{lease.mac}", lease.hostname, lease.address, lease.end, "lease"))
    return found


def _latest(machine: Machine, bound: dict[str, Lease]) -> Lease | None:
    """The lease that speaks for the machine: of the interface with its known address, else the newest."""
    leases = [bound[mac] for mac in machine.macs if mac in bound]
    return max(leases, key=lambda lease: (str(lease.address) == machine.address, lease.start), default=None)
