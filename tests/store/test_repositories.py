"""Each repository: what goes in comes out, names are unique, and the rules that the database itself holds."""

import sqlite3
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from msgspec import structs
from store_records import M1, M2, MAC, OTHER_MAC, attempt, deployment, event, image, machine

from appliance.catalogue import Kernel, KernelId
from appliance.deployment import DiskIdentity, Installed, Requirements, Wanted
from appliance.errors import Conflict, NotFound
from appliance.lease import Lease, LeaseState
from appliance.machine import State
from appliance.store import accounts, attempts, catalogue, deployments, events, leases, log_ins, machines, tokens
from appliance.store.accounts import User
from appliance.store.documents import rows
from appliance.store.leases import StoredLeases
from appliance.store.log_ins import LogIn, LogInToken
from appliance.store.tokens import BootToken, MachineSession
from appliance.workflow import Status


async def write(store, function, *values):
    return await store.write(lambda db: function(db, *values))


async def read(store, function, *values, **named):
    return await store.read(lambda db: function(db, *values, **named))


# machines


async def test_a_machine_comes_back_as_it_was(store):
    new = machine(uuid="u", failed_from=State.DEPLOYING, failed_reason="why", notes="ä\n", last_seen=2.5)
    await write(store, machines.put, new)
    assert await read(store, machines.get, M1) == new
    assert await read(store, machines.get, "node-1") == new
    assert await read(store, machines.by_mac, MAC) == new
    assert await read(store, machines.by_uuid, "u") == [new]


async def test_an_inventory_is_kept_beside_the_machine_and_survives_its_changes(store):
    await write(store, machines.put, machine())
    await write(store, machines.put_inventory, M1, {"disks": [1]})
    await write(store, machines.put, machine(notes="changed"))
    assert (await read(store, machines.get, M1)).inventory == {"disks": [1]}
    assert (await read(store, machines.briefs))[0].inventory is None


async def test_an_unknown_machine_is_said_so(store):
    with pytest.raises(NotFound, match="no machine 'x'"):
        await read(store, machines.get, "x")


async def test_two_machines_cannot_have_one_name(store):
    await write(store, machines.put, machine())
    with pytest.raises(Conflict, match="node-1"):
        await write(store, machines.put, machine(id=M2, macs=(OTHER_MAC,)))


async def test_two_machines_cannot_have_one_interface(store):
    await write(store, machines.put, machine())
    with pytest.raises(sqlite3.IntegrityError):
        await write(store, machines.put, machine(id=M2, name="node-2"))
    assert (await read(store, machines.by_mac, MAC)).id == M1


async def test_an_interface_that_was_given_up_is_free(store):
    await write(store, machines.put, machine(macs=(MAC, OTHER_MAC)))
    await write(store, machines.put, machine(macs=(MAC,)))
    await write(store, machines.put, machine(id=M2, name="node-2", macs=(OTHER_MAC,)))
    assert (await read(store, machines.by_mac, OTHER_MAC)).id == M2
    assert await read(store, machines.known_macs) == {MAC, OTHER_MAC}


async def test_a_machine_named_like_the_id_of_another_is_not_taken_for_it(store):
    await write(store, machines.put, machine())
    await write(store, machines.put, machine(id=M2, name=M1, macs=(OTHER_MAC,)))
    assert (await read(store, machines.get, M1)).id == M1


async def test_deleting_a_machine_takes_everything_of_it_but_its_events(store):
    await write(store, machines.put, machine())
    await write(store, machines.put_inventory, M1, {})
    await write(store, attempts.put, attempt())
    await write(store, tokens.add_boot, BootToken("h", M1, "n", None, 9.0, None))
    await write(store, events.add, event(machine=M1))
    await write(store, machines.delete, M1)
    assert await read(store, machines.find, M1) is None
    assert await read(store, attempts.live) == []
    assert len(await read(store, events.query, machine=M1)) == 1


# attempts


async def test_an_attempt_comes_back_as_it_was(store):
    await write(store, machines.put, machine())
    new = attempt(results={"prepare-disk": {"disk": {"bytes": 5}}}, index=1, progress=0.5)
    await write(store, attempts.put, new)
    assert await read(store, attempts.find, "1") == new
    assert await read(store, attempts.live_of, M1) == new


async def test_the_database_refuses_a_second_live_attempt(store):
    await write(store, machines.put, machine())
    await write(store, attempts.put, attempt())
    with pytest.raises(sqlite3.IntegrityError):
        await write(store, attempts.put, attempt("2"))
    await write(store, attempts.put, attempt(status=Status.FAILED))
    await write(store, attempts.put, attempt("2", now=11.0))
    assert (await read(store, attempts.last_of, M1)).id == "2"
    assert [a.id for a in await read(store, attempts.live)] == ["2"]


