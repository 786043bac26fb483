"""Lets a machine in to its root on the network that restarted by itself."""

import sqlite3

from appliance.accounts import Asker
from appliance.events import Event
from appliance.machine import Machine
from appliance.reconcile import audit
from appliance.reconcile.record import Tell
from appliance.store import deployments, roots


def let_in(db: sqlite3.Connection, tell: Tell, machine: Machine, by: Asker, now: float) -> None:
    """The boot that waits gets its root when it next asks; that one does was looked at before, in the same job.

    It is this boot that is let in, and no later one of the machine.
    """
    token, deployment = roots.waiting(db, machine.id), deployments.of_machine(db, machine.id)
    assert token is not None, "nobody is let in who does not ask"
    assert deployment is not None, "it asks for the root of its deployment"
    roots.admit(db, token)
    why = "it had restarted by itself, and was let in"
    tell(Event("root.given", now, f"{by} let {machine.name} in to {deployment.name}", why, machine.id, deployment.id))
    given = {"deployment": deployment.name, "address": machine.address, "asked": token.issued}
    audit.note(db, by, "machine.admit", ("machine", machine.id, machine.name), None, given, now=now)
