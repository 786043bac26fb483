"""Leases that are forgotten, the order of addresses, and who was seen."""

import sqlite3
from ipaddress import IPv4Address

import pytest
from msgspec.structs import replace
from store_records import machine

from appliance.errors import NotFound
from appliance.lease import Lease, LeaseState
from appliance.names import KeptAddress
from appliance.network import hardware_address
from appliance.sighting import ForeignServer, Sighting, Stage
from appliance.store import event_list, leases, machines, network, sightings
from appliance.store.documents import dump
from appliance.store.leases import StoredLeases
from appliance.store.listing import Asked, page, selection
from appliance.store.schema import MIGRATIONS
from appliance.store.store import open_store

LEASE = Lease("52:54:00:00:00:01", IPv4Address("10.77.0.50"), "br0", b"", "", 1.0, 9000.0, LeaseState.BOUND)
FORGOTTEN = replace(LEASE, state=LeaseState.FORGOTTEN)


@pytest.fixture
async def store(tmp_path):
    async with open_store(tmp_path / "store.db") as opened:
        yield opened


@pytest.mark.parametrize(
    ("saved", "left"),
    [([LEASE], 1), ([LEASE, FORGOTTEN], 0), ([FORGOTTEN], 0), ([FORGOTTEN, LEASE], 1), ([LEASE, FORGOTTEN, LEASE], 1)],
)
async def test_of_what_is_saved_together_the_last_counts(store, saved, left):
    await StoredLeases(store).save(saved)
    assert len(await store.read(leases.every)) == left


async def test_an_address_is_held_until_its_lease_ends_and_while_a_stranger_uses_it(store):
    at = [IPv4Address(f"10.77.0.{number}") for number in range(50, 54)]
    made = [
        LEASE,
        replace(LEASE, address=at[1], state=LeaseState.DECLINED),
        replace(LEASE, address=at[2], state=LeaseState.RELEASED),
        replace(LEASE, address=at[3], end=100.0),
    ]
    await StoredLeases(store).save(made)
    assert await store.read(lambda db: leases.held(db, 100.0)) == [("br0", at[0]), ("br0", at[1])]


async def test_addresses_are_in_the_order_of_their_numbers(store):
    every = [IPv4Address(text) for text in ("10.77.0.100", "10.77.0.9", "9.255.0.1", "255.1.0.0")]
    await StoredLeases(store).save([replace(LEASE, address=each) for each in every])
    found = await store.read(lambda db: page(db, network.LEASES, Asked()))
    assert [network.lease_row(row)[0].address for row in found.rows] == sorted(every)


async def test_reservations_of_both_kinds_are_one_list(store):
    await store.write(lambda db: machines.put(db, machine(reserved_address="10.77.0.20")))
    kept = KeptAddress("02:00:00:00:00:01", "10.77.0.9", None, "", 1.0)
    await store.write(lambda db: network.keep_address(db, kept))
    found = await store.read(lambda db: page(db, network.RESERVATIONS, Asked()))
    assert [(row[0], row[4]) for row in found.rows] == [("other", "10.77.0.9"), ("machine", "10.77.0.20")]
    await store.write(lambda db: network.drop_address(db, kept.owner))
    with pytest.raises(NotFound):
        await store.read(lambda db: network.kept_address(db, kept.owner))


async def test_what_came_up_or_is_old_is_forgotten(store):
    signs = [
        Sighting(f"52:54:00:00:00:0{number}", "br0", 1.0, float(number), Stage.ASKED, 1.0) for number in range(1, 5)
    ]
    await store.write(lambda db: sightings.take(db, signs))
    made = machine(macs=(signs[3].mac,))
    await store.write(lambda db: machines.put(db, made))
    await store.write(lambda db: machines.put_inventory(db, made.id, {}))
    await store.write(sightings.forget_arrived)
    await store.write(lambda db: sightings.forget_before(db, 2.0))
    assert set(await store.read(sightings.stages)) == {signs[1].mac, signs[2].mac}


async def test_other_servers_are_bounded_the_newest_stay(store, monkeypatch):
    monkeypatch.setattr(sightings, "KEEP_SERVERS", 2)
    servers = [ForeignServer("br0", f"10.77.0.{number}", 1.0, float(number)) for number in range(1, 5)]
    await store.write(lambda db: sightings.put_servers(db, servers, 0.0))
    assert [each.address for each in await store.read(lambda db: sightings.foreign_servers(db, 0.0))] == [
        "10.77.0.4",
        "10.77.0.3",
    ]