# catalogue and deployments


async def test_images_are_found_by_id_and_name_and_names_are_unique(store):
    stored = await write(store, catalogue.add_image, image())
    assert stored.id > 0
    assert await read(store, catalogue.image, "debian") == stored
    assert await read(store, catalogue.image, stored.id) == stored
    assert await read(store, catalogue.image, str(stored.id)) == stored
    with pytest.raises(Conflict):
        await write(store, catalogue.add_image, image())
    with pytest.raises(NotFound):
        await read(store, catalogue.image, "none")


async def test_an_image_in_use_stays(store):
    stored = await write(store, catalogue.add_image, image())
    made = await write(store, deployments.add, deployment(stored.id))
    with pytest.raises(Conflict, match="web-1"):
        await write(store, catalogue.delete_image, stored.id)
    await write(store, deployments.delete, made.id)
    await write(store, catalogue.delete_image, stored.id)
    assert await read(store, catalogue.images) == []


async def test_an_image_id_is_never_given_twice(store):
    first = await write(store, catalogue.add_image, image())
    await write(store, catalogue.delete_image, first.id)
    assert (await write(store, catalogue.add_image, image())).id > first.id


async def test_kernels_and_the_one_that_is_built_in(store):
    own = Kernel(KernelId(0), "stack", "6.1", "", "0", None, 1.0, builtin=True)
    first = await write(store, catalogue.put_kernel, own)
    second = await write(store, catalogue.put_kernel, replace(own, version="6.12"))
    assert (second.id, second.version) == (first.id, "6.12")
    with pytest.raises(Conflict):
        await write(store, catalogue.put_kernel, replace(own, builtin=False))
    with pytest.raises(Conflict):
        await write(store, catalogue.delete_kernel, first.id)
    users = await write(store, catalogue.put_kernel, replace(own, name="mine", builtin=False))
    await write(store, catalogue.delete_kernel, users.id)
    assert [k.name for k in await read(store, catalogue.kernels)] == ["stack"]


async def test_a_deployment_comes_back_as_it_was(store):
    await write(store, machines.put, machine())
    stored = await write(store, catalogue.add_image, image())
    disk = DiskIdentity("S1", None, 10, "QEMU", "f", "ext4", owned=True)
    new = deployment(
        stored.id,
        machine=M1,
        disk=disk,
        wanted=Wanted.RUNNING,
        requirements=Requirements(cpus=2),
        installed=Installed(1, disk, "e", None),
        ssh_keys=("ssh-ed25519 A",),
    )
    made = await write(store, deployments.add, new)
    assert made == replace(new, id=made.id)
    assert await read(store, deployments.get, "web-1") == made
    assert await read(store, deployments.of_machine, M1) == made
    assert await read(store, deployments.taken) == {M1}


async def test_the_database_refuses_two_deployments_on_one_machine(store):
    await write(store, machines.put, machine())
    stored = await write(store, catalogue.add_image, image())
    await write(store, deployments.add, deployment(stored.id, machine=M1))
    with pytest.raises(sqlite3.IntegrityError):
        await write(store, deployments.add, deployment(stored.id, machine=M1, name="web-2"))


# tokens


async def redeemed(store, token="t", session="s", machine_id=M1):
    boot = BootToken(tokens.hash_token(token), machine_id, "n", None, 600.0, None)
    opened = MachineSession(tokens.hash_token(session), machine_id, f"poll-{session}", None, 1.0)
    await write(store, tokens.add_boot, boot)
    await write(store, tokens.redeem, boot, opened)
    return opened


async def test_redeeming_ends_earlier_sessions_and_boots_of_the_machine_only(store):
    await write(store, machines.put, machine())
    await write(store, machines.put, machine(id=M2, name="node-2", macs=(OTHER_MAC,)))
    other = await redeemed(store, "t2", "s2", M2)
    await redeemed(store, "t0", "s0")
    await write(store, tokens.add_boot, BootToken("unused", M1, "n", None, 600.0, None))
    mine = await redeemed(store)
    assert await read(store, tokens.session, "s0") is None
    assert await read(store, tokens.session, "s") == mine
    assert await read(store, tokens.session, "s2") == other
    assert (await read(store, tokens.find_boot, "t")).redeemed_by == mine.hash
    assert (await read(store, tokens.find_boot, "t0")).redeemed_by is not None, "remembered, to see a replay"
    unused = await store.read(lambda db: machines.rows(db, "SELECT * FROM boot_tokens WHERE hash = 'unused'"))
    assert unused == []


