"""Tasks of deployments: opened with the wish, tied to its attempt, ended with it, cancelled by somebody."""

from dataclasses import replace

import pytest
from fleet_world import FULL, Played, a_world, disk, state

from appliance.deployment import Wanted
from appliance.errors import Conflict, NotFound
from appliance.machine import State
from appliance.reconcile.consequences import Action
from appliance.reconcile.taskviews import task_log, task_view, task_views
from appliance.reconcile.wishes import MachineChange
from appliance.store import listing, tasks
from appliance.store.listing import Asked
from appliance.task import Status
from appliance.workflow import CONFIGURE, HAND_OVER, PREPARE, WRITE
from tests.people import ADA, SOMEBODY


async def started(world, node):
    await node.usable()
    await world.deploy()
    return await world.act("start")


async def test_a_start_is_followed_to_its_end(world, node):
    number = await started(world, node)
    task = await world.task(number)
    assert (task.status, task.kind, task.owner) == (Status.RUNNING, "deployment.start", "ada")
    assert task.title == "Start web-1 on node-000001"
    assert task.attempt == (await node.attempt()).id
    await node.step(PREPARE)
    work = await node.work()
    await node.report(work, "running", progress=0.5, message="512 of 1024 MB")
    view = await task_view(world.store, str(number), world.now)
    assert 0.1 < view.progress < 0.5
    assert view.message == "writing the image: 512 of 1024 MB"
    assert (view.machine, view.deployment) == ("node-000001", "web-1")
    await node.report(work)
    for step in ("grow", CONFIGURE, HAND_OVER):
        await node.step(step)
    await node.reports_active()
    after = await world.task(number)
    assert (after.status, after.progress, after.ended) == (Status.DONE, 1.0, world.now)
    told = [event.detail["status"] for event in await world.events("task.changed")]
    assert told == ["waiting", "done"]


async def test_a_failure_ends_the_task_with_its_reason_and_a_retry_is_a_task_of_its_own(world, node):
    number = await started(world, node)
    await node.step(PREPARE)
    await node.report(await node.work(), "failed", code="download-failed", message="no answer")
    task = await world.task(number)
    assert (task.status, task.code, task.reason) == (Status.FAILED, "download-failed", "no answer")
    again = await world.act("retry")
    assert again != number
    assert (await world.task(again)).status is Status.RUNNING
    await node.installs()
    await node.reports_active()
    assert (await world.task(again)).status is Status.DONE
    assert (await world.task(number)).status is Status.FAILED


async def test_stop_and_release_are_tasks_too(world, node):
    await node.active()
    stop = await world.act("stop")
    await node.obeys()
    await node.boots_stack()
    assert (await world.task(stop)).status is Status.DONE
    release = await world.act("release")
    assert (await world.task(release)).status is Status.DONE, "its system is down: there is no step"
    assert await state(node) == "idle"


async def test_a_task_without_an_attempt_is_waiting_and_is_overtaken_by_the_next_wish(world, node):
    await node.active()
    first = await world.wishes.act("web-1", Action.STOP, None, ADA)
    assert first.status is Status.WAITING
    second = await world.wishes.act("web-1", Action.START, None, SOMEBODY)
    assert second.status is Status.DONE, "it runs already"
    overtaken = await world.task(first.id)
    assert (overtaken.status, overtaken.code) == (Status.CANCELLED, "overtaken")
    assert overtaken.reason == "somebody asked for something else: Start web-1 on node-000001"
    await world.loop.round()
    assert await state(node) == "active"


async def test_cancelled_before_it_began_everything_is_as_before(world, node):
    await node.usable()
    await world.deploy()
    before = await world.deployment()
    task = await world.wishes.act("web-1", Action.START, None, ADA)
    assert (await world.deployment()).machine is not None
    cancelled = await world.wishes.cancel_task(str(task.id), SOMEBODY)
    assert (cancelled.status, cancelled.reason) == (Status.CANCELLED, "somebody cancelled it")
    assert await world.deployment() == before
    entry = await world.store.read(
        lambda db: listing.one(db, "SELECT who, subject FROM audit WHERE action = 'task.cancel'")
    )
    assert entry == ("somebody", str(task.id))
    await world.loop.round()
    assert await state(node) == "idle"


