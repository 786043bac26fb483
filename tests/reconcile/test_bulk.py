"""One wish for many: each item by itself, with every check, once, and with its own result."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from fleet_world import Played, World, a_world, disk

from appliance.deployment import Wanted
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.machine import MacAddress, Machine, MachineId, State, parse_mac
from appliance.reconcile import bulk
from appliance.reconcile.bulk import DEPLOYMENTS, MACHINES, BulkAsked, begin, job_kinds
from appliance.reconcile.bulk_actions import DEPLOYMENT_ACTIONS, MACHINE_ACTIONS, Arguments
from appliance.reconcile.jobs import Jobs
from appliance.reconcile.taskviews import task_log, task_view
from appliance.reconcile.wishes import MachineChange
from appliance.store import audit, events, machines
from appliance.store.listing import Asked, page
from appliance.store.store import open_store
from appliance.task import Status
from appliance.web.api.bulk import DeploymentBulkAction, MachineBulkAction
from tests.people import ADA, SOMEBODY


async def fleet(world, count, **more):
    def made(number):
        mac = parse_mac(f"52:54:00:01:{number >> 8:02x}:{number & 255:02x}")
        return replace(Machine(MachineId(f"m{number}"), f"node-{number}", State.IDLE, (mac,), world.now), **more)

    def job(db):
        for number in range(count):
            machines.put(db, made(number))

    await world.store.write(job)


async def asked(world, action, noun=MACHINES, by=ADA, arguments=None, **which):
    bulk_asked = BulkAsked(action, arguments=arguments or Arguments(), **which)
    return await begin(world.store, world.bus, noun, bulk_asked, by, world.now)


@asynccontextmanager
async def at_work(world):
    jobs = Jobs(world.store, world.bus, lambda: world.now, job_kinds(world.wishes, lambda: world.now))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(jobs.run())
        yield
        running.cancel()


async def done(world, task):
    """The task once it has ended, worked off, with its items."""
    with world.bus.subscribe(4096) as subscription:
        async with at_work(world), asyncio.timeout(60):
            while (await world.task(task.id)).open:
                await subscription.get()
    return await task_view(world.store, str(task.id), world.now)


async def test_a_thousand_machines(world):
    await fleet(world, 1000)
    task = await asked(world, "maintenance-off", filters={"maintenance": True})
    assert task.title == "Maintenance off for 1000 machines"
    view = await done(world, task)
    assert (view.task.status, view.counts, view.progress) == (Status.DONE, {"done": 1000}, 1.0)
    assert {item.status for item in view.items} == {"done"}
    assert not any(machine.maintenance for machine in await world.machines())
    changed = await world.store.read(lambda db: events.query(db, kind="machine.changed", limit=2000))
    assert len(changed) == 1000
    assert changed[0].text == "ada changed maintenance from True to False"


async def audited(world, **filters):
    found = await world.store.read(lambda db: page(db, audit.LISTING, Asked(filters=filters)))
    return [audit.entry_of(row) for row in found.rows]


async def test_the_wish_itself_is_in_the_audit_log_once(world):
    await fleet(world, 3)
    task = await asked(world, "maintenance-off", filters={"maintenance": True})
    tagged = await asked(world, "tag", keys=("node-0", "m1"), arguments=Arguments(tags=("rack-1",)))
    await done(world, task)
    await done(world, tagged)
    second, first = await audited(world, action="machine.bulk")
    assert (first.who, first.role, first.name) == ("ada", ADA.role, "Maintenance off for 3 machines")
    assert (first.kind, first.subject) == ("task", str(task.id))
    assert first.after == {"action": "maintenance-off", "filter": {"maintenance": True}, "items": 3}
    assert second.after == {"action": "tag", "tags": ["rack-1"], "items": 2}
    assert len(await audited(world, action="machine.change")) == 5, "each item by itself, as before"


async def test_a_wish_that_is_refused_is_not_in_the_audit_log(world):
    await fleet(world, 2)
    with pytest.raises(Conflict):
        await asked(world, "delete", filters={})
    assert await audited(world) == []


async def test_each_item_has_its_own_result(world, node):
    """One is busy, one is gone, one is named twice; the rest is done."""
    await fleet(world, 2)
    await node.usable()
    await world.deploy()
    await world.act("start")
    machine = await node.seen()
    keys = ("m0", "node-0", machine.name, "node-gone", "node-1")
    view = await done(world, await asked(world, "break", keys=keys))
    assert (view.task.status, view.task.reason) == (Status.FAILED, "1 of 4 machines failed")
    found = {item.name: (item.status, item.code) for item in view.items}
    assert found == {
        "node-0": ("done", ""),
        machine.name: ("failed", "machine-busy"),
        "node-gone": ("skipped", "machine-unknown"),
        "node-1": ("done", ""),
    }
    log = [line.text for line in await task_log(world.store, str(view.task.id))]
    assert f"{machine.name}: failed: {machine.name} is deploying; wait until that has ended" in log
    assert (await node.seen()).state is State.DEPLOYING


async def test_tags_and_hand_over_and_mending(world):
    await fleet(world, 3, tags=("old",))
    keys = ("m0", "m1", "m2")
    await done(world, await asked(world, "tag", keys=keys, arguments=Arguments(tags=("new",))))
    await done(world, await asked(world, "untag", keys=keys, arguments=Arguments(tags=("old",))))
    await done(world, await asked(world, "hand-over", keys=keys, arguments=Arguments(hand_over="reboot")))
    await done(world, await asked(world, "maintenance-on", keys=keys))
    await done(world, await asked(world, "break", keys=("m0", "m1")))
    await done(world, await asked(world, "mend", keys=("m0",)))
    found = {m.name: (m.tags, m.hand_over, m.maintenance, m.state) for m in await world.machines()}
    assert found["node-0"] == (("new",), "reboot", True, State.DISCOVERED)
    assert found["node-1"] == (("new",), "reboot", True, State.BROKEN)


async def test_what_left_the_filter_meanwhile_is_skipped(world):
    await fleet(world, 3)
    task = await asked(world, "break", filters={"state": ["idle"], "maintenance": True})
    await world.wishes.change_machine("node-1", MachineChange(maintenance=False), SOMEBODY)
    await world.wishes.delete_machine("node-2", SOMEBODY)
    view = await done(world, task)
    assert [(item.status, item.code) for item in view.items] == [
        ("done", ""),
        ("skipped", "left-selection"),
        ("skipped", "left-selection"),
    ]
    assert view.task.status is Status.DONE
    assert (await world.machines())[1].state is State.IDLE


async def test_deleting_wants_the_number(world):
    await fleet(world, 3)
    for confirm in (None, "3", "2 machines", "node-0"):
        with pytest.raises(Conflict) as refused:
            await asked(world, "delete", filters={}, confirm=confirm)
        assert (refused.value.code, refused.value.field) == ("confirmation-needed", "confirm")
    assert "3 machines" in refused.value.hint
    assert len(await world.machines()) == 3
    await done(world, await asked(world, "delete", keys=("m1",), confirm="1 machine"))
    view = await done(world, await asked(world, "delete", filters={}, confirm="2 machines"))
    assert view.counts == {"done": 2}
    assert await world.machines() == []


@pytest.mark.parametrize(
    ("action", "which", "code"),
    [
        ("explode", {"keys": ("m0",)}, "action-unknown"),
        ("tag", {"keys": ("m0",)}, "argument-missing"),
        ("break", {}, "selection-invalid"),
        ("break", {"keys": ("m0",), "filters": {}}, "selection-invalid"),
        ("break", {"keys": ()}, "selection-empty"),
        ("break", {"filters": {"state": ["rescue"]}}, "selection-empty"),
        ("tag", {"keys": ("m0",), "arguments": Arguments(tags=("Not A Tag",))}, "tag-invalid"),
        ("untag", {"keys": ("m0",), "arguments": Arguments(tags=("x" * 41,))}, "tag-invalid"),
        ("hand-over", {"keys": ("m0",), "arguments": Arguments(hand_over="prayer")}, "hand-over-invalid"),
        ("rescue", {"keys": ("m0",), "arguments": Arguments(ssh_keys=("a PRIVATE key",))}, "ssh-key-invalid"),
    ],
)
async def test_refusals(world, action, which, code):
    await fleet(world, 1)
    with pytest.raises(Invalid) as refused:
        await asked(world, action, **which)
    assert refused.value.code == code


async def test_too_many_are_refused(world, monkeypatch):
    await fleet(world, 3)
    monkeypatch.setattr(bulk, "MOST_ITEMS", 2)
    with pytest.raises(Invalid, match="3 machines are too many"):
        await asked(world, "break", filters={})


async def test_a_restart_in_between_does_nothing_twice(world):
    await fleet(world, 6)
    task = await asked(world, "break", filters={})
    left = 3
    real, calls = bulk._do, 0

    async def dying(*arguments):
        nonlocal calls
        calls += 1
        if calls > left:
            await asyncio.Event().wait()
        await real(*arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bulk, "_do", dying)
        async with at_work(world), asyncio.timeout(10):
            while calls <= left:
                await asyncio.sleep(0.01)
    assert [machine.state for machine in await world.machines()].count(State.BROKEN) == left
    view = await done(world, task)
    assert (view.task.status, view.counts) == (Status.DONE, {"done": 6})
    assert len(await world.events("machine.changed")) == 6, "each of them once"


async def test_change_and_result_are_one_transaction(world, monkeypatch):
    await fleet(world, 2)

    def broken(db, number, position, item):
        if item.status == "done":
            raise ApplianceError("defect", "the result cannot be stored")
        db.execute("UPDATE task_items SET status = 'failed' WHERE task = ? AND position = ?", (number, position))

    task = await asked(world, "break", filters={})
    monkeypatch.setattr(bulk.tasks, "put_item", broken)
    await done(world, task)
    assert {machine.state for machine in await world.machines()} == {State.IDLE}


async def test_a_store_that_fails_ends_the_job_with_the_reason(world, monkeypatch):
    await fleet(world, 2)
    task = await asked(world, "break", filters={})

    def full(db, number, position, item):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(bulk.tasks, "put_item", full)
    view = await done(world, task)
    assert (view.task.status, view.task.code) == (Status.FAILED, "store-failed")
    assert view.counts == {"waiting": 2}


async def test_cancelled_between_two_items(world):
    await fleet(world, 500)
    task = await asked(world, "break", filters={})
    with world.bus.subscribe(4096) as subscription:
        async with at_work(world), asyncio.timeout(30):
            while (await subscription.get()).kind != "machine.changed":
                continue
            await world.wishes.cancel_task(str(task.id), SOMEBODY)
            while (await world.task(task.id)).open:
                await subscription.get()
    view = await task_view(world.store, str(task.id), world.now)
    assert (view.task.status, view.task.reason) == (Status.CANCELLED, "somebody cancelled it")
    assert view.counts["done"] + view.counts["waiting"] == 500
    assert view.counts["waiting"]
    broken = [machine for machine in await world.machines() if machine.state is State.BROKEN]
    assert len(broken) == view.counts["done"]


@asynccontextmanager
async def two_deployments(path):
    """web-1 on an empty disk, web-2 on one with content, both startable."""
    async with a_world(path) as world:
        for number in (1, 2):
            content = {"empty": number == 1, "fingerprint": str(number) * 64, "summary": "ext4 'data'"}
            mac, uuid = MacAddress(f"52:54:00:00:00:0{number}"), f"11111111-2222-3333-4444-55555555550{number}"
            node = Played(world, mac, uuid, [disk(f"S{number}", content=content)])
            await node.usable()
            await world.deploy(f"web-{number}", machine=(await node.seen()).name, disk=f"S{number}")
        yield world


async def test_starting_many_leaves_out_what_has_to_be_confirmed_by_itself(tmp_path):
    async with two_deployments(tmp_path) as world:
        view = await done(world, await asked(world, "start", DEPLOYMENTS, filters={"state": ["released"]}))
        assert [(item.name, item.status, item.code) for item in view.items] == [
            ("web-1", "done", ""),
            ("web-2", "failed", "confirmation-needed"),
        ]
        followed = await world.task(view.items[0].task)
        assert (followed.kind, followed.owner, followed.status) == ("deployment.start", "ada", Status.WAITING)
        assert (await world.deployment("web-2")).wanted is Wanted.RELEASED


async def test_releasing_many_wants_their_number_and_nothing_more(tmp_path):
    async with two_deployments(tmp_path) as world:
        await world.act("start", "web-1")
        with pytest.raises(Conflict, match="Release 2 deployments"):
            await asked(world, "release", DEPLOYMENTS, keys=("web-1", "web-2"))
        view = await done(
            world, await asked(world, "release", DEPLOYMENTS, keys=("web-1", "web-2"), confirm="2 deployments")
        )
        assert [(item.status, item.code) for item in view.items] == [("failed", "action-refused")] * 2
        assert "is deploying" in view.items[0].text
        view = await done(
            world, await asked(world, "delete", DEPLOYMENTS, keys=("web-1", "2"), confirm="2 deployments")
        )
        assert [(item.name, item.status) for item in view.items] == [("web-1", "failed"), ("web-2", "done")]


def test_the_api_names_every_action():
    assert set(MachineBulkAction.__args__) == set(MACHINE_ACTIONS)
    assert set(DeploymentBulkAction.__args__) == set(DEPLOYMENT_ACTIONS)


async def test_jobs_outlive_the_process(tmp_path):
    async with a_world(tmp_path) as world:
        await fleet(world, 3)
        task = await asked(world, "maintenance-off", filters={"tag": []} | {"maintenance": True})
    async with open_store(tmp_path / "store.db") as store:
        world = World(store)
        view = await done(world, await world.task(task.id))
        assert view.counts == {"done": 3}