def test_the_kernels_table_of_neighbours(tmp_path):
    table = tmp_path / "arp"
    table.write_text(
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        "10.77.0.9        0x1         0x2         52:54:00:AA:00:09     *        br0\n"
        "10.77.0.8        0x1         0x0         00:00:00:00:00:00     *        br0\n"
        "cut short\n"
    )
    assert hardware_address("br0", "10.77.0.9", table) == "52:54:00:aa:00:09"
    assert hardware_address("br1", "10.77.0.9", table) == ""
    assert hardware_address("br0", "10.77.0.8", table) == ""
    assert hardware_address("br0", "10.77.0.9", tmp_path / "none") == ""


async def asked_for(store, words, **more):
    found = await store.read(lambda db: page(db, network.LEASES, Asked({"q": words}, **more)))
    return found.total, [str(network.lease_row(row)[0].address) for row in found.rows]


async def test_leases_are_found_by_words_of_theirs_and_of_their_machine(store):
    mine, other = (IPv4Address(f"10.77.0.{number}") for number in (50, 51))
    owned = replace(LEASE, address=mine, hostname="Localhost")
    await StoredLeases(store).save([owned, replace(LEASE, mac="02:00:00:00:00:99", address=other, hostname="printer")])
    holder = machine(macs=(LEASE.mac,))
    await store.write(lambda db: machines.put(db, holder))
    for words, found in (
        ("localHOST", [mine]),
        (holder.name.upper(), [mine]),
        (f"{holder.name} 10.77.0.50 localhost", [mine]),
        ("02:00:00:00:00:99 printer", [other]),
        ("10.77", [mine, other]),
        (f"{holder.name} printer", []),
    ):
        assert await asked_for(store, words) == (len(found), [str(each) for each in found]), words
    assert (await asked_for(store, "10.77", sort="-hostname"))[1] == [str(other), str(mine)]
    await StoredLeases(store).save([replace(owned, hostname="renamed")])
    assert await asked_for(store, "localhost") == (0, [])
    assert (await asked_for(store, "renamed"))[0] == 1


@pytest.mark.parametrize("listing", [event_list.LISTING, event_list.FOR_ALL])
async def test_words_are_looked_for_in_an_index(store, listing):
    """SQLite would read every document otherwise: it does not see that the index has the words."""

    def plans(db):
        where, values = selection(listing, Asked({"q": "one two"}))
        cursor = db.execute(f"EXPLAIN QUERY PLAN SELECT count(*) {where}", values)
        return [row[3] for row in cursor]

    steps = await store.read(plans)
    assert any(step.startswith("SCAN") and "_words" in step for step in steps), steps


async def test_leases_that_were_documents_are_the_same_in_columns(tmp_path):
    """What a client said of itself, and the port that it is behind, come along."""
    before = next(number for number, script in enumerate(MIGRATIONS) if "leases_as_documents" in script)
    old = [
        replace(LEASE, client_id=bytes(range(256)), hostname="web-1", port="10.0.0.1/eth0"),
        replace(LEASE, address=IPv4Address("255.255.255.254"), state=LeaseState.DECLINED),
    ]
    with sqlite3.connect(tmp_path / "store.db") as db:
        for script in MIGRATIONS[:before]:
            db.executescript(script)
        db.execute(f"PRAGMA user_version = {before}")
        made = [(each.interface, str(each.address), dump(each)) for each in old]
        db.executemany("INSERT INTO leases(interface, address, doc) VALUES(?,?,?)", made)
    async with open_store(tmp_path / "store.db") as store:
        assert await store.read(leases.every) == old


@pytest.mark.parametrize("sort", ["address", "-address", "mac", "hostname", "-until"])
async def test_every_lease_is_on_one_page_also_where_an_address_is_known_on_two_interfaces(store, sort):
    made = [
        replace(LEASE, interface=on, address=LEASE.address + number) for on in ("br0", "br1") for number in range(4)
    ]
    await StoredLeases(store).save(made)
    found, cursor = [], ""
    while cursor is not None:
        asked = Asked(sort=sort, limit=3, cursor=cursor)
        one = await store.read(lambda db, asked=asked: page(db, network.LEASES, asked))
        found += [network.lease_row(row)[0] for row in one.rows]
        cursor = one.next
    assert sorted((each.interface, each.address) for each in found) == [(each.interface, each.address) for each in made]
