"""What was heard of interfaces on the network, and of other DHCP servers; both bounded."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Annotated

import msgspec

from appliance.sighting import ForeignServer, Sighting, Stage, merged, noticed_again
from appliance.store.documents import dump, load, one, rows
from appliance.store.listing import Filter, Listing, Sort, Text, any_of, equals, words

KEEP = 5000
"""Interfaces that are remembered; the one that was silent longest goes first."""
KEEP_SERVERS = 100

STAGES = {stage.word: stage for stage in Stage}

SIGHTINGS = Listing(
    table=(
        "sightings s LEFT JOIN machine_macs a ON a.mac = s.mac LEFT JOIN machines m ON m.id = a.machine"
        " LEFT JOIN inventories i ON i.machine = a.machine"
    ),
    columns="s.doc, m.id, m.name",
    id="s.mac",
    id_kind=Text,
    default="-last",
    sorts={
        "last": Sort("s.last", float),
        "first": Sort("s.first", float),
        "stage": Sort("s.stage", int),
        "mac": Sort("s.mac"),
        "interface": Sort("s.interface"),
    },
    filters={
        "q": Filter(Annotated[str, msgspec.Meta(max_length=200)], words("s.search"), "words in address or names"),
        "interface": Filter(Annotated[str, msgspec.Meta(max_length=64)], equals("s.interface"), "our interface"),
        "stage": Filter(
            list[Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(STAGES)})$")]],
            lambda values, now: any_of("s.stage")([STAGES[value].value for value in values], now),
            "how far it came",
        ),
        "here": Filter(
            bool,
            lambda value, _: [("i.machine IS NOT NULL" if value else "i.machine IS NULL", ())],
            "whether it is a machine of the fleet that came up at least once",
        ),
    },
)  # fmt: skip


def stages(db: sqlite3.Connection) -> dict[str, Stage]:
    """The stage of every interface that is remembered."""
    return {mac: Stage(stage) for mac, stage in rows(db, "SELECT mac, stage FROM sightings")}


def find(db: sqlite3.Connection, mac: str) -> Sighting | None:
    """What is known of one interface."""
    row = one(db, "SELECT doc FROM sightings WHERE mac = ?", mac)
    return load(row[0], Sighting) if row else None


def take(db: sqlite3.Connection, signs: Sequence[Sighting]) -> list[Sighting]:
    """Add these signs to what is known, and forget the oldest beyond KEEP; what is known now of those interfaces."""
    macs = json.dumps([sign.mac for sign in signs])
    found = rows(db, "SELECT mac, doc FROM sightings WHERE mac IN (SELECT value FROM json_each(?))", macs)
    before = {mac: load(document, Sighting) for mac, document in found}
    known = [merged(before[sign.mac], sign) if sign.mac in before else sign for sign in signs]
    db.executemany(
        "INSERT OR REPLACE INTO sightings(mac, interface, first, last, stage, search, doc) VALUES(?,?,?,?,?,?,?)",
        [(s.mac, s.interface, s.first, s.last, s.stage.value, search_text(s), dump(s)) for s in known],
    )
    db.execute(
        "DELETE FROM sightings WHERE mac IN (SELECT mac FROM sightings ORDER BY last DESC, mac LIMIT -1 OFFSET ?)",
        (KEEP,),
    )
    return known


def search_text(of: Sighting) -> str:
    """What an interface is found by; lower case."""
    plain = of.mac.replace(":", "")
    said = (of.mac, plain, of.address, of.hostname, of.vendor_class, of.user_class, of.other_server)
    return " ".join(filter(None, said)).lower()


def forget(db: sqlite3.Connection, mac: str) -> bool:
    """Forget one interface; whether there was anything."""
    cursor = db.execute("DELETE FROM sightings WHERE mac = ?", (mac,))
    return cursor.rowcount > 0


def forget_before(db: sqlite3.Connection, when: float) -> None:
    """Forget the interfaces and the servers that were heard of last before this time."""
    db.execute("DELETE FROM sightings WHERE last < ?", (when,))


def forget_arrived(db: sqlite3.Connection) -> None:
    """Forget the interfaces of machines that came up: what they do is in their timelines."""
    sql = "SELECT a.mac FROM machine_macs a JOIN inventories i ON i.machine = a.machine"
    db.execute(f"DELETE FROM sightings WHERE mac IN ({sql})")  # noqa: S608 - ours


def foreign_servers(db: sqlite3.Connection, since: float) -> list[ForeignServer]:
    """Other DHCP servers that were noticed since this time, the newest first."""
    sql = "SELECT doc FROM foreign_servers WHERE last >= ? ORDER BY last DESC, interface, address"
    return [load(row[0], ForeignServer) for row in rows(db, sql, since)]


def notice(db: sqlite3.Connection, server: ForeignServer) -> ForeignServer:
    """Add a sign of another DHCP server to what is known; what is known now."""
    where = "WHERE interface = ? AND address = ?"
    row = one(db, f"SELECT doc FROM foreign_servers {where}", server.interface, server.address)  # noqa: S608 - ours
    return noticed_again(load(row[0], ForeignServer), server) if row else server


def put_servers(db: sqlite3.Connection, servers: Sequence[ForeignServer], since: float) -> None:
    """Store these, and forget those that were not heard of since this time, or are too many."""
    db.executemany(
        "INSERT OR REPLACE INTO foreign_servers(interface, address, last, doc) VALUES(?,?,?,?)",
        [(each.interface, each.address, each.last, dump(each)) for each in servers],
    )
    beyond = "SELECT rowid FROM foreign_servers ORDER BY last DESC LIMIT -1 OFFSET ?"
    db.execute(
        f"DELETE FROM foreign_servers WHERE last < ? OR rowid IN ({beyond})",  # noqa: S608 - ours
        (since, KEEP_SERVERS),
    )
