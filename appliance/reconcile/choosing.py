"""The machine and disk that a start takes, found without reading the fleet."""

import sqlite3

from appliance.delivery import check_image, on_volume
from appliance.deployment import Deployment, DiskIdentity, choose_machine, choose_root, no_machine_fits
from appliance.errors import Conflict
from appliance.machine import Machine
from appliance.pool import KnownPool
from appliance.root_volume import EXPORTABLE, check_pool, choose_pool
from appliance.store import catalogue, deployments, fitting, machines, pools
from appliance.volume import PoolId

Choice = tuple[Machine, DiskIdentity | None]
"""The disk is None where the delivery needs none."""

SLICE = 16
"""Inventories that are read at once: the first candidate does almost always."""
FEW = 40
"""Machines of a fleet of which a refusal names each with its reason; of a larger one it counts them by reason."""


def choose(db: sqlite3.Connection, deployment: Deployment, recent: float) -> Choice:
    """As ``deployment.choose_machine`` does over all machines; raises Conflict with the reasons, or NotFound."""
    image = catalogue.image(db, deployment.image)
    check_image(image, deployment.delivery)
    if on_volume(deployment.delivery):
        choose_pool(pools.every(db), deployment.pool)
    if deployment.wanted_machine is not None or machines.number(db) <= FEW:
        only = [deployment.wanted_machine] if deployment.wanted_machine else machines.ids(db)
        pool = machines.with_inventories(db, only)
        return choose_machine(deployment, image, pool, deployments.taken(db), recent)
    passed = fitting.hurdles(deployment.requirements, image, deployment.delivery, deployment.wanted_disk)
    offset = 0
    while found := fitting.preferred(db, passed, recent, SLICE, offset):
        offset += SLICE
        for machine in machines.with_inventories(db, found):
            try:
                disk, least = deployment.wanted_disk, deployment.requirements.disk_bytes
                return machine, choose_root(machine, image, deployment.delivery, disk, least)
            except Conflict:
                continue  # two disks with one name, say; what is kept beside the documents does not tell
    raise no_machine_fits(", ".join(f"{count} {words}" for words, count in fitting.stopped_by(db, passed)))


def for_roots(db: sqlite3.Connection) -> list[KnownPool]:
    """The pools that root volumes can be made in, by name."""
    return [each for each in pools.every(db) if each.kind in EXPORTABLE]


def pool_for_roots(db: sqlite3.Connection, key: str | None) -> PoolId | None:
    """The number of the pool that a user chose for a root volume; None where none was chosen.

    Raises NotFound ``pool-unknown``, Conflict ``pool-not-for-roots``.
    """
    if not key:
        return None
    found = pools.get(db, key)
    check_pool(found)
    return found.id
