"""Tags, rescue and boot messages by ``qrm``."""

import asyncio
from dataclasses import replace
from pathlib import Path

from cli_world import Cli

from appliance.machine import MachineId, State
from appliance.rescue import Rescue
from appliance.store import boot_messages, machines, tasks
from appliance.store.boot_messages import BootMessages
from appliance.task import Status, ended

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE somebody@desk"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFU8bzEWXL8tLMHoHFtQCtNTZ2yQSTVcKXjXJYgWJgVh"


def key_file(directory: Path) -> str:
    path = directory / "id.pub"
    path.write_text(f"{KEY}\n")
    return str(path)


async def test_tags(qrm: Cli) -> None:
    await qrm.world.machine()
    await qrm.run("machines", "set", "node-1", "--tag", "rack:3", "--tag", "ssd")
    assert "rack:3, ssd" in (await qrm.run("machines", "show", "node-1")).out
    await qrm.run("machines", "set", "node-1", "--untag", "ssd")
    assert (await qrm.run("machines", "show", "node-1", "--json")).json["tags"] == ["rack:3"]
    assert "rack:3" in (await qrm.run("machines", "list")).out
    assert "tag-invalid" in (await qrm.run("machines", "set", "node-1", "--tag", "A B", code=4)).err


async def test_rescue_and_its_end(qrm: Cli, tmp_path: Path) -> None:
    await qrm.world.machine()
    asked = await qrm.run("machines", "rescue", "node-1", "--key", key_file(tmp_path))
    assert "Its disks are not touched" in asked.err
    assert "node-1: asked to rescue (task 1)" in asked.out
    again = await qrm.run("machines", "rescue", "node-1", "--key", key_file(tmp_path), code=4)
    assert "rescue-already" in again.err
    await qrm.run("machines", "end-rescue", "node-1", "--wait")
    assert "rescue-none" in (await qrm.run("machines", "end-rescue", "node-1", code=4)).err
    await qrm.run("machines", "rescue", "node-1", code=2)


async def end_task(qrm: Cli, status: Status, code: str = "", reason: str = "") -> None:
    """Wait for the task of the machine, and end it."""
    store = qrm.world.services.store
    while not (found := await store.read(lambda db: tasks.open_of_machine(db, MachineId("m1")))):
        await asyncio.sleep(0.05)
    await store.write(lambda db: tasks.put(db, ended(found[0], status, 6.0, code, reason)))


async def test_waiting_for_a_rescue_tells_how_to_log_in(qrm: Cli, tmp_path: Path) -> None:
    machine = await qrm.world.machine()
    there = replace(machine, state=State.RESCUE, rescue=Rescue((KEY,), False, 5.0, "10.77.0.50", (HOST_KEY,)))

    async def opens() -> None:
        await end_task(qrm, Status.WAITING)  # seen
        await qrm.world.services.store.write(lambda db: machines.put(db, there))
        await end_task(qrm, Status.DONE)

    arguments = ("machines", "rescue", "node-1", "--key", key_file(tmp_path), "--wait")
    ended_well, _ = await asyncio.gather(qrm.run(*arguments), opens())
    assert "ssh root@10.77.0.50" in ended_well.out
    assert "SHA256:" in ended_well.out
    assert "ssh root@10.77.0.50" in (await qrm.run("machines", "show", "node-1")).out


async def test_waiting_for_a_rescue_that_fails(qrm: Cli, tmp_path: Path) -> None:
    await qrm.world.machine()
    arguments = ("machines", "rescue", "node-1", "--key", key_file(tmp_path), "--wait")
    fails = end_task(qrm, Status.FAILED, "rescue-failed", "no host key")
    ended_badly, _ = await asyncio.gather(qrm.run(*arguments, code=1), fails)
    assert "no host key (rescue-failed)" in ended_badly.err


async def test_boot_messages_do_not_steer_the_terminal(qrm: Cli) -> None:
    machine = await qrm.world.machine()
    assert "Nothing of the maintenance stack" in (await qrm.run("machines", "boot-messages", "node-1")).err
    kept = BootMessages("system", 7.0, "Linux version\n\x1b[2Jcleared\n")
    await qrm.world.services.store.write(lambda db: boot_messages.put(db, machine.id, "b1", kept))
    said = await qrm.run("machines", "boot-messages", "node-1", "--system")
    assert said.out == "Linux version\n\ufffd[2Jcleared\n"
    found = (await qrm.run("machines", "boot-messages", "node-1", "--json")).json
    assert (found["stack"], found["system"]["at"]) == (None, 7.0)