async def test_cancelled_while_nothing_was_handed_out_everything_is_as_before(world, node):
    """The machine is off, and somebody chose the wrong one."""
    await node.usable()
    await world.deploy()
    before = await world.deployment()
    number = await world.act("start")
    assert await state(node) == "deploying"
    await world.wishes.cancel_task(str(number), ADA)
    assert (await state(node), await world.deployment()) == ("idle", before)
    assert (await world.task(number)).status is Status.CANCELLED
    await world.loop.round()
    assert await state(node) == "idle"
    assert await node.work() is None


async def test_a_stop_that_was_not_heard_of_yet_is_taken_back(world, node):
    await node.active()
    number = await world.act("stop")
    await world.wishes.cancel_task(str(number), ADA)
    await world.loop.round()
    assert (await state(node), (await world.deployment()).wanted) == ("active", Wanted.RUNNING)
    await world.act("stop")
    await node.obeys()
    await node.boots_stack()
    again = await world.act("start")
    await world.wishes.cancel_task(str(again), ADA)
    await world.loop.round()
    assert (await state(node), (await world.deployment()).wanted) == ("stopped", Wanted.STOPPED)


async def test_cancelled_in_the_middle_the_agent_is_told_to_stop_and_the_machine_can_be_retried(world, node):
    number = await started(world, node)
    await node.step(PREPARE)
    work = await node.work()
    assert work.step == WRITE
    assert await node.report(work, "running", progress=0.1)
    cancelled = await world.wishes.cancel_task(str(number), SOMEBODY)
    assert (cancelled.status, cancelled.code, cancelled.reason) == ("cancelled", "cancelled", "somebody cancelled it")
    machine = await node.seen()
    assert (machine.state, machine.failed_code) == (State.FAILED, "cancelled")
    assert await node.report(work, "running", progress=0.2) is False
    assert await node.report(work, "done") is False
    assert await node.work() is None
    again = await world.act("retry")
    await node.installs()
    await node.reports_active()
    assert (await world.task(again)).status is Status.DONE


async def test_what_was_handed_over_is_not_cancelled(world, node):
    number = await started(world, node)
    await node.installs()
    with pytest.raises(Conflict, match="handed over") as refused:
        await world.wishes.cancel_task(str(number), ADA)
    assert refused.value.code == "cancel-refused"
    await node.reports_active()
    with pytest.raises(Conflict, match="is done already"):
        await world.wishes.cancel_task(str(number), ADA)
    for key in ("999", "x", "1" * 40):
        with pytest.raises(NotFound):
            await world.wishes.cancel_task(key, ADA)


