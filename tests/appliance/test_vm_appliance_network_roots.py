"""Machines whose roots are volumes of a flashed appliance: by iSCSI and by NFS, through restarts of all of them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from appliance_world import PASSWORD, USER, Appliance, appliance_lab, plan, seed
from iscsi_stranger import REFUSED
from remote import Remote
from serial_line import SerialLine, Shell

from appliance.errors import ApplianceError
from appliance.lab import ssh
from appliance.lab.administrator import Administrator
from appliance.lab.api import Api
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab
from appliance.lab.operator import BOOT_SECONDS, DEPLOY_SECONDS, Operator, until
from appliance.lab.plan import APPLIANCE_ADDRESS, GIB, Disk, MachinePlan, plan_machine
from appliance.lab.report import clean
from tests.lab.vm_live_image import NAME as IMAGE
from tests.lab.vm_live_image import made
from tests.lab.vm_rescue import Rescuer

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(5400)]

POOL, DATA_DISK = "fast", "DATA-1"
GOLDEN_SECONDS = 1800
RECOVERS_SECONDS = 900
"""From the appliance's power-on until machines have their roots again, the minute and a half in it that NFS waits."""
STRANGER = Path(__file__).with_name("iscsi_stranger.py")
WRITES = "while :; do date +%s.%N >/root/next; mv /root/next /root/tick; sync -f /root; sleep 1; done"
SCRIBE = f"systemd-run --quiet --unit=scribe flock /root/lock sh -c '{WRITES}'"
"""A service that holds a lock and writes, and is not done before that is on the appliance's disk."""
COMPLAINTS = (
    "dmesg | grep -E 'I/O error|EXT4-fs (error|warning)|[Rr]emounting|not responding, timed out|reclaim failed'; true"
)
FAILED = "[ $(systemctl is-system-running) != starting ] && systemctl list-units --failed --plain --no-legend"
ISCSI = "find /sys/kernel/config/target/iscsi -mindepth 1 -maxdepth 1 -name 'iqn.*' 2>/dev/null; true"
NFS = "exportfs -s; true"
VOLUMES = "lvs --noheadings --options lv_name; true"


Way = tuple[str, str]
"""A machine, and how it is handed over."""
WAYS: dict[str, tuple[Way, Way]] = {
    "iscsi-on-bios": (("node1", "kexec"), ("node2", "reboot")),
    "iscsi-on-uefi": (("node2", "reboot"), ("node1", "kexec")),
}
"""For the root by iSCSI, and for the one by NFS: with both, each is tried on each firmware."""


@dataclass
class Node:
    """A machine, and what it is to run."""

    operator: Operator
    delivery: str
    hand_over: str
    export: dict[str, Any] = field(default_factory=dict)
    """Of its root, as it was shown last."""
    volume: dict[str, Any] = field(default_factory=dict)

    async def said(self, command: str) -> str:
        """What its deployed system answers."""
        return (await self.operator.log_in(command)).stdout.strip()


@dataclass
class Watch:
    """Somebody with the console, the serial line and the plugs in reach."""

    appliance: Appliance
    line: SerialLine
    user: Administrator

    @property
    def api(self) -> Api:
        return self.user.api

    @property
    def lab(self) -> Lab:
        return self.appliance.lab

    async def deploys(self, node: Node) -> None:
        """From idle to active."""
        machine = node.operator
        await machine.change(maintenance=False, hand_over=node.hand_over)
        wanted = {"name": machine.deployment, "image": IMAGE, "delivery": node.delivery, "machine": machine.id}
        await self.api.post("/deployments", **wanted, pool=POOL, ssh_keys=[self.user.public_key])
        await machine.act("start")
        await machine.wait("active", DEPLOY_SECONDS + BOOT_SECONDS)
        await self.shows_export(node)

    async def shows_export(self, node: Node) -> None:
        """What reaches its root now."""
        node.volume = (await self.api.get(f"/deployments/{node.operator.deployment}"))["root_volume"]
        node.export = node.volume["export"]

    async def latest(self) -> int:
        """The number of the newest event."""
        return max(int(each["id"]) for each in await self.api.items("/events"))

    async def event(self, node: Node, kind: str, after: int) -> None:
        """Wait for an event of a machine that is newer than the one with this number."""

        async def told() -> bool | None:
            found = await self.api.items("/events", kind=kind, machine=node.operator.id)
            return any(each["id"] > after for each in found) or None

        async with asyncio.timeout(BOOT_SECONDS):
            await until(told)


