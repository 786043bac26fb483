"""Hosts of VMs that are known: their names and addresses, and nothing of what is on them."""

import sqlite3
from dataclasses import replace
from typing import Any

from appliance.errors import Conflict, NotFound
from appliance.store.documents import one, rows
from appliance.vm_work import HostId, KnownHost

_HOST = "SELECT id, name, address, created FROM hosts"


def _host(row: Any) -> KnownHost:
    return KnownHost(HostId(row[0]), row[1], row[2], row[3])


def every(db: sqlite3.Connection) -> list[KnownHost]:
    """All, by name."""
    return [_host(row) for row in rows(db, f"{_HOST} ORDER BY name")]


def find(db: sqlite3.Connection, host: HostId) -> KnownHost | None:
    """The one with this number."""
    row = one(db, f"{_HOST} WHERE id = ?", host)
    return _host(row) if row else None


def add(db: sqlite3.Connection, host: KnownHost) -> KnownHost:
    """Store a new host; the same with its number. Raises Conflict ``host-taken``."""
    check_free(db, host)
    sql = "INSERT INTO hosts(name, address, created) VALUES(?,?,?)"
    cursor = db.execute(sql, (host.name, host.address, host.created))
    return replace(host, id=HostId(int(cursor.lastrowid or 0)))


def check_free(db: sqlite3.Connection, host: KnownHost) -> None:
    """Raises Conflict ``host-taken``, for its name or its address."""
    row = one(db, "SELECT name FROM hosts WHERE name = ? OR address = ? LIMIT 1", host.name, host.address)
    if row and row[0] == host.name:
        raise Conflict("host-taken", f"another host is called {host.name}", "choose another name", "name")
    if row:
        raise Conflict("host-taken", f"{host.address} is the host {row[0]} already", "use that host", "address")


def kept(db: sqlite3.Connection, host: KnownHost) -> KnownHost:
    """The same, stored where it was not yet; raises as ``add``."""
    row = one(db, f"{_HOST} WHERE address = ?", host.address)
    return _host(row) if row else add(db, host)


def delete(db: sqlite3.Connection, host: HostId) -> None:
    """Forget it."""
    db.execute("DELETE FROM hosts WHERE id = ?", (host,))


def unknown(key: str) -> NotFound:
    """What is said of a host that is not known."""
    return NotFound(
        "vm-host-unknown", f"there is no host {key[:80]!r}", "list the hosts, then name one of them", "host"
    )