async def test_only_hashes_are_in_the_file(store, tmp_path):
    await write(store, machines.put, machine())
    await redeemed(store, "boot-secret", "session-secret")
    content = b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
    assert b"boot-secret" not in content
    assert b"session-secret" not in content.replace(b"poll-session-secret", b"")


async def test_a_hostile_token_that_is_no_text_opens_nothing(store):
    assert await read(store, tokens.session, "\udcff") is None


async def test_ending_sessions(store):
    await write(store, machines.put, machine())
    await redeemed(store)
    await write(store, tokens.end_sessions, M1)
    assert await read(store, tokens.session_of, M1) is None
    assert await read(store, tokens.session_by_poll, "poll-s") is None


async def test_resident_tokens_of_one_attempt_outlive_a_clock_that_goes_back(store):
    await write(store, machines.put, machine())
    stored = await write(store, catalogue.add_image, image())
    made = await write(store, deployments.add, deployment(stored.id, machine=M1))
    await write(store, tokens.put_resident, "first", made.id, M1, 1.0, 2.0)
    await write(store, tokens.put_resident, "second", made.id, M1, 1.5, 2.0)
    assert await read(store, tokens.resident, "first") == (made.id, M1)


async def test_resident_tokens_are_replaced_kept_and_ended(store):
    await write(store, machines.put, machine())
    stored = await write(store, catalogue.add_image, image())
    made = await write(store, deployments.add, deployment(stored.id, machine=M1))
    await write(store, tokens.put_resident, "old", made.id, M1, 1.0, 0.5)
    await write(store, tokens.put_resident, "new", made.id, M1, 3.0, 2.0)
    assert await read(store, tokens.resident, "old") is None
    await write(store, tokens.put_resident, "again", made.id, M1, 4.0, 2.0)
    assert await read(store, tokens.resident, "new") == (made.id, M1)
    assert await read(store, tokens.resident, "again") == (made.id, M1)
    await write(store, tokens.keep_resident, "new", made.id)
    assert await read(store, tokens.resident, "again") is None
    assert await read(store, tokens.resident, "new") == (made.id, M1)
    await write(store, tokens.end_resident, made.id)
    assert await read(store, tokens.resident, "new") is None


async def test_a_download_token_opens_its_image_while_its_attempt_lives(store):
    await write(store, machines.put, machine())
    stored = await write(store, catalogue.add_image, image())
    await write(store, attempts.put, attempt())
    await write(store, tokens.put_download, "d", "1", stored.id)
    assert await read(store, tokens.may_download, "d", stored.id)
    assert not await read(store, tokens.may_download, "d", stored.id + 1)
    assert not await read(store, tokens.may_download, "x", stored.id)
    await write(store, attempts.put, attempt(status=Status.DONE))
    assert not await read(store, tokens.may_download, "d", stored.id)


# events


async def test_events_are_numbered_and_read_backwards(store):
    made = [await write(store, events.add, event(f"e{n}", machine=M1 if n % 2 else None)) for n in range(6)]
    assert [e.text for e in await read(store, events.query)] == ["e5", "e4", "e3", "e2", "e1", "e0"]
    assert [e.text for e in await read(store, events.query, machine=M1, limit=2)] == ["e5", "e3"]
    assert [e.text for e in await read(store, events.query, before=made[2].id)] == ["e1", "e0"]


async def test_many_events_are_numbered_as_one_by_one(store):
    await write(store, events.add, event("before"))
    many = [event("first", machine=M1), event("second", detail={"mac": MAC}), event("third")]
    made = await write(store, events.add_all, many)
    after = await write(store, events.add, event("after"))
    assert [each.id for each in (*made, after)] == list(range(made[0].id, made[0].id + 4))
    assert await read(store, events.query, limit=4) == [after, *reversed(made)]
    assert await write(store, events.add_all, []) == []


async def test_events_in_an_empty_log_begin_with_one(store):
    assert [each.id for each in await write(store, events.add_all, [event("first"), event("second")])] == [1, 2]


async def test_a_new_machine_gets_the_dhcp_events_of_its_interface(store):
    await write(store, events.add, event("mine", "dhcp.seen", at=100.0, detail={"mac": MAC}))
    await write(store, events.add, event("old", "dhcp.seen", at=1.0, detail={"mac": MAC}))
    await write(store, events.add, event("other", "dhcp.seen", at=100.0, detail={"mac": OTHER_MAC}))
    await write(store, events.add, event("no interface", "daemon.trouble", at=100.0))
    await write(store, events.add, event("refused", "program.refused", at=101.0, detail={"mac": MAC}))
    await write(store, events.adopt, MAC, M1, 50.0)
    await write(store, events.adopt, MAC, M2, 50.0)
    found = await read(store, events.query, machine=M1)
    assert [(e.text, e.machine) for e in found] == [("refused", M1), ("mine", M1)]
    assert await read(store, events.query, machine=M2) == []