@pytest.mark.parametrize("ways", WAYS.values(), ids=WAYS)
async def test_machines_run_from_volumes_of_the_appliance(tmp_path: Path, ways: tuple[Way, Way]) -> None:
    machines = (plan_machine(0, "bios"), plan_machine(1, "uefi", secure_boot=True))
    async with flashed(tmp_path, machines) as watch:
        nodes = by_iscsi, by_nfs = nodes_of(watch, ways)
        await all_of(golden_volume(watch, tmp_path), *(each.operator.become_idle() for each in nodes))
        await all_of(*(watch.deploys(each) for each in nodes))
        await roots_are_as_they_should_be(watch, by_iscsi, by_nfs)
        await strangers_get_nothing(watch, by_iscsi)
        await all_of(*(restarts_and_is_let_in(watch, each) for each in nodes))
        await appliance_loses_power(watch, nodes)
        await stops_and_starts(watch, by_iscsi, by_nfs)
        await is_released(watch, by_iscsi)
        await another_machine_gets_nothing(watch, by_iscsi.operator, by_nfs)
        await is_released(watch, by_nfs)
        await nothing_is_left(watch, nodes)


def nodes_of(watch: Watch, ways: tuple[Way, Way]) -> tuple[Node, Node]:
    """The machine that is to run by iSCSI, and the one by NFS."""

    def node(way: Way, delivery: str) -> Node:
        operator = Operator(watch.lab, watch.api, watch.lab.machine(way[0]), f"web-{delivery}", print)
        return Node(operator, delivery, way[1])

    return node(ways[0], "iscsi"), node(ways[1], "nfs")


@asynccontextmanager
async def flashed(base: Path, machines: tuple[MachinePlan, ...]) -> AsyncIterator[Watch]:
    """An appliance that is up, with a disk for volumes that nothing is on; machines beside it, off."""
    computer = plan("bios")
    computer = replace(computer, disks=(*computer.disks, Disk("appliance-data.raw", 32 * GIB, DATA_DISK)))
    async with appliance_lab(base, computer, machines, seed(), print) as appliance:
        line = SerialLine(appliance.machine)
        await appliance.switch_on()
        await appliance.console_answers()
        public = await ssh.make_key(appliance.lab.directory.ssh_key)
        async with appliance.user() as api:
            try:
                yield Watch(appliance, line, Administrator(api, public))
            except BaseException:  # a limit of time and Ctrl-C are no Exception, and ask for the same words
                for each in machines:
                    said = clean(appliance.lab.machine(each.name).serial_text())
                    print(f"{each.name} said last:\n{said[-4000:]}")
                raise


async def all_of(*what: Awaitable[Any]) -> None:
    """At the same time."""
    async with asyncio.TaskGroup() as group:
        for each in what:
            group.create_task(_done(each))


async def _done(what: Awaitable[Any]) -> None:
    await what


async def golden_volume(watch: Watch, base: Path) -> None:
    """A pool on the data disk, an image, and the golden volume of it, as somebody at a desk makes them."""
    image = await asyncio.to_thread(made, (await build()).demo)
    desk = Remote(base / "home")
    await desk.log_in(watch.appliance)
    print(await desk.does("pools", "make", POOL, "--disk", DATA_DISK, "--yes", "--wait"))
    print(await desk.does("images", "add", str(image / "image.squashfs"), "--name", IMAGE))
    golden = ("volumes", "create", POOL, "golden-live", "--image", IMAGE, "--wait")
    print(await desk.does(*golden, seconds=GOLDEN_SECONDS))


async def roots_are_as_they_should_be(watch: Watch, by_iscsi: Node, by_nfs: Node) -> None:
    """Where they come from, how large they are, that nothing secret is left beside them; and something is written."""
    kind, source = (await by_iscsi.said("findmnt -no FSTYPE,SOURCE /")).split()
    assert (kind, source) == ("ext4", "/dev/sda")
    kind, source, options = (await by_nfs.said("findmnt -no FSTYPE,SOURCE,OPTIONS /")).split()
    assert kind == "nfs4"
    assert source.startswith(f"{APPLIANCE_ADDRESS}:/")
    assert {"rw", "vers=4.2", "hard", "sec=sys"} <= set(options.split(","))
    for node in (by_iscsi, by_nfs):
        assert await node.said("cat /proc/sys/kernel/hostname") == node.operator.deployment
        assert int((await node.said("df --output=size --block-size=1 /")).split()[-1]) > 0.9 * node.volume["bytes"]
        assert (await node.said("ls /run/qrm /qrm 2>&1; true")).count("No such file") == 2
        assert await node.said(FAILED) == ""
        await node.said(f"echo {node.delivery} >/root/kept && sync && {SCRIBE}")


async def strangers_get_nothing(watch: Watch, by_iscsi: Node) -> None:
    """By iSCSI: neither under another name, nor without the secret, nor with another one."""
    user = f"machine-{by_iscsi.operator.id}"
    words = (by_iscsi.export["server"], by_iscsi.export["target"], by_iscsi.export["initiator"], user)
    ran = await watch.lab.run([sys.executable, str(STRANGER), *words])
    refused = json.loads(ran.check("trying to log in").stdout)
    print(refused)
    assert {status for status, _ in refused.values()} == {REFUSED}


