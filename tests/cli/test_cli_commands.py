"""What people and scripts do with ``qrm``."""

import asyncio
import re
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

from cli_world import Cli
from web_world import DISK

from appliance.deployment import Wanted
from appliance.machine import MachineId, State
from appliance.reconcile.wishes import MachineChange
from appliance.store import deployments, machines, tasks
from appliance.task import followed
from appliance.workflow import Attempt, Kind, failed
from tests.people import ADMIN

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE somebody@desk"


async def test_machines(qrm: Cli) -> None:
    assert "No machine yet" in (await qrm.run("machines")).out
    await qrm.world.machine(maintenance=True)
    listed = await qrm.run("machines", "list")
    assert "node-1" in listed.out
    assert "idle, maintenance, offline" in listed.out
    assert (await qrm.run("machines", "list", "--json")).json["items"][0]["id"] == "m1"
    assert "node-1: idle" in (await qrm.run("machines", "set", "node-1", "--maintenance", "off")).out
    shown = await qrm.run("machines", "show", "node-1")
    assert "D1, 8.6 GB, QEMU, empty" in shown.out
    await qrm.run("machines", "set", "node-1", "--hand-over", "reboot")
    assert (await qrm.run("machines", "show", "node-1", "--json")).json["hand_over"] == "reboot"
    await qrm.run("machines", "set", "node-1", "--hand-over", "jump", code=2)
    assert (await qrm.run("machines", "show", "node-1", "--json")).json["inventory"]["firmware"] == "uefi"
    timeline = (await qrm.run("machines", "timeline", "m1")).out
    assert "admin changed maintenance" in timeline
    assert "admin changed hand-over from kexec to reboot" in timeline
    await qrm.run("machines", "set", "node-1", "--address", "10.77.0.117")
    assert re.search(r"reserved +10\.77\.0\.117", (await qrm.run("machines", "show", "node-1")).out)
    assert "address-invalid" in (await qrm.run("machines", "set", "node-1", "--address", "10.77.0.1", code=4)).err
    await qrm.run("machines", "set", "node-1", "--address", "none")
    assert "reserved" not in (await qrm.run("machines", "show", "node-1")).out
    await qrm.run("machines", "set", "node-1", "--dhcp-option", "mtu=9000", "--dhcp-option", "224=a=b")
    await qrm.run("machines", "set", "node-1", "--dhcp-option", "26=", "--dhcp-option", "ntp-servers=10.77.0.2")
    assert "224 = a=b, ntp-servers = 10.77.0.2" in (await qrm.run("machines", "show", "node-1")).out
    assert "option-invalid" in (await qrm.run("machines", "set", "node-1", "--dhcp-option", "53=1", code=4)).err
    await qrm.run("machines", "set", "node-1", "--dhcp-option", "mtu", code=2)
    await qrm.run("machines", "set", "node-1", code=2)
    assert "name-invalid" in (await qrm.run("machines", "set", "node-1", "--name", "A B", code=4)).err
    assert "machine-unknown" in (await qrm.run("machines", "show", "none", code=4)).err


async def test_what_has_to_be_done_by_hand_is_said_with_its_deadline(qrm: Cli, tmp_path: Path) -> None:
    await _deployment(qrm, tmp_path)
    await qrm.run("deployments", "start", "web-1")
    machine = await qrm.world.machine(state=State.STARTING)
    made = await qrm.world.attempt(machine, Kind.START, 1)
    gives_up = f"it gives up at {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(made.started + 20 * 60))}"
    said = f"0% handing over, Switch node-1 on; {gives_up}"
    for command in (("machines",), ("machines", "show", "node-1"), ("deployments", "show", "web-1")):
        assert said in (await qrm.run(*command)).out
    await _tied(qrm, made)
    assert (
        f"Switch node-1 on; {gives_up}" in (await qrm.run("deployments", "wait", "web-1", "--timeout", "0", code=1)).err
    )
    await qrm.world.services.store.write(lambda db: machines.put(db, replace(machine, last_seen=made.started)))
    shown = (await qrm.run("machines", "show", "node-1")).out
    assert "Switch" not in shown
    assert f"without a sign  {gives_up}" in shown


async def test_deleting_needs_the_word(qrm: Cli) -> None:
    await qrm.world.machine()
    assert "--confirm node-1" in (await qrm.run("machines", "delete", "m1", code=1)).err
    assert "confirmation-wrong" in (await qrm.run("machines", "delete", "m1", "--confirm", "m1", code=1)).err
    await qrm.run("machines", "delete", "m1", "--confirm", "node-1")
    await qrm.run("machines", "show", "m1", code=4)


