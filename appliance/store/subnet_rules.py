"""What users chose of how subnets are served, by interface, and when authoritative service was last known to go on."""

import sqlite3
from collections.abc import Mapping

from appliance.store.documents import dump, load, rows

Chosen = dict[str, str | bool]
"""Rules by name; what is left out was not chosen."""


def every(db: sqlite3.Connection) -> dict[str, Chosen]:
    """What was chosen, by interface."""
    found = rows(db, "SELECT interface, doc FROM subnet_rules")
    return {interface: load(document, dict[str, str | bool]) for interface, document in found}


def choose(db: sqlite3.Connection, interface: str, chosen: Mapping[str, str | bool]) -> None:
    """Store all that is chosen for one interface; service there is looked at anew at the next start."""
    db.execute("INSERT OR REPLACE INTO subnet_rules(interface, doc) VALUES(?,?)", (interface, dump(chosen)))


def served(db: sqlite3.Connection) -> dict[str, float]:
    """When authoritative service was last known to go on, by interface; Unix time."""
    return dict(rows(db, "SELECT interface, served FROM subnet_service"))


def note_served(db: sqlite3.Connection, interface: str, at: float) -> None:
    """Authoritative service goes on at this Unix time; 0: it does not."""
    db.execute("INSERT OR REPLACE INTO subnet_service(interface, served) VALUES(?,?)", (interface, at))


def holders(db: sqlite3.Connection, interface: str, now: float) -> list[tuple[str, str, str | None]]:
    """Address and interface of everybody who is leased an address here now, with the state of the machine it is of."""
    sql = (
        "SELECT l.address, l.mac, m.state FROM leases l LEFT JOIN machine_macs a ON a.mac = l.mac"
        " LEFT JOIN machines m ON m.id = a.machine WHERE l.interface = ? AND l.state = 'bound' AND l.until > ?"
    )
    return [(row[0], row[1], row[2]) for row in rows(db, sql, interface, now)]