async def test_a_new_machine_decodes_no_events_of_others(store, monkeypatch):
    def both(db):
        for number in range(100):
            events.add(db, event("other", "dhcp.seen", at=100.0 + number, detail={"mac": OTHER_MAC}))
        events.add(db, event("mine", "dhcp.seen", at=100.0, detail={"mac": MAC}))

    await write(store, both)
    decoded, load = [], events.load
    monkeypatch.setattr(events, "load", lambda *values: decoded.append(1) or load(*values))
    await write(store, events.adopt, MAC, M1, 50.0)
    assert len(decoded) == 1


async def test_boots_are_counted_back_to_the_last_sign_of_life(store):
    for at, kind in enumerate(("script.served", "agent.started", "script.served", "tftp.sent", "script.served")):
        await write(store, events.add, event(kind, kind, at=float(at), machine=M1))
    await write(store, events.add, event("other", "script.served", at=9.0, machine=M2))
    assert await read(store, events.silent_boots, M1, 3) == [4.0, 2.0]
    assert await read(store, events.silent_boots, M1, 1) == [4.0]
    await write(store, events.add, event("up", "resident.active", at=9.0, machine=M1))
    assert await read(store, events.silent_boots, M1, 3) == []


async def test_questions_asked_at_each_boot_read_only_what_they_are_about(store):
    asked = []

    def explained(db):
        db.set_trace_callback(asked.append)
        events.silent_boots(db, M1, 3)
        events.adopt(db, MAC, M1, 0.0)
        db.set_trace_callback(None)
        return [" ".join(str(step) for step in rows(db, f"EXPLAIN QUERY PLAN {sql}")) for sql in asked]

    boots, strangers = await store.read(explained)
    assert "events_boots" in boots
    assert "events_strangers" in strangers


async def test_the_log_is_bounded_per_machine(store, monkeypatch):
    monkeypatch.setattr(events, "KEEP_PER_MACHINE", 3)
    for n in range(5):
        await write(store, events.add, event(f"a{n}", machine=M1))
        await write(store, events.add, event(f"s{n}"))
    await write(store, events.prune)
    assert [e.text for e in await read(store, events.query, machine=M1)] == ["a4", "a3", "a2"]
    assert len(await read(store, events.query)) == 8
    monkeypatch.setattr(events, "KEEP_IN_ALL", 2)
    await write(store, events.prune)
    assert len(await read(store, events.query)) == 2


# accounts and leases


async def test_users_sessions_and_settings(store):
    ada = User("ada", "hash", "admin", 1.0)
    await write(store, accounts.add_user, ada)
    with pytest.raises(Conflict):
        await write(store, accounts.add_user, ada)
    await write(store, log_ins.add, LogIn("i1", "ada", 1.0, 1.0, 5.0, "", ""), LogInToken("h1", "i1", 1.0))
    await write(store, log_ins.add, LogIn("i2", "ada", 6.0, 6.0, 10.0, "", ""), LogInToken("h2", "i2", 6.0))
    assert await read(store, log_ins.find, "h1") is None, "forgotten once expired"
    await write(store, log_ins.touch, "i2", 7.0)
    assert (await read(store, log_ins.find, "h2"))[0].used == 7.0
    await write(store, log_ins.end, "i2")
    assert await read(store, log_ins.find, "h2") is None
    await write(store, accounts.put_setting, "k", "v")
    assert await read(store, accounts.setting, "k") == "v"
    await write(store, accounts.put_setting, "k", None)
    assert await read(store, accounts.setting, "k") is None


async def test_a_newer_lease_of_an_address_replaces_the_older(store):
    kept = StoredLeases(store)
    first = Lease(MAC, IPv4Address("10.0.0.5"), "br0", b"\x01\xff", "h", 1.0, 2.0, LeaseState.BOUND)
    second = structs.replace(first, mac=OTHER_MAC, client_id=b"", state=LeaseState.RELEASED)
    elsewhere = structs.replace(first, interface="br1")
    await kept.save([first, elsewhere])
    await kept.save([second])
    assert sorted(await kept.load(), key=lambda lease: lease.interface) == [second, elsewhere]
    assert await read(store, leases.every) == list(await kept.load())