async def test_hostile_strings_do_not_steer_the_terminal(qrm: Cli) -> None:
    machine = await qrm.world.machine()
    notes = MachineChange(notes="\x1b[2J[red]x\u202e")
    await qrm.world.services.wishes.change_machine(machine.id, notes, ADMIN)
    hostile = {"disks": [{"serial": "\x1b]0;owned\x07", "bytes": 1, "content": {"summary": "\x9b31m"}}]}
    await qrm.world.services.store.write(lambda db: machines.put_inventory(db, machine.id, hostile))
    for arguments in (["machines", "show", "m1"], ["machines", "timeline", "m1"], ["events"], ["machines"]):
        for extra in ([], ["--json"]):
            out = (await qrm.run(*arguments, *extra)).out
            assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(out), arguments
    assert "[red]x" in (await qrm.run("machines", "show", "m1")).out


async def test_images(qrm: Cli, tmp_path: Path) -> None:
    file = tmp_path / "Demo_13.raw"
    file.write_bytes(bytes(range(256)) * 8192)
    assert "demo-13: 2.1 MB, raw" in (await qrm.run("images", "add", str(file))).out
    (item,) = (await qrm.run("images", "--json")).json["items"]
    assert (item["name"], item["format"], item["stored_size"]) == ("demo-13", "raw", 2 << 20)
    assert "name-taken" in (await qrm.run("images", "add", str(file), code=1)).err
    file.write_bytes(b"")
    assert "image-empty" in (await qrm.run("images", "add", str(file), "--name", "other", code=1)).err
    file.write_bytes(b"x" * 100)
    assert "image-size" in (await qrm.run("images", "add", str(file), "--name", "other", code=1)).err
    await qrm.run("images", "add", str(tmp_path / "none"), code=2)
    assert item["stored_sha256"] in (await qrm.run("images", "show", "demo-13")).out
    await qrm.run("images", "delete", "demo-13", "--confirm", "demo-13")
    assert "No image yet" in (await qrm.run("images")).out


async def test_kernels(qrm: Cli, tmp_path: Path) -> None:
    vmlinuz, initrd = tmp_path / "vmlinuz", tmp_path / "initrd"
    vmlinuz.write_bytes(b"\0" * 0x202 + b"HdrS" + b"\0" * 100)
    initrd.write_bytes(b"x" * 3_000_000)
    await qrm.run("kernels", "add", str(vmlinuz), "--initrd", str(initrd), "--name", "trixie", "--version", "6.12")
    assert "trixie" in (await qrm.run("kernels")).out
    shown = (await qrm.run("kernels", "show", "trixie")).out
    assert "6.12" in shown
    item = (await qrm.run("kernels", "show", "1", "--json")).json
    assert item["name"] == "trixie"
    assert item["vmlinuz_sha256"] in shown
    await qrm.run("kernels", "show", "none", code=4)
    stored = qrm.world.services.state_dir / "kernels" / "1.initrd"
    assert stored.stat().st_size == 3_000_000
    await qrm.run("kernels", "delete", "trixie", "--confirm", "trixie")
    assert (await qrm.run("kernels", "--json")).json == {"items": [], "next": None, "total": 0}


async def _deployment(qrm: Cli, tmp_path: Path) -> None:
    disk, key = tmp_path / "demo.raw", tmp_path / "id.pub"
    disk.write_bytes(b"\0" * 4096)
    key.write_text(f"{KEY}\n")
    await qrm.run("images", "add", str(disk))
    await qrm.world.machine()
    await qrm.run("deployments", "create", "web-1", "--image", "demo", "--ssh-key", str(key), "--cpus", "2")


async def test_deployments(qrm: Cli, tmp_path: Path) -> None:
    await _deployment(qrm, tmp_path)
    shown = (await qrm.run("deployments", "show", "web-1", "--json")).json
    assert shown["ssh_keys"] == [KEY]
    assert shown["requirements"]["cpus"] == 2
    assert "overwritten" in (await qrm.run("deployments", "consequences", "web-1", "start")).out
    assert "asked to start" in (await qrm.run("deployments", "start", "web-1")).out
    assert "node-1" in (await qrm.run("deployments")).out
    refused = await qrm.run("deployments", "start", "web-1", code=4)
    assert "action-refused" in refused.err
    assert "deployment-used" in (await qrm.run("deployments", "delete", "web-1", "--confirm", "web-1", code=4)).err
    released = await qrm.run("deployments", "release", "web-1", code=1)
    assert "goes back to the fleet" in released.err
    assert "--confirm web-1" in released.err
    assert "asked to release" in (await qrm.run("deployments", "release", "web-1", "--confirm", "web-1")).out
    await qrm.run("deployments", "create", "web-2", "--image", "none", code=4)
    await qrm.run("deployments", "create", "web-2", code=2)


