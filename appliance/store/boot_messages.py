"""What kernels said while they started: of each machine the last of its stack and of its deployed system."""

import sqlite3
import zlib
from dataclasses import dataclass

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


def put(db: sqlite3.Connection, machine: MachineId, boot: str, messages: BootMessages) -> None:
    """Keep them in place of those of an earlier boot; ``boot`` tells boots apart."""
    packed = zlib.compress(messages.text.encode())  # a fifth: there may be thousands of machines
    db.execute(
        "INSERT OR REPLACE INTO boot_messages(machine, source, boot, at, text) VALUES(?,?,?,?,?)",
        (machine, messages.source, boot, messages.at, packed),
    )


def boot_of(db: sqlite3.Connection, machine: MachineId, source: str) -> str | None:
    """The boot that those which are kept belong to."""
    row = one(db, "SELECT boot FROM boot_messages WHERE machine = ? AND source = ?", machine, source)
    return str(row[0]) if row else None


def of_machine(db: sqlite3.Connection, machine: MachineId) -> list[BootMessages]:
    """Those that are kept, one of each source at most."""
    found = rows(db, "SELECT source, at, text FROM boot_messages WHERE machine = ? ORDER BY source", machine)
    return [BootMessages(source, at, zlib.decompress(packed).decode()) for source, at, packed in found]
