"""Power by ``qrm``: the password is typed or read from a file, and is in nobody's list of processes."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from cli_world import Cli

from appliance.machine import State
from appliance.reconcile.bulk import job_kinds
from appliance.reconcile.jobs import JobFailed, JobKind, Running
from appliance.reconcile.power_actions import KIND
from appliance.store import power
from appliance.task import Task

SECRET = "calvin-and-hobbes"
SET = ("machines", "power-settings", "set", "node-1", "--kind", "ipmi", "--address", "192.0.2.10", "--user", "root")


async def test_settings_with_a_password_that_is_typed(qrm: Cli) -> None:
    await qrm.world.machine()
    assert "power-none" in (await qrm.run("machines", "power-settings", "show", "node-1", code=4)).err
    made = await qrm.run(*SET, stdin=f"{SECRET}\n")
    assert "192.0.2.10" in made.out
    shown = await qrm.run("machines", "power-settings", "show", "node-1", "--json")
    assert (shown.json["secret_set"], SECRET in made.out + made.err + shown.out) == (True, False)
    kept = await qrm.run(*SET, "--keep-password", "--privilege", "operator")
    assert "operator" in kept.out
    elsewhere = [*SET[:-3], "192.0.2.66", *SET[-2:], "--keep-password"]
    assert "power-secret-missing" in (await qrm.run(*elsewhere, code=4)).err


async def test_a_password_from_a_file(qrm: Cli, tmp_path: Path) -> None:
    await qrm.world.machine()
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    await qrm.run(*SET, "--password-file", str(file))
    assert "cannot be read" in (await qrm.run(*SET, "--password-file", str(tmp_path / "none"), code=1)).err
    assert "remove" in (await qrm.run("machines", "power-settings", "remove", "--help")).out
    assert "confirmation-needed" in (await qrm.run("machines", "power-settings", "remove", "node-1", code=1)).err
    await qrm.run("machines", "power-settings", "remove", "node-1", "--confirm", "node-1")
    assert "by hand" in (await qrm.run("machines", "power", "node-1", "status")).out


async def test_one_machine_is_switched(qrm: Cli) -> None:
    await qrm.world.machine(1, State.BROKEN)
    assert "power-none" in (await qrm.run("machines", "power", "node-1", "on", code=4)).err
    await qrm.run(*SET, stdin=f"{SECRET}\n")
    assert "ipmi" in (await qrm.run("machines", "power", "node-1", "status")).out
    asked = await qrm.run("machines", "power", "node-1", "off", code=1)
    assert "Its power is cut" in asked.err
    assert "confirmation-needed" in asked.err
    done = await qrm.run("machines", "power", "node-1", "off", "--confirm", "node-1")
    assert "Switch node-1 off (task 1)" in done.out
    assert "power-busy" in (await qrm.run("machines", "power", "node-1", "on", code=4)).err
    (listed,) = (await qrm.run("machines", "power", "node-1", "status", "--json")).json
    assert listed["power"]["wanted"] == "off"


async def test_many_are_confirmed_with_their_number(qrm: Cli) -> None:
    for number in (1, 2):
        await qrm.world.machine(number)
    refused = await qrm.run("machines", "power", "node-1", "node-2", "off", code=1)
    assert "2 machines" in refused.err
    assert "without shutting down what runs" in refused.err
    assert "one switch at a time" in (await qrm.run("machines", "power", "node-1", "node-2", "test", code=2)).err
    found = await qrm.run("machines", "power", "--where", "state=idle", "status")
    assert "node-1" in found.out
    assert "node-2" in found.out


@asynccontextmanager
async def switching(qrm: Cli) -> AsyncIterator[None]:
    """Orders are carried out meanwhile: node-1 obeys, the controller of node-2 is dead."""

    def end(db: sqlite3.Connection, task: Task) -> None:
        order = power.order_of_task(db, task.id)
        assert order is not None
        power.put_order(db, replace(order, ended=order.created))

    async def run(running: Running) -> dict[str, object]:
        await running.store.write(lambda db: end(db, running.task))
        if "node-2" in running.task.title:
            raise JobFailed("power-unreachable", "the controller does not answer", {})
        return {"power": "off"}

    services = qrm.world.services
    qrm.kinds |= {**job_kinds(services.wishes, services.clock), KIND: JobKind(run, resumes=True)}
    yield


async def test_who_waits_is_told_what_became_of_each(qrm: Cli) -> None:
    for number in (1, 2):
        await qrm.world.machine(number)
        await qrm.run(*SET[:3], f"node-{number}", *SET[4:], stdin=f"{SECRET}\n")
    switch = ("machines", "power")
    async with switching(qrm):
        done = await qrm.run(*switch, "node-1", "off", "--wait")
        assert done.out.splitlines()[-1] == "node-1 is off"
        many = await qrm.run(*switch, "node-1", "node-2", "off", "--wait", "--confirm", "2 machines", code=1)
        assert "2 done" in many.out, "the orders were given"
        assert "Switch node-2 off: failed: the controller does not answer" in many.err
        assert "1 of 2 machines failed" in many.err
        assert "2 done" in (await qrm.run(*switch, "node-1", "node-2", "off", "--confirm", "2 machines")).out
