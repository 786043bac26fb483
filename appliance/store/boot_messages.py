"""What kernels said while they started: of each machine the last of its stack and of its deployed system."""

import zlib
from dataclasses import dataclass

import aiosqlite

from appliance.machine import MachineId
from appliance.store.documents import one, rows

STACK, SYSTEM = "stack", "system"


@dataclass(frozen=True, slots=True)
class BootMessages:
    """Of one boot. ``at`` is Unix time, of their arrival."""

    source: str
    """``stack`` or ``system``."""
    at: float
    text: str


async def put(db: aiosqlite.Connection, machine: MachineId, boot: str, messages: BootMessages) -> None:
    """Keep them in place of those of an earlier boot; ``boot`` tells boots apart."""
    packed = zlib.compress(messages.text.encode())  # a fifth: there may be thousands of machines
    await db.execute(
        "INSERT OR REPLACE INTO boot_messages(machine, source, boot, at, text) VALUES(?,?,?,?,?)",
        (machine, messages.source, boot, messages.at, packed),
    )


async def boot_of(db: aiosqlite.Connection, machine: MachineId, source: str) -> str | None:
    """The boot that those which are kept belong to."""
    row = await one(db, "SELECT boot FROM boot_messages WHERE machine = ? AND source = ?", machine, source)
    return str(row[0]) if row else None


async def of_machine(db: aiosqlite.Connection, machine: MachineId) -> list[BootMessages]:
    """Those that are kept, one of each source at most."""
    found = await rows(db, "SELECT source, at, text FROM boot_messages WHERE machine = ? ORDER BY source", machine)
    return [BootMessages(source, at, zlib.decompress(packed).decode()) for source, at, packed in found]
