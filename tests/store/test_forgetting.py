"""What the store forgets of attempts and of the items of jobs, and what it keeps."""

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.catalogue import Image, ImageId
from appliance.deployment import Deployment
from appliance.events import Bus
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.reconcile.upkeep import Upkeep
from appliance.store import attempts, catalogue, deployments, machines, tasks
from appliance.store.store import Store, open_store
from appliance.task import Status, Task, TaskId
from appliance.workflow import Attempt, AttemptId, DeploymentId, Kind, begin, failed
from appliance.workflow import Status as Going

M1, M2 = MachineId("m1"), MachineId("m2")
KEEP = 3


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "KEEP", KEEP)
    monkeypatch.setattr(attempts, "SLICE", 2)
    monkeypatch.setattr(tasks, "KEEP_ITEMS_OF", KEEP)
    monkeypatch.setattr(tasks, "SLICE", 2)


async def upkeep(store: Store) -> None:
    await Upkeep(store, Bus(), lambda: 0.0).round()


async def with_machines(store: Store) -> DeploymentId:
    image = Image(ImageId(0), "demo", "", "raw", 512, 512, "0" * 64, 512, 0.0)

    def job(db) -> DeploymentId:
        for number, key in enumerate((M1, M2)):
            macs = (MacAddress(f"52:54:00:00:00:0{number}"),)
            machines.put(db, Machine(key, f"node-{number}", State.IDLE, macs, 0.0))
        stored = catalogue.add_image(db, image)
        return deployments.add(db, Deployment(DeploymentId(0), "web", stored.id, 0.0)).id

    return await store.write(job)


def attempt(number: int, machine: MachineId = M1, deployment: DeploymentId | None = None) -> Attempt:
    made = begin(
        AttemptId(f"{machine}-{number:02}"),
        Kind.STOP,
        machine,
        deployment,
        ("return",),
        nonce="",
        armed=False,
        now=number,
    )
    return failed(made, "x", "no", number + 0.5)


async def stored(store: Store, *made: Attempt) -> None:
    for each in made:
        await store.write(lambda db, each=each: attempts.put(db, each))


async def left(store: Store, *made: Attempt) -> list[str]:
    return [each.id for each in made if await store.read(lambda db, each=each: attempts.find(db, each.id))]


async def test_the_last_attempts_of_each_machine_are_kept(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        await with_machines(store)
        many, few = [attempt(n) for n in range(12)], [attempt(n, M2) for n in range(KEEP)]
        await stored(store, *many, *few)
        await upkeep(store)
        assert await left(store, *many, *few) == [each.id for each in (*many[-KEEP:], *few)]


async def test_the_last_attempts_of_a_deployment_are_kept_until_it_is_deleted(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        web = await with_machines(store)
        theirs, later = [attempt(n, deployment=web) for n in range(6)], [attempt(n) for n in range(6, 12)]
        await stored(store, *theirs, *later)
        await upkeep(store)
        assert await left(store, *theirs, *later) == [each.id for each in (*theirs[-KEEP:], *later[-KEEP:])]
        await store.write(lambda db: deployments.delete(db, web))
        await upkeep(store)
        assert await left(store, *theirs, *later) == [each.id for each in later[-KEEP:]]


async def test_what_an_open_task_follows_and_what_goes_on_is_kept(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        await with_machines(store)
        many = [attempt(n) for n in range(12)]
        live = replace(many[2], status=Going.LIVE)
        await stored(store, *many[:2], live, *many[3:])
        for number, open_ in ((4, True), (5, False)):
            task = Task(TaskId(0), "deployment.stop", "Stop", "ada", 0.0, machine=M1, attempt=many[number].id)
            task = task if open_ else replace(task, status=Status.DONE, ended=1.0)
            await store.write(lambda db, task=task: tasks.add(db, task))
        await upkeep(store)
        assert await left(store, *many) == [many[2].id, many[4].id, *(each.id for each in many[-KEEP:])]


async def test_the_items_of_the_last_jobs_are_kept_and_of_those_that_go_on(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:

        def job(db) -> list[TaskId]:
            made = []
            for number in range(6):
                ended = None if number == 0 else 1.0
                status = Status.RUNNING if number == 0 else Status.DONE
                task = Task(TaskId(0), "machine.bulk", "Tag", "ada", 0.0, status=status, ended=ended, job=True)
                made.append(tasks.add(db, task).id)
                tasks.add_items(db, made[-1], [tasks.Item(str(n), f"m{n}", "done") for n in range(5)])
                # Those without items count for nothing.
                tasks.add(db, replace(task, job=False))
            return made

        made = await store.write(job)
        await upkeep(store)
        kept = [each for each in made if await store.read(lambda db, each=each: tasks.items(db, each))]
        assert kept == [made[0], *made[-KEEP:]]
        assert [await store.read(lambda db, each=each: tasks.get(db, each)) for each in made]