async def restarts_and_is_let_in(watch: Watch, node: Node) -> None:
    """By itself; its subnet asks somebody first."""
    since = await watch.latest()
    await node.said("(sleep 1; systemctl reboot) >/dev/null 2>&1 &")
    await watch.event(node, "root.asked", since)
    await watch.api.post(f"/machines/{node.operator.id}/admit")
    await watch.event(node, "resident.active", since)
    await is_still_there(node)


async def is_still_there(node: Node) -> None:
    """What was written before; and it writes on."""
    assert await node.said("cat /root/kept") == node.delivery
    if await node.said("systemctl is-active scribe; true") != "active":
        await node.said(SCRIBE)


async def appliance_loses_power(watch: Watch, nodes: tuple[Node, ...]) -> None:
    """In the middle of what they write: they wait, and go on when it is back."""
    since = await watch.latest()
    boots = [await node.said("cat /proc/sys/kernel/random/boot_id; cat /root/tick") for node in nodes]
    await watch.appliance.machine.kill()
    await watch.appliance.switch_on()
    await watch.appliance.console_answers()
    for node, before in zip(nodes, boots, strict=True):
        boot, tick = before.split()
        await goes_on(node, tick)
        assert await node.said("cat /proc/sys/kernel/random/boot_id") == boot, "it did not restart"
        assert await node.said(COMPLAINTS) == ""
        assert await node.said("cat /root/kept") == node.delivery
        await node.said("dd if=/dev/urandom of=/root/after bs=1M count=8 conv=fsync 2>/dev/null")
    granted = [each for each in await watch.api.items("/events", kind="root.export") if each["id"] > since]
    assert any("granted again" in each["text"] for each in granted), granted


async def goes_on(node: Node, tick: str) -> None:
    """Until its service has written once more."""

    async def ticks() -> bool | None:
        try:
            return await node.said("cat /root/tick") not in ("", tick) or None
        except ApplianceError:
            return None  # no login yet

    async with asyncio.timeout(RECOVERS_SECONDS):
        await until(ticks)


async def stops_and_starts(watch: Watch, node: Node, other: Node) -> None:
    """Through the API: while it is stopped its root is exported to nobody, and then anew, with all that was in it."""
    before = node.export["target"]
    await node.operator.act("stop")
    await node.operator.wait("stopped", BOOT_SECONDS)
    assert (await watch.api.get(f"/deployments/{node.operator.deployment}"))["root_volume"]["export"] is None
    async with watch.line.shell(USER, PASSWORD) as shell:
        assert await shell.do(ISCSI) == ""
        assert await _export_of(other) in await shell.do(NFS)
    await node.operator.act("start")
    await node.operator.wait("active", BOOT_SECONDS)
    await watch.shows_export(node)
    assert node.export["target"] != before
    await is_still_there(node)


async def _export_of(node: Node) -> str:
    """The id of an export by NFS."""
    return (await node.said("findmnt -no SOURCE /")).rpartition("/")[2]


async def another_machine_gets_nothing(watch: Watch, machine: Operator, other: Node) -> None:
    """An idle machine, from its maintenance stack: the root of another one is not for it, whatever it asks for."""
    rescuer = Rescuer(watch.lab, watch.user, machine)
    await rescuer.rescue()
    path = f"/{await _export_of(other)}"
    for what in (path, "/"):
        mount = f"mkdir -p /mnt && mount -t nfs4 -o vers=4.2,retry=0 {APPLIANCE_ADDRESS}:{what} /mnt 2>&1; echo $?"
        *said, status = (await rescuer.log_in(mount)).splitlines()
        print(said)
        assert status != "0", what
        assert any("denied" in each or "No such file" in each or "not permitted" in each for each in said), said
    assert await other.said("cat /root/kept") == other.delivery


async def is_released(watch: Watch, node: Node) -> None:
    """The machine is idle, its export gone and its volume deleted."""
    await node.operator.act("release")
    await node.operator.wait("idle", BOOT_SECONDS)
    found = await watch.api.items("/volumes")
    assert node.volume["id"] not in {each["id"] for each in found}
    assert "golden-live" in {each["name"] for each in found}


async def nothing_is_left(watch: Watch, nodes: tuple[Node, ...]) -> None:
    """In the appliance's kernel, and in LVM."""
    async with watch.line.shell(USER, PASSWORD) as shell:
        assert await shell.do(ISCSI) == ""
        assert await shell.do(NFS) == ""
        assert await shell.do("grep /run/appliance/nfs/ /proc/mounts; true") == ""
        volumes = await held(shell)
    for node in nodes:
        assert node.volume["id"] not in volumes


async def held(shell: Shell) -> str:
    """The volumes that LVM has."""
    return await shell.do(VOLUMES)
