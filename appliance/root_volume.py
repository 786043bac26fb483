"""Root volumes: what deployments have their systems on, and the export of each to the machine that runs it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from appliance.errors import Conflict
from appliance.export import Export, ExportKind, check_export
from appliance.machine import MachineId
from appliance.pool import KnownPool
from appliance.volume import PoolId, PoolKind, VolumeId
from appliance.workflow import AttemptId, DeploymentId

EXPORTABLE = (PoolKind.LVM_THIN, PoolKind.LVM_THICK, PoolKind.MEMORY)
"""Kinds of pools whose volumes can be roots, the best first: exports are of block devices, and files are none."""
PORT = 3260
"""TCP port of iSCSI (RFC 7143, 14)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The export of a root volume, as it is wanted from the moment that it is stored."""

    export: Export
    server: str
    """Our address that the machine reaches it at, IPv4."""
    machine: MachineId
    attempt: AttemptId
    """Each has an export of its own, with a secret of its own."""
    target: str = ""
    """iSCSI: the name of the target."""
    since: float | None = None
    """Unix time at which the kernel had all of it first; None: it is being granted."""

    @property
    def user(self) -> str:
        """iSCSI: by which name the machine proves that it knows the secret."""
        return f"machine-{self.machine}"


@dataclass(frozen=True, slots=True)
class RootVolume:
    """The volume that holds the system of a deployment, stored before it is made."""

    volume: VolumeId
    deployment: DeploymentId
    pool: PoolId
    name: str
    size: int
    """Bytes."""
    attempt: AttemptId
    """The one that makes it: each deploy begins with a volume that nobody has written yet."""
    created: float
    fs_uuid: str = ""
    """Of its file system; empty until it is made."""
    doomed: bool = False
    """Nobody wants it any more: it is deleted once its export has ended."""
    grant: Grant | None = None

    @property
    def ready(self) -> bool:
        """Whether it holds a file system."""
        return bool(self.fs_uuid)

    @property
    def described(self) -> str:
        """By name and size, for people."""
        return f"{self.name}, {self.size / 1e9:.1f} GB"


def moved(of: Grant, address: str, server: str) -> Grant:
    """The same export for a machine that has another address by now, or reaches us at another one."""
    return replace(of, export=check_export(replace(of.export, address=address)), server=server, since=None)


def has_moved(of: Grant, address: str, server: str) -> bool:
    """Whether it is for where the machine is no longer. Who uses iSCSI is known by a secret, from any address."""
    return of.server != server or (of.export.kind is ExportKind.NFS and of.export.address != address)


def server_for(address: str | None, networks: Iterable[tuple[str, IPv4Network]]) -> str | None:
    """Our address that a machine with this one reaches us at, of ``(ours, network)`` of each subnet; None: none."""
    try:
        of = IPv4Address(address or "")
    except AddressValueError:
        return None
    return next((ours for ours, network in networks if of in network), None)


def choose_pool(pools: Iterable[KnownPool], wanted: PoolId | None) -> KnownPool:
    """The pool that a root volume is made in: the one that the user chose, else the first of the best kind.

    Raises Conflict ``pool-not-for-roots``, ``pool-none-for-roots``.
    """
    every = list(pools)
    if wanted is not None:
        chosen = next((each for each in every if each.id == wanted), None)
        if chosen is None:
            text = "the pool that was chosen for its root volume is not there any more"
            raise Conflict("pool-not-for-roots", text, "choose another pool", "pool")
        check_pool(chosen)
        return chosen
    fitting = sorted((p for p in every if p.kind in EXPORTABLE), key=lambda p: EXPORTABLE.index(p.kind))
    if not fitting:
        text = "there is no pool for root volumes: those are volumes of LVM on disks of the appliance"
        raise Conflict("pool-none-for-roots", text, "make a pool of disks, or choose delivery disk or ram", "pool")
    return fitting[0]


def check_pool(pool: KnownPool) -> None:
    """Raises Conflict ``pool-not-for-roots`` for one whose volumes cannot be exported."""
    if pool.kind not in EXPORTABLE:
        text = f"the pool {pool.name} is a {pool.kind.value}, and its files cannot be exported to machines"
        raise Conflict("pool-not-for-roots", text, "choose a pool of LVM", "pool")
