"""Sticks and disks at the screen: backups are looked for, and the appliance is installed."""

import asyncio
import json
import threading
from pathlib import Path

from screen_acting import Person

from appliance.installer import act as installer
from appliance.installer.disks import Disk
from appliance.screen import orders, sticks
from appliance.screen.gather import Gatherer, in_thread
from appliance.screen.orders import Backup, Failed, Finished


def test_backups_are_looked_for_on_sticks_only():
    devices = {"blockdevices": [
        {"path": "/dev/sda", "tran": "sata", "children": [{"path": "/dev/sda1", "fstype": "ext4"}]},
        {"path": "/dev/sdb", "tran": "usb", "children": [
            {"path": "/dev/sdb1", "fstype": "vfat", "mountpoints": [None]}, {"path": "/dev/sdb2", "fstype": "swap"},
            {"path": "/dev/sdb3", "fstype": "ext4", "mountpoints": ["/efi"]},
        ]},
        {"path": "/dev/sdc", "tran": "usb", "fstype": "exfat"}, {"path": "/dev/sr0", "rm": True, "fstype": "iso9660"},
    ]}  # fmt: skip
    assert sticks.candidates(json.dumps(devices)) == ["/dev/sdb1", "/dev/sdc", "/dev/sr0"]


async def test_a_stick_is_mounted_read_only_and_let_go(tmp_path, monkeypatch):
    ran = []

    def run(argv, seconds):
        ran.append(argv)
        return json.dumps({"blockdevices": [{"path": "/dev/sdb1", "tran": "usb", "fstype": "vfat"}]})

    monkeypatch.setattr(sticks, "run", run)
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "no.qrmstate").write_bytes(b"no backup")
    assert await Person(tmp_path).orders(orders.LookForBackups()) == orders.BackupsSeen(())
    assert ran[1:] == [
        ["mount", "--options", "ro,nosuid,nodev,noexec", "/dev/sdb1", str(tmp_path / "stick")],
        ["umount", str(tmp_path / "stick")],
    ]


async def test_a_backup_that_is_gone_stops_nothing(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(sticks, "run", lambda argv, seconds: ran.append(argv[0]) or "")
    failed = await Person(tmp_path).orders(orders.RestoreBackup(Backup("/dev/sdb1", "gone.qrmstate", "", False), ""))
    assert isinstance(failed, Failed)
    assert ran == ["mount", "umount"]


DISK = Disk("/dev/sdz", "m", "SN", "", 10**12, 512, "sata", ())


async def test_an_installation_is_told_step_by_step(tmp_path, monkeypatch):
    seen = []

    def install(source, slot, disk, tell, wanted):
        seen.append((source, slot, disk))
        tell(0.5, "copying root-a")

    monkeypatch.setattr(installer, "install", install)
    monkeypatch.setattr(installer, "find_disk", lambda source, disk: disk)
    person = Person(tmp_path)
    monkeypatch.setattr(Gatherer, "source_disk", lambda _: Path("/dev/sdy"))
    done = await person.orders(orders.InstallOnto(DISK))
    assert isinstance(done, Finished)
    assert seen == [(Path("/dev/sdy"), "A", DISK)]
    await asyncio.sleep(0)
    assert orders.Progress(0.5, "copying root-a") in person.said


async def test_who_stops_an_installation_waits_until_it_has_stopped(tmp_path, monkeypatch):
    began, stopped = threading.Event(), []

    def install(source, slot, disk, tell, wanted):
        began.set()
        while wanted():
            continue
        stopped.append(True)
        raise installer.Cancelled("install-cancelled", "it was stopped; the disk does not boot")

    monkeypatch.setattr(installer, "install", install)
    monkeypatch.setattr(installer, "find_disk", lambda source, disk: disk)
    monkeypatch.setattr(Gatherer, "source_disk", lambda _: Path("/dev/sdy"))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Person(tmp_path).orders(orders.InstallOnto(DISK)))
        await in_thread(began.wait)
        task.cancel()
    assert stopped == [True]
    assert task.result().message == "it was stopped; the disk does not boot"


async def test_what_is_no_flashed_appliance_has_nothing_to_install(tmp_path):
    assert "cannot be found" in (await Person(tmp_path).orders(orders.LookAtDisks())).message