async def test_a_rescue_that_is_cancelled_leaves_the_system_running(world, node):
    await node.active()
    task = await world.wishes.rescue("node-000001", ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE ada"], ADA)
    await world.loop.round()
    assert await state(node) == "rescuing"
    await world.wishes.cancel_task(str(task.id), ADA)
    await world.loop.round()
    machine = await node.seen()
    assert (machine.state, machine.rescue, (await world.deployment()).wanted) == ("active", None, Wanted.RUNNING)


async def test_a_machine_called_broken_ends_what_waits_for_it(world, node):
    await node.usable()
    await world.deploy()
    task = await world.wishes.act("web-1", Action.START, None, ADA)
    await world.wishes.change_machine("node-000001", MachineChange(broken=True), ADA)
    await world.loop.round()
    after = await world.task(task.id)
    assert (after.status, after.code) == (Status.FAILED, "machine-broken")


@pytest.mark.parametrize("died", ["before the link", "after the attempt", "with the deployment"])
async def test_tasks_are_made_true_after_whatever_was_cut_off(tmp_path, died):
    """Rows as no transaction of ours leaves them: an older version, or a defect, may."""
    async with a_world(tmp_path) as world:
        node = Played(world)
        number = await started(world, node)
        task = await world.task(number)
        if died == "before the link":
            lost = replace(task, status=Status.WAITING, attempt=None)
        elif died == "after the attempt":
            await node.installs()
            await node.reports_active()
            lost = replace(task, status=Status.WAITING, attempt=None)
        else:
            lost = replace(task, attempt="gone")
        await world.store.write(lambda db: tasks.put(db, lost))
    async with a_world_again(tmp_path) as world:
        await world.loop.round()
        after = await world.task(number)
        expected = {"before the link": "running", "after the attempt": "done", "with the deployment": "failed"}[died]
        assert after.status == expected
        events = len(await world.events("task.changed"))
        await world.loop.round()
        assert len(await world.events("task.changed")) == events, "once it is true, nothing is told again"


def a_world_again(path):
    from contextlib import asynccontextmanager

    from fleet_world import World

    from appliance.store.store import open_store

    @asynccontextmanager
    async def opened():
        async with open_store(path / "store.db") as store:
            yield World(store)

    return opened()


async def test_the_log_is_what_happened_meanwhile(world, node):
    await node.boots_stack()
    world.now += 10
    await world.wishes.change_machine("node-000001", MachineChange(maintenance=False), ADA)
    await world.deploy()
    world.now += 10
    number = await world.act("start")
    await node.installs()
    world.now += 1
    await node.reports_active()
    world.now += 10
    await world.wishes.change_machine("node-000001", MachineChange(notes="later"), ADA)
    lines = await task_log(world.store, str(number))
    kinds = [line.kind for line in lines]
    assert kinds[0] == "deployment.changed"
    assert {"attempt.started", "step.done", "attempt.done"} <= set(kinds)
    assert "inventory.taken" not in kinds, "that was before it"
    assert "later" not in " ".join(line.text for line in lines)
    assert [line.number for line in lines] == sorted({line.number for line in lines})
    rest = await task_log(world.store, str(number), after=lines[2].number)
    assert rest == lines[3:]
    assert await task_log(world.store, str(number), limit=2) == lines[:2]


async def test_listing_by_owner_machine_deployment_and_what_is_open(world, node):
    number = await started(world, node)
    await node.installs()
    await node.reports_active()
    stop = await world.act("stop")

    async def found(**filters):
        _, views = await task_views(world.store, Asked(filters, now=world.now))
        return [view.task.id for view in views]

    assert await found() == [stop, number]
    assert await found(open=True) == [stop]
    assert await found(open=False) == [number]
    assert await found(status=[Status.DONE]) == [number]
    assert await found(owner="ada") == [stop, number]
    assert await found(owner="bob") == []
    machine = (await node.seen()).id
    assert await found(machine=machine) == await found(machine="node-000001") == [stop, number]
    assert await found(deployment="1") == await found(deployment="web-1") == [stop, number]
    assert await found(kind="deployment.stop") == [stop]
    page, _ = await task_views(world.store, Asked(limit=1))
    assert (page.total, page.next is not None) == (2, True)
    second, views = await task_views(world.store, Asked(limit=1, cursor=page.next))
    assert ([view.task.id for view in views], second.next) == ([number], None)


async def test_lists_use_indexes(world):
    for filters in ({"open": True}, {"owner": "ada"}, {"kind": "x"}, {"machine": "m"}, {"deployment": "d"}):
        sql, values = listing.selection(tasks.LISTING, Asked(filters))
        sql = f"EXPLAIN QUERY PLAN SELECT tasks.id {sql} ORDER BY tasks.id DESC LIMIT 100"
        plan = await world.store.read(lambda db, sql=sql, values=values: listing.rows(db, sql, *values))
        assert "USING" in plan[0][3] or "SEARCH" in plan[0][3], (filters, plan)


async def test_only_so_many_ended_tasks_are_kept(world, node, monkeypatch):
    monkeypatch.setattr(tasks, "KEEP_ENDED", 3)
    monkeypatch.setattr(tasks, "SLICE", 2)
    await node.active()
    open_one = None
    for _ in range(4):
        await world.act("stop")
        await node.obeys()
        await node.boots_stack()
        await world.act("start")
        await node.step(HAND_OVER)
        await node.reports_active("b2")
    open_one = await world.act("stop")
    while await world.store.write(tasks.prune):
        continue
    _, views = await task_views(world.store, Asked())
    assert len(views) == 4
    assert views[0].task.id == open_one


async def test_a_disk_with_content_makes_no_task_before_it_is_confirmed(tmp_path):
    async with a_world(tmp_path) as world:
        node = Played(world, disks=[disk(content=FULL)])
        await node.usable()
        await world.deploy(disk="S1")
        with pytest.raises(Conflict):
            await world.wishes.act("web-1", Action.START, None, ADA)
        _, views = await task_views(world.store, Asked())
        assert views == []


async def test_a_deployment_that_is_deleted_has_no_open_task(tmp_path):
    async with a_world(tmp_path) as world:
        node = Played(world)
        number = await started(world, node)
        await world.wishes.cancel_task(str(number), ADA)
        await world.wishes.delete_deployment("web-1", ADA)
        task = await task_view(world.store, str(number), world.now)
        assert (task.deployment, task.task.status) == (None, Status.CANCELLED)
