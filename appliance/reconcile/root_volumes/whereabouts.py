"""At which address a machine is that runs from a root volume: an export by NFS is for that one, and for no other."""

import sqlite3

from appliance.errors import ApplianceError
from appliance.lease import LeaseState
from appliance.machine import Machine
from appliance.reconcile.params import boot_mac
from appliance.store import leases


def address_of(db: sqlite3.Connection, machine: Machine, now: float) -> str | None:
    """IPv4; the one leased to the interface that it boots from, or where another server leases it, the one last seen.

    What its system says of itself is no measure: that has addresses on other networks, and of its containers.
    """
    try:
        mac = boot_mac(machine)
    except ApplianceError:
        return machine.address  # it has no interface left
    held = [each for each in leases.of_macs(db, [mac]) if each.state is LeaseState.BOUND and each.end > now]
    return str(held[-1].address) if held else machine.address
