"""Machines in lists: found by what they are and have, and what is shown of them is kept with them."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.store import machine_list, machines
from appliance.store.documents import dump, rows
from appliance.store.listing import Asked
from appliance.store.machine_list import LISTING, digest
from appliance.store.schema import MIGRATIONS, migrate
from appliance.store.store import Store

INVENTORY: dict[str, Any] = {
    "cpu": {"threads": 8, "model": "x" * 500},
    "memory": {"bytes": 4 << 30},
    "system": {"manufacturer": "Dell Inc.", "product": "PowerEdge R640"},
    "disks": [{"serial": "ABC1", "bytes": 10**12}, "garbage"],
}


def machine(number: int, **values: Any) -> Machine:
    macs = (parse_mac(f"52:54:00:00:00:{number:02x}"),)
    return replace(Machine(MachineId(f"m{number}"), f"node-{number}", State.IDLE, macs, 100.0 + number), **values)


FLEET = (
    machine(1, maintenance=False, address="10.0.0.9", tags=("prod", "web"), firmware="uefi", last_seen=1000.0),
    machine(2, state=State.FAILED, address="10.0.0.10", tags=("web",), notes="ÄRGER im Keller", firmware="bios"),
    machine(3, state=State.ACTIVE, serial="XYZ", uuid="12345678-1234-1234-1234-123456789abc", last_seen=990.0),
)


@pytest.fixture
async def fleet(store: Store) -> Store:
    for each in FLEET:
        await store.write(lambda db, each=each: machines.put(db, each))
    await store.write(lambda db: machines.put_inventory(db, MachineId("m3"), INVENTORY))
    return store


async def names(store: Store, sort: str = "", **filters: Any) -> list[str]:
    asked = Asked(filters=filters, sort=sort, now=1100.0)
    found, listed = await store.read(lambda db: machine_list.found(db, asked))
    assert found.total == len(listed)
    return [each.name for each in listed]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"state": [State.FAILED, State.ACTIVE]}, [2, 3]),
        ({"tag": ["web"]}, [1, 2]),
        ({"tag": ["web", "prod"]}, [1]),
        ({"maintenance": False}, [1]),
        ({"maintenance": True}, [2, 3]),
        ({"offline": True}, [2]),
        ({"offline": False}, [1, 3]),
        ({"firmware": ["bios"]}, [2]),
        ({"assigned": True}, []),
        ({"deployment": "web-1"}, []),
        ({"q": "ärger keller"}, [2]),
        ({"q": "poweredge abc1"}, [3]),
        ({"q": "52:54:00:00:00:01"}, [1]),
        ({"q": "xyz"}, [3]),
        ({"q": "prod"}, [1]),
        ({"q": "12345678-1234"}, [3]),
        ({"q": "node-1 xyz"}, []),
    ],
)
async def test_filters(fleet: Store, filters: dict[str, Any], expected: list[int]) -> None:
    assert await names(fleet, **filters) == [f"node-{number}" for number in expected]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("-name", [3, 2, 1]), ("address", [3, 1, 2]), ("-memory", [3, 2, 1]), ("-seen", [1, 3, 2]), ("state", [3, 2, 1])],
)
async def test_orders(fleet: Store, sort: str, expected: list[int]) -> None:
    assert await names(fleet, sort) == [f"node-{number}" for number in expected]


async def test_what_is_listed_follows_the_machine(fleet: Store) -> None:
    def job(db: sqlite3.Connection) -> None:
        machines.put(db, replace(FLEET[0], tags=("db",), name="other", macs=(parse_mac("52:54:00:00:00:77"),)))
        machines.delete(db, MachineId("m2"))

    await fleet.write(job)
    assert await names(fleet, tag=["web"]) == []
    assert await names(fleet, tag=["db"]) == ["other"]
    assert await names(fleet, q="00:77") == ["other"]
    assert await fleet.read(lambda db: rows(db, "SELECT machine FROM machine_tags")) == [("m1",)]


async def test_lists_carry_a_digest_of_the_inventory(fleet: Store) -> None:
    _, listed = await fleet.read(lambda db: machine_list.found(db, Asked(sort="-memory", limit=1)))
    assert listed[0].inventory == {
        "cpu": {"threads": 8},
        "memory": {"bytes": 4 << 30},
        "disks": [{"bytes": 10**12}],
        "system": {"manufacturer": "Dell Inc.", "product": "PowerEdge R640"},
    }


async def test_groups(fleet: Store) -> None:
    asked = Asked(now=1100.0)
    assert await fleet.read(lambda db: machine_list.groups(db, asked, "state")) == {"idle": 1, "failed": 1, "active": 1}
    assert await fleet.read(lambda db: machine_list.groups(db, asked, "tag")) == {"prod": 1, "web": 2}
    some = Asked(filters={"state": [State.IDLE]}, now=1100.0)
    assert await fleet.read(lambda db: machine_list.groups(db, some, "tag")) == {"prod": 1, "web": 1}


@pytest.mark.parametrize("garbage", [{}, {"cpu": 3, "disks": "no", "memory": {"bytes": "x"}}, {"cpu": {"threads": -1}}])
def test_an_inventory_of_any_shape_has_a_digest(garbage: dict[str, Any]) -> None:
    assert digest(garbage)["cpu"] == {"threads": None}
    assert digest(garbage)["disks"] == []


async def test_no_list_reads_every_document(fleet: Store) -> None:
    """Pages come out of an index: no order but by deployment sorts the fleet, and no filter scans inventories."""
    for sort in ("name", "state", "address", "cpus", "memory", "seen", "created"):
        column = LISTING.sorts[sort].column
        plan = await fleet.read(
            lambda db, column=column: rows(
                db,
                f"EXPLAIN QUERY PLAN SELECT {LISTING.columns} FROM {LISTING.table}"
                f" WHERE ({column}, m.id) > (?, ?) ORDER BY {column}, m.id LIMIT 100 OFFSET 0",
                0,
                "",
            )
        )
        steps = " | ".join(row[3] for row in plan)
        assert "TEMP B-TREE" not in steps, f"{sort}: {steps}"
        assert "SEARCH m USING INDEX" in steps, f"{sort}: {steps}"
        assert "inventories" not in steps


async def test_a_file_from_before_is_filled_from_its_documents(tmp_path: Path) -> None:
    step = next(number for number, script in enumerate(MIGRATIONS) if "machine_tags" in script)
    old = sqlite3.connect(tmp_path / "old.db")
    for script in MIGRATIONS[:step]:
        old.executescript(script)
    for each in FLEET:
        values = (each.id, each.name, each.state, each.uuid, dump(each))
        old.execute("INSERT INTO machines(id, name, state, uuid, doc) VALUES(?,?,?,?,?)", values)
        old.execute("INSERT INTO machine_macs VALUES(?,?)", (each.macs[0], each.id))
    old.execute("INSERT INTO inventories VALUES(?,?)", ("m3", dump(INVENTORY)))
    old.execute("INSERT INTO inventories VALUES(?,?)", ("m1", dump({"cpu": {"threads": "many"}, "disks": {}})))
    old.execute(f"PRAGMA user_version={step}")
    old.commit()
    old.close()
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as db:
        migrate(db)
        kept = "maintenance, firmware, address, last_seen, created, cpus, memory, digest"
        filled = rows(db, f"SELECT id, {kept} FROM machines ORDER BY id")
        tags = rows(db, "SELECT * FROM machine_tags ORDER BY machine, tag")
        found, _ = machine_list.found(db, Asked(filters={"q": "poweredge abc1 xyz"}))
        assert found.total == 1
        for each in FLEET:
            machines.put(db, each)
        machines.put_inventory(db, MachineId("m3"), INVENTORY)
        anew = rows(db, f"SELECT id, {kept} FROM machines ORDER BY id")
    assert tags == [("m1", "prod"), ("m1", "web"), ("m2", "web")]
    assert [row[:-1] for row in filled] == [row[:-1] for row in anew]
    assert machine_list.listed((dump(FLEET[2]), filled[2][-1])) == machine_list.listed((dump(FLEET[2]), anew[2][-1]))