async def test_a_disk_with_content_is_overwritten_after_its_serial_was_typed(qrm: Cli, tmp_path: Path) -> None:
    await _deployment(qrm, tmp_path)
    full = {**DISK, "content": {"empty": False, "fingerprint": "f1", "summary": "ext4 'precious'"}}
    stored = {"cpu": {"threads": 4}, "disks": [full]}
    await qrm.world.services.store.write(lambda db: machines.put_inventory(db, MachineId("m1"), stored))
    await qrm.run("deployments", "create", "web-2", "--image", "demo", "--disk", "D1")
    refused = await qrm.run("deployments", "start", "web-2", code=1)
    assert "precious" in refused.err
    assert "--confirm D1" in refused.err
    assert "asked to start" in (await qrm.run("deployments", "start", "web-2", "--confirm", "D1")).out
    found = await qrm.world.services.store.read(lambda db: deployments.get(db, "web-2"))
    assert found.disk is not None
    assert found.disk.content == "f1"


async def _tied(qrm: Cli, attempt: Attempt) -> None:
    """The task of the deployment follows the attempt, as it would if the loop ran."""

    def job(db: sqlite3.Connection) -> None:
        for task in tasks.open_of_machine(db, attempt.machine):
            tasks.put(db, followed(task, attempt, attempt.started))

    await qrm.world.services.store.write(job)


async def test_wait(qrm: Cli, tmp_path: Path) -> None:
    await _deployment(qrm, tmp_path)
    await qrm.run("deployments", "wait", "web-1")  # is released, as nobody asked for more
    await qrm.run("deployments", "start", "web-1")
    assert "wait-timeout" in (await qrm.run("deployments", "wait", "web-1", "--timeout", "0", code=1)).err
    made = await qrm.world.attempt(await qrm.world.machine(state=State.DEPLOYING), Kind.DEPLOY, 1)
    process = await qrm.start("deployments", "wait", "web-1")
    assert process.stderr is not None
    async with asyncio.timeout(30):
        assert b"Start web-1 on node-1: waiting" in await process.stderr.readline()
        await _tied(qrm, made)
        assert b"preparing the disk" in await process.stderr.readline()
        await _tied(qrm, failed(made, "disk-changed", "somebody else was there", made.started))
        assert b"failed" in await process.stderr.readline()
        rest = await process.stderr.read()
        assert await process.wait() == 1
    assert b"somebody else was there (disk-changed)" in rest
    await qrm.world.machine(state=State.FAILED)
    assert "deployment-failed" in (await qrm.run("deployments", "wait", "web-1", code=1)).err
    found = await qrm.world.services.store.read(lambda db: deployments.get(db, "web-1"))
    assert found.wanted is Wanted.RUNNING
    assert found.machine == MachineId("m1")


async def test_events_followed(qrm: Cli) -> None:
    machine = await qrm.world.machine()
    wishes = qrm.world.services.wishes
    await wishes.change_machine(machine.id, MachineChange(notes="first"), ADMIN)
    process = await qrm.start("events", "--follow", "--machine", "node-1")
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert b"notes from none to first" in await process.stdout.readline()
        await wishes.change_machine(machine.id, MachineChange(notes="second"), ADMIN)
        assert b"notes from first to second" in await process.stdout.readline()
    process.terminate()
    await process.communicate()


async def test_no_answer(qrm: Cli) -> None:
    ended = await qrm.run("--server", "https://127.0.0.1:1", "machines", code=1)
    assert "you are not logged in to https://127.0.0.1:1" in ended.err


async def test_configuration(qrm: Cli, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('[site]\ndomain = "lab.test"\n[[subnet]]\ninterface = "br0"\n')
    bad.write_text('[site]\ndomian = "lab.test"\n')
    assert (await qrm.run("config", "check", str(good))).out == f"{good}: good\n"
    assert f"{bad}:2: [site] domian is unknown" in (await qrm.run("config", "check", str(bad), code=1)).err
    shown = (await qrm.run("config", "show", str(good))).out
    assert 'interface = "br0"' in shown
    assert "# gateway is not set" in shown
    again = tmp_path / "again.toml"
    again.write_text(shown)
    assert (await qrm.run("config", "show", str(again))).out == shown
    assert (await qrm.run("config", "show", str(good), "--json")).json["subnet"][0]["interface"] == "br0"
