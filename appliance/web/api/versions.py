"""What users can change of each noun: what ETags are made of, and If-Match is compared with.

What a machine does by itself (its last sign, its progress) is left out: nobody's change is refused for it.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import aiosqlite
import msgspec

from appliance.machine import State
from appliance.store import accounts, catalogue, deployments, machines

Version = Callable[[aiosqlite.Connection, str], Awaitable[Any]]
"""From the key of one thing, what users can change of it; raises NotFound."""


async def machine(db: aiosqlite.Connection, key: str) -> Any:
    """Of a machine."""
    found = await machines.get(db, key)
    broken = found.state is State.BROKEN
    chosen = (found.maintenance, found.notes, found.hand_over, found.boot_program, found.reserved_address)
    return found.id, found.name, broken, *chosen, tuple(found.dhcp_options.items()), found.tags


async def deployment(db: aiosqlite.Connection, key: str) -> Any:
    """Of a deployment."""
    found = await deployments.get(db, key)
    asked = (found.image, found.requirements, found.ssh_keys, found.wipe_on_release)
    return found.id, found.name, *asked, found.wanted, found.generation, found.machine


async def image(db: aiosqlite.Connection, key: str) -> Any:
    """Of an image."""
    return await catalogue.image(db, key)


async def kernel(db: aiosqlite.Connection, key: str) -> Any:
    """Of a kernel."""
    return await catalogue.kernel(db, key)


async def user(db: aiosqlite.Connection, key: str) -> Any:
    """Of a user, without the password: whoever saw the user never saw that."""
    found = await accounts.existing(db, key)
    return found.name, found.role, found.disabled


def mark(value: object) -> str:
    """A short hash of any value."""
    return hashlib.sha256(value if isinstance(value, bytes) else msgspec.json.encode(value)).hexdigest()[:16]
