"""Tasks and bulk actions over the API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from web_world import World

from appliance.reconcile.bell import Bell
from appliance.reconcile.bulk import job_kinds
from appliance.reconcile.jobs import Jobs
from appliance.reconcile.loop import ReconcileLoop


@asynccontextmanager
async def daemon(world: World) -> AsyncIterator[None]:
    """The loops that act on wishes run for the length of the with-block."""
    services = world.services
    jobs = Jobs(services.store, services.bus, services.clock, job_kinds(services.wishes, services.clock))
    loop = ReconcileLoop(services.store, services.bus, Bell(), services.clock)
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(jobs.run()), group.create_task(loop.run())]
        yield
        for each in running:
            each.cancel()


async def until(world: World, task: int, *statuses: str) -> Any:
    async with asyncio.timeout(20):
        while (found := await world.api("GET", f"/tasks/{task}"))["status"] not in statuses:
            await asyncio.sleep(0.01)
    return found


async def started(admin: World) -> Any:
    await admin.image()
    await admin.machine()
    await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "demo"})
    return await admin.api("POST", "/deployments/web-1/start", 202)


async def test_an_action_answers_with_where_its_task_is(admin: World) -> None:
    await admin.image()
    await admin.machine()
    await admin.api("POST", "/deployments", 201, json={"name": "web-1", "image": "demo"})
    url = "/api/v1/deployments/web-1/start"
    async with admin.client.post(url, headers=admin.headers, json={}) as response:
        assert response.status == 202
        task = await response.json()
        assert response.headers["Location"] == f"/api/v1/tasks/{task['id']}"
    shown = await admin.api("GET", f"/tasks/{task['id']}")
    assert shown == task
    assert shown["cancel"] == {"possible": True, "text": "Nothing of it has begun. The wish is taken back."}
    assert (shown["owner"], shown["progress"], shown["result"]) == ("admin", 0.0, {})


async def test_a_task_runs_and_is_cancelled(admin: World) -> None:
    task = await started(admin)
    async with daemon(admin):
        running = await until(admin, task["id"], "running")
        assert running["message"] == "preparing the disk"
        assert running["advice"] == "Switch node-1 on"
        assert running["deadline"] is not None
        assert running["attempt"]
        cancelled = await admin.api("POST", f"/tasks/{task['id']}/cancel")
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "admin cancelled it")
    again = await admin.api("POST", f"/tasks/{task['id']}/cancel", 409)
    assert again["code"] == "cancel-refused"
    deployment = await admin.api("GET", "/deployments/web-1")
    assert (deployment["state"], deployment["wanted"]) == ("released", "released")
    log = await admin.api("GET", f"/tasks/{task['id']}/log")
    assert "attempt.started" in [line["kind"] for line in log["items"]]
    assert log["after"] == log["items"][-1]["number"]
    rest = await admin.api("GET", f"/tasks/{task['id']}/log?after={log['after']}")
    assert (rest["items"], rest["after"]) == ([], log["after"])


async def test_listing(admin: World) -> None:
    task = await started(admin)
    page = await admin.api("GET", "/tasks?open=true&owner=admin&deployment=web-1&machine=node-1")
    assert ([each["id"] for each in page["items"]], page["next"], page["total"]) == ([task["id"]], None, 1)
    assert (await admin.api("GET", "/tasks?status=done&status=failed"))["items"] == []
    assert (await admin.api("GET", "/tasks?color=red", 400))["code"] == "query-unknown"
    assert (await admin.api("GET", "/tasks?sort=-title&limit=1"))["total"] == 1


@pytest.mark.parametrize("key", ["99", "x", "0", "-1", "1" * 30])
async def test_what_is_not_there(admin: World, key: str) -> None:
    for method, path in (("GET", ""), ("GET", "/log"), ("POST", "/cancel")):
        assert (await admin.api(method, f"/tasks/{key}{path}", 404))["code"] == "task-unknown"


async def test_bulk_over_machines(admin: World) -> None:
    for number in (1, 2, 3):
        await admin.machine(number, maintenance=True)
    body = {"action": "maintenance-off", "filter": {"maintenance": True, "state": "idle"}}
    async with admin.client.post("/api/v1/machines/bulk", headers=admin.headers, json=body) as response:
        assert response.status == 202
        task = await response.json()
        assert response.headers["Location"] == f"/api/v1/tasks/{task['id']}"
    assert (task["counts"], task["title"]) == ({"waiting": 3}, "Maintenance off for 3 machines")
    async with daemon(admin):
        done = await until(admin, task["id"], "done", "failed")
    assert (done["status"], done["counts"], done["progress"]) == ("done", {"done": 3}, 1.0)
    first = {"id": "m1", "name": "node-1", "status": "done", "code": "", "text": "", "task": None}
    assert done["result"]["items"][0] == first
    assert not (await admin.api("GET", "/machines/m1"))["maintenance"]
    listed = (await admin.api("GET", "/tasks"))["items"][0]
    assert "result" not in listed
    assert listed["counts"] == {"done": 3}


async def test_bulk_over_deployments(admin: World) -> None:
    await started(admin)
    body = {"action": "delete", "deployments": ["web-1"], "confirm": "1 deployment"}
    task = await admin.api("POST", "/deployments/bulk", 202, json=body)
    async with daemon(admin):
        done = await until(admin, task["id"], "done", "failed")
    assert (done["status"], done["reason"]) == ("failed", "1 of 1 deployment failed")
    assert done["result"]["items"][0]["code"] == "deployment-used"


@pytest.mark.parametrize(
    ("noun", "body", "code", "field"),
    [
        ("machines", {"action": "explode", "machines": ["m1"]}, "body-field", "action"),
        ("machines", {"machines": ["m1"]}, "body-field", "action"),
        ("machines", {"action": "tag", "machines": ["m1"]}, "argument-missing", "tags"),
        ("machines", {"action": "break"}, "selection-invalid", "machines"),
        ("machines", {"action": "break", "filter": {"color": "red"}}, "filter-unknown", "filter"),
        ("machines", {"action": "break", "filter": {"state": "purple"}}, "filter-invalid", "filter.state"),
        ("machines", {"action": "break", "filter": {"tag": ["a"] * 3000}}, "filter-invalid", "filter.tag"),
        ("machines", {"action": "break", "filter": {"maintenance": "yes"}}, "filter-invalid", "filter.maintenance"),
        ("deployments", {"action": "redeploy", "deployments": ["1"]}, "body-field", "action"),
        ("deployments", {"action": "start", "deployments": []}, "selection-empty", "deployments"),
    ],
)
async def test_refusals_name_the_field(admin: World, noun: str, body: Any, code: str, field: str) -> None:
    await admin.machine()
    problem = await admin.api("POST", f"/{noun}/bulk", 422, json=body)
    assert (problem["code"], problem["field"]) == (code, field)
    assert (await admin.api("GET", "/tasks"))["items"] == []


async def test_deleting_many_wants_their_number(admin: World) -> None:
    await admin.machine()
    problem = await admin.api("POST", "/machines/bulk", 409, json={"action": "delete", "filter": {}})
    assert (problem["code"], problem["field"], problem["hint"]) == (
        "confirmation-needed", "confirm", "confirm with '1 machine'",
    )  # fmt: skip
