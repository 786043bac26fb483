"""What users can change of each noun: what ETags are made of, and If-Match is compared with.

What a machine does by itself (its last sign, its progress) is left out: nobody's change is refused for it.
"""

import hashlib
import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from appliance.machine import State
from appliance.store import accounts, catalogue, deployments, isos, machines

Version = Callable[[sqlite3.Connection, str], Any]
"""From the key of one thing, what users can change of it; raises NotFound."""


def machine(db: sqlite3.Connection, key: str) -> Any:
    """Of a machine."""
    found = machines.get(db, key)
    broken = found.state is State.BROKEN
    chosen = (found.maintenance, found.notes, found.hand_over, found.boot_program, found.reserved_address)
    return found.id, found.name, broken, *chosen, tuple(found.dhcp_options.items()), found.tags


def deployment(db: sqlite3.Connection, key: str) -> Any:
    """Of a deployment."""
    found = deployments.get(db, key)
    asked = (found.image, found.requirements, found.ssh_keys, found.wipe_on_release, found.wipe_method)
    root = (found.pool, found.root_size, found.kernel, dict(found.seed))
    return found.id, found.name, *asked, *root, found.wanted, found.generation, found.machine


def image(db: sqlite3.Connection, key: str) -> Any:
    """Of an image."""
    return catalogue.image(db, key)


def iso(db: sqlite3.Connection, key: str) -> Any:
    """Of an ISO."""
    return isos.get(db, key)


def kernel(db: sqlite3.Connection, key: str) -> Any:
    """Of a kernel."""
    return catalogue.kernel(db, key)


def user(db: sqlite3.Connection, key: str) -> Any:
    """Of a user, without the password: whoever saw the user never saw that."""
    found = accounts.existing(db, key)
    return found.name, found.role, found.disabled


def mark(value: object) -> str:
    """A short hash of any value."""
    return hashlib.sha256(value if isinstance(value, bytes) else msgspec.json.encode(value)).hexdigest()[:16]
