"""``qrm tasks``, ``--wait``, and commands for many machines at once."""

import asyncio
import os
import pty
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
import pytest
from cli_world import Cli

from appliance.cli.bulk import parse_where
from appliance.machine import State
from appliance.reconcile.bell import Bell
from appliance.reconcile.bulk import job_kinds
from appliance.reconcile.loop import ReconcileLoop
from appliance.reconcile.wishes import NewDeployment
from appliance.store import attempts, machines
from appliance.workflow import failed
from tests.people import ADMIN


@asynccontextmanager
async def daemon(qrm: Cli) -> AsyncIterator[None]:
    """The loops that act on wishes run for the length of the with-block."""
    services = qrm.world.services
    qrm.kinds |= job_kinds(services.wishes, services.clock)
    loop = ReconcileLoop(services.store, services.bus, Bell(), services.clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(loop.run())
        yield
        running.cancel()


async def _deployment(qrm: Cli, tmp_path) -> None:
    disk = tmp_path / "demo.raw"
    disk.write_bytes(b"\0" * 4096)
    await qrm.run("images", "add", str(disk))
    await qrm.world.machine()
    await qrm.world.services.wishes.create_deployment(NewDeployment("web-1", "demo"), ADMIN)


async def test_list_show_log_and_cancel(qrm: Cli, tmp_path) -> None:
    assert "No task." in (await qrm.run("tasks")).out
    await _deployment(qrm, tmp_path)
    assert "asked to start (task 2)" in (await qrm.run("deployments", "start", "web-1")).out
    listed = (await qrm.run("tasks", "--open")).out
    assert "Start web-1 on node-1" in listed
    assert "waiting" in listed
    assert (await qrm.run("tasks", "list", "--machine", "node-1", "--json")).json["items"][0]["id"] == 2
    assert (await qrm.run("tasks", "list", "--status", "cancelled", "--status", "failed", "--json")).json["items"] == []
    shown = (await qrm.run("tasks", "show", "2")).out
    assert "The wish is taken back" in shown
    assert "deployment  web-1" in shown
    assert "admin asked to start web-1" in (await qrm.run("tasks", "log", "2")).out
    assert (await qrm.run("tasks", "log", "2", "--json")).json["items"][0]["kind"] == "deployment.changed"
    cancelled = await qrm.run("tasks", "cancel", "2")
    assert "The wish is taken back" in cancelled.err
    assert cancelled.out == "Start web-1 on node-1: is cancelled\n"
    assert "cancel-refused" in (await qrm.run("tasks", "cancel", "2", code=4)).err
    assert "cancelled: admin cancelled it" in (await qrm.run("tasks", "wait", "2", code=1)).err
    assert "task-unknown" in (await qrm.run("tasks", "show", "77", code=4)).err


async def test_wait_shows_lines_and_fails_with_the_reason(qrm: Cli, tmp_path) -> None:
    await _deployment(qrm, tmp_path)
    async with daemon(qrm):
        process = await qrm.start("deployments", "start", "web-1", "--wait")
        assert process.stderr is not None
        async with asyncio.timeout(30):
            while b"preparing the disk: Switch node-1 on" not in (line := await process.stderr.readline()):
                assert line
            await _fail(qrm)
            rest = await process.stderr.read()
            assert await process.wait() == 1
    assert b"no answer" in rest


async def _fail(qrm: Cli) -> None:
    from appliance.reconcile.record import record
    from appliance.reconcile.settle import settle

    services = qrm.world.services

    def job(db, tell) -> None:
        (attempt,) = attempts.live(db)
        machine, now = machines.get(db, attempt.machine), services.clock()
        settle(db, tell, machine, attempt, failed(attempt, "download-failed", "no answer", now), now)

    await record(services.store, services.bus, job)


async def test_ctrl_c_ends_the_waiting_and_not_the_task(qrm: Cli, tmp_path) -> None:
    await _deployment(qrm, tmp_path)
    process = await qrm.start("deployments", "start", "web-1", "--wait")
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while b"waiting" not in await process.stderr.readline():
            continue
        process.send_signal(signal.SIGINT)
        said = await process.stderr.read()
        assert await process.wait() == 1
    assert b"Start web-1 on node-1 goes on (wait-stopped)" in said
    assert b"qrm tasks wait 2" in said
    assert (await qrm.run("tasks", "show", "2", "--json")).json["status"] == "waiting"


async def test_a_terminal_gets_a_bar(qrm: Cli, tmp_path) -> None:
    await _deployment(qrm, tmp_path)
    leader, follower = pty.openpty()
    try:
        process = await qrm.start("deployments", "wait", "web-1", "--timeout", "0", stderr=follower)
        assert await process.wait() == 0
        await qrm.run("deployments", "start", "web-1")
        process = await qrm.start("deployments", "wait", "web-1", "--timeout", "0", stderr=follower)
        async with asyncio.timeout(30):
            assert await process.wait() == 1
        shown = os.read(leader, 65536).decode()
    finally:
        os.close(leader)
        os.close(follower)
    assert "Start web-1 on node-1: waiting" in shown
    assert "0%" in shown
    assert "0:00:0" in shown


async def test_set_many(qrm: Cli) -> None:
    for number in (1, 2, 3):
        await qrm.world.machine(number, maintenance=True)
    async with daemon(qrm):
        done = await qrm.run("machines", "set", "node-1", "m2", "--maintenance", "off", "--tag", "rack-3")
        assert "Tag 2 machines\n2 done\nMaintenance off for 2 machines\n2 done" in done.out
        listed = (await qrm.run("machines", "list", "--json")).json["items"]
        assert [(each["maintenance"], each["tags"]) for each in listed] == [
            (False, ["rack-3"]), (False, ["rack-3"]), (True, []),
        ]  # fmt: skip
        where = await qrm.run("machines", "set", "--where", "tag=rack-3,state=idle", "--broken")
        assert "Call 2 machines broken" in where.out
        await qrm.world.machine(3, state=State.DEPLOYING)
        mixed = await qrm.run("machines", "set", "node-1", "node-3", "node-9", "--broken", code=1)
        assert "1 of 3 machines failed" in mixed.err
        assert "node-3 is deploying" in mixed.out
        assert "there is no machine 'node-9'" in mixed.out
        assert "1 done, 1 failed, 1 skipped" in mixed.out
    await qrm.run("machines", "set", "--maintenance", "off", code=2)
    await qrm.run("machines", "set", "node-1", "--where", "state=idle", "--maintenance", "off", code=2)
    assert "only one machine" in (await qrm.run("machines", "set", "node-1", "node-2", "--name", "x", code=2)).err


async def test_delete_many_wants_their_number(qrm: Cli) -> None:
    for number in (1, 2, 3):
        await qrm.world.machine(number)
    refused = await qrm.run("machines", "delete", "--where", "state=idle", code=1)
    assert "--confirm 3 machines" in refused.err
    async with daemon(qrm):
        done = await qrm.run("machines", "delete", "--where", "state=idle", "--confirm", "3 machines")
    assert "3 done" in done.out
    assert (await qrm.run("machines", "--json")).json["items"] == []


async def test_start_many(qrm: Cli, tmp_path) -> None:
    await _deployment(qrm, tmp_path)
    await qrm.world.services.wishes.create_deployment(NewDeployment("web-2", "demo"), ADMIN)
    async with daemon(qrm):
        started = await qrm.run("deployments", "start", "--where", "state=released", code=1)
        assert "1 done, 1 failed" in started.out
        assert "no machine fits" in started.out
    await qrm.run("deployments", "redeploy", "web-1", "web-2", code=2)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("state=idle", {"state": "idle"}),
        ("state=idle, tag=a,tag=b", {"state": "idle", "tag": ["a", "b"]}),
        ("maintenance=on,offline=no,q=true", {"maintenance": True, "offline": False, "q": "true"}),
        ("q=a=b", {"q": "a=b"}),
    ],
)
def test_where(text: str, meant: dict[str, object]) -> None:
    assert parse_where(text) == meant


@pytest.mark.parametrize("text", ["", "state", "=x", "state=idle,,", "maintenance=maybe"])
def test_where_that_says_nothing(text: str) -> None:
    with pytest.raises(click.UsageError):
        parse_where(text)
