"""Jobs: begun as there is room, told of, cancelled on the way, gone on with or failed after a restart."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from appliance.errors import ApplianceError
from appliance.reconcile.jobs import MOST, JobCancelled, JobFailed, JobKind, Jobs, open_job
from appliance.reconcile.record import record
from appliance.reconcile.taskviews import task_log
from appliance.store import tasks
from appliance.task import Status, begun
from tests.people import ADA, SOMEBODY


async def asked(world, kind="count", **arguments):
    def job(db, tell):
        return open_job(db, tell, kind, f"Do {kind}", ADA, world.now, arguments)

    return await record(world.store, world.bus, job)


@asynccontextmanager
async def at_work(world, **kinds):
    """The jobs of these kinds are done for the length of the with-block; a kind is a coroutine or (it, resumes)."""
    table = {
        name: JobKind(*each) if isinstance(each, tuple) else JobKind(each, resumes=False)
        for name, each in kinds.items()
    }
    jobs = Jobs(world.store, world.bus, lambda: world.now, table)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(jobs.run())
        yield jobs
        running.cancel()


async def ended(world, task):
    with world.bus.subscribe() as subscription:
        while (found := await world.task(task.id)).open:
            async with asyncio.timeout(20):
                await subscription.get()
    return found


async def test_a_job_is_done_with_its_result_and_its_log(world):
    async def count(running):
        await running.say("one")
        await running.progress(0.5, "half")
        return {"counted": running.task.arguments["to"]}

    async with at_work(world, count=count):
        task = await asked(world, to=3)
        done = await ended(world, task)
    assert (done.status, done.result, done.progress, done.owner) == (Status.DONE, {"counted": 3}, 1.0, "ada")
    assert [line.text for line in await task_log(world.store, str(task.id))] == ["begins", "one", "done"]
    assert [event.detail["status"] for event in await world.events("task.changed")] == ["waiting", "done"]


async def test_what_was_asked_for_while_nobody_worked_is_found(world):
    async def count(running):
        return {}

    first = await asked(world)
    async with at_work(world, count=count):
        assert (await ended(world, first)).status is Status.DONE


@pytest.mark.parametrize(
    ("error", "code", "result"),
    [
        (ApplianceError("disk-full", "no room"), "disk-full", {}),
        (JobFailed("items-failed", "1 failed", {"some": 1}), "items-failed", {"some": 1}),
        (ZeroDivisionError("ours"), "job-defect", {}),
    ],
)
async def test_a_job_that_fails_says_why_and_others_go_on(world, error, code, result):
    async def count(running):
        if running.task.arguments:
            raise error
        return {}

    async with at_work(world, count=count):
        failed = await ended(world, await asked(world, fail=True))
        assert (failed.status, failed.code, failed.result) == (Status.FAILED, code, result)
        assert failed.reason
        assert (await ended(world, await asked(world))).status is Status.DONE


async def test_only_so_many_at_once_and_in_their_order(world):
    let_go, seen, most = asyncio.Event(), [], 0
    busy = set()

    async def count(running):
        nonlocal most
        busy.add(running.task.id)
        most = max(most, len(busy))
        seen.append(running.task.id)
        await let_go.wait()
        busy.discard(running.task.id)
        return {}

    made = [await asked(world) for _ in range(5)]
    async with at_work(world, count=count):
        async with asyncio.timeout(10):
            while len(seen) < MOST:
                await asyncio.sleep(0.01)
        assert [(await world.task(task.id)).status for task in made] == ["running"] * MOST + ["waiting"] * (5 - MOST)
        let_go.set()
        for task in made:
            assert (await ended(world, task)).status is Status.DONE
    assert most == MOST
    assert seen == [task.id for task in made]


async def test_cancelled_on_the_way(world):
    at_it = asyncio.Event()

    async def count(running):
        at_it.set()
        while True:
            await running.check()
            await asyncio.sleep(0)

    async with at_work(world, count=count):
        task = await asked(world)
        await at_it.wait()
        assert (await world.wishes.cancel_task(str(task.id), SOMEBODY)).status is Status.RUNNING
        after = await ended(world, task)
    assert (after.status, after.reason) == (Status.CANCELLED, "somebody cancelled it")
    assert (await world.events("task.changed"))[-1].reason == "somebody cancelled it"


async def test_cancelled_before_it_began_it_never_does(world):
    async def count(running):
        raise AssertionError("it was cancelled")

    task = await asked(world)
    await world.wishes.cancel_task(str(task.id), SOMEBODY)
    async with at_work(world, count=count):
        assert (await ended(world, task)).status is Status.CANCELLED


@pytest.mark.parametrize(("resumes", "status"), [(True, Status.DONE), (False, Status.FAILED)])
async def test_after_a_restart_it_goes_on_or_fails_with_the_reason(world, resumes, status):
    async def count(running):
        return {}

    task = await asked(world)
    await world.store.write(lambda db: tasks.put(db, begun(task)))
    async with at_work(world, count=(count, resumes)):
        after = await ended(world, task)
    assert after.status is status
    assert after.code == ("" if resumes else "restarted")
    first = (await task_log(world.store, str(task.id)))[0].text
    assert ("after a restart" in first) is resumes


async def test_a_kind_that_this_version_does_not_know_fails(world):
    task = await asked(world, "brew-coffee")
    async with at_work(world):
        assert (await ended(world, task)).code == "job-unknown"


async def test_progress_is_stored_rarely_and_cancels(world):
    stored = []

    async def count(running):
        for number in range(100):
            await running.progress(number / 100, f"at {number}")
            stored.append((await world.task(running.task.id)).message)
        world.now += 2
        await running.progress(0.99, "nearly")
        assert (await world.task(running.task.id)).message == "nearly"
        await world.store.write(lambda db: tasks.put(db, replace(running.task, cancelled_by="bob")))
        world.now += 2
        with pytest.raises(JobCancelled):
            await running.progress(1.0, "x")
        raise JobCancelled

    async with at_work(world, count=count):
        after = await ended(world, await asked(world))
    assert set(stored) == {"at 0"}
    assert (after.status, after.reason) == (Status.CANCELLED, "bob cancelled it")


async def test_logs_are_bounded(world, monkeypatch):
    monkeypatch.setattr(tasks, "KEEP_LINES", 50)

    async def count(running):
        for number in range(300):
            await running.say(f"line {number} " + "x" * 5000)
        return {}

    async with at_work(world, count=count):
        task = await asked(world)
        await ended(world, task)
    lines = await task_log(world.store, str(task.id))
    assert len(lines) <= 150
    assert lines[-2].text.startswith("line 299 ")
    assert max(len(line.text) for line in lines) == tasks.LONGEST_LINE
